use std::fmt;

/// A table of a page, and the bars that were missed in making it.
#[derive(Clone, Debug, Default)]
pub struct Table {
    columns: Vec<(&'static str, bool)>,
    rows: Vec<Vec<String>>,
    missed: Vec<String>,
    more: Vec<(&'static str, Table)>,
}

/// One cell of a row.
pub type Cell = String;

impl Table {
    /// Makes a table without columns.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a column that is the same each time.
    #[must_use]
    pub fn column(mut self, name: &'static str) -> Self {
        self.columns.push((name, false));
        self
    }

    /// Adds a measured column, which a later run need not repeat.
    #[must_use]
    pub fn measured(mut self, name: &'static str) -> Self {
        self.columns.push((name, true));
        self
    }

    /// Adds a table that stands on the same page between markers of this name, with the bars that it missed.
    #[must_use]
    pub fn with_more(mut self, name: &'static str, mut table: Self) -> Self {
        self.missed.append(&mut table.missed);
        self.more.push((name, table));
        self
    }

    /// Returns the tables that were added, by name.
    #[must_use]
    pub fn more(&self) -> &[(&'static str, Self)] {
        &self.more
    }

    /// Returns whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl fmt::Display>) {
        let cells: Vec<_> = cells.into_iter().map(|cell| cell.to_string()).collect();
        assert_eq!(cells.len(), self.columns.len(), "a cell for each column");
        self.rows.push(cells);
    }

    /// Notes that a bar was missed, unless it holds.
    pub fn bar(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.missed.push(what());
        }
    }

    /// Returns the missed bars.
    #[must_use]
    pub fn missed(&self) -> &[String] {
        &self.missed
    }

    /// Returns the table without measured columns, which a later run must repeat.
    #[must_use]
    pub fn skeleton(&self) -> Vec<Vec<String>> {
        self.rows.iter().map(|row| self.fixed(row)).collect()
    }

    /// Returns whether a table, as it stands on a page, has the columns of this one.
    #[must_use]
    pub fn has_columns_of(&self, page: &str) -> bool {
        let head = page.lines().find(|line| line.starts_with('|'));
        let names: Vec<_> = self.columns.iter().map(|(name, _)| *name).collect();
        head.is_some_and(|head| cells(head) == names)
    }

    /// Returns the skeleton of a table of this form, as it stands on a page.
    #[must_use]
    pub fn skeleton_of(&self, page: &str) -> Vec<Vec<String>> {
        let lines = page.lines().filter(|line| line.starts_with('|')).skip(2);
        lines
            .map(|line| {
                let cells = cells(line);
                match cells.len() == self.columns.len() {
                    true => self.fixed(&cells),
                    // It has another form, so it equals no row.
                    false => cells,
                }
            })
            .collect()
    }

    fn fixed(&self, cells: &[String]) -> Vec<String> {
        let columns = self.columns.iter().zip(cells);
        columns
            .filter(|((_, measured), _)| !measured)
            .map(|(_, cell)| cell.clone())
            .collect()
    }
}

/// Returns the cells of a line.
fn cells(line: &str) -> Vec<String> {
    let inner = line.trim().trim_matches('|');
    inner
        .split('|')
        .map(|cell| cell.trim().to_owned())
        .collect()
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.columns.iter().map(|(name, _)| *name).collect();
        writeln!(f, "| {} |", names.join(" | "))?;
        writeln!(f, "|{}", "---|".repeat(names.len()))?;
        for row in &self.rows {
            writeln!(f, "| {} |", row.join(" | "))?;
        }
        Ok(())
    }
}
