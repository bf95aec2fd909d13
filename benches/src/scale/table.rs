//! Tables of cells, as processes hand them on and as pages show them.

use std::collections::BTreeMap;

/// Rows on their way out of the process that measured them: the table and the cells, separated by tabs.
#[derive(Default)]
pub(crate) struct Out(String);

impl Out {
    pub(super) fn row(&mut self, table: &str, cells: &[String]) {
        let row = cells.join("\t");
        eprintln!("{table}: {}", cells.join(" | "));
        self.0.push_str(&format!("{table}\t{row}\n"));
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

/// A table with its heads.
#[derive(Default)]
pub(super) struct Table {
    pub(super) heads: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

/// Tables by their names. The first row of each is its heads.
#[derive(Default)]
pub(super) struct Tables(BTreeMap<String, Table>);

impl Tables {
    pub(super) fn read(&mut self, text: &str) {
        for line in text.lines() {
            let mut cells = line.split('\t').map(str::to_owned);
            let table = self.0.entry(cells.next().unwrap_or_default()).or_default();
            let cells: Vec<_> = cells.collect();
            match table.heads.is_empty() {
                true => table.heads = cells,
                // Each process of a part begins with the heads.
                false if table.heads == cells => {}
                false => table.rows.push(cells),
            }
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Table> {
        self.0.get(name)
    }

    pub(super) fn insert(&mut self, name: &str, table: Table) {
        self.0.insert(name.to_owned(), table);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Table)> {
        self.0.iter().map(|(name, table)| (name.as_str(), table))
    }
}

impl Table {
    pub(super) fn new(heads: &[&str]) -> Self {
        let heads = heads.iter().map(|&head| head.to_owned()).collect();
        Self {
            heads,
            rows: Vec::new(),
        }
    }

    /// The table in Markdown: text to the left, numbers to the right.
    pub(super) fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let side = |column: usize| {
            let mut cells = self.rows.iter().map(|row| row[column].as_str());
            match cells.all(|cell| cell == NONE || number(cell).is_some()) {
                true => "---:".to_owned(),
                false => "---".to_owned(),
            }
        };
        let sides: Vec<_> = (0..self.heads.len()).map(side).collect();
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        format!("{}{}{rows}", line(&self.heads), line(&sides))
    }

    /// The rows as text: a line each, with commas and spaces between the cells.
    pub(super) fn lines(&self) -> String {
        let lines: Vec<_> = self.rows.iter().map(|row| row.join("; ")).collect();
        lines.join("\n")
    }
}

/// A cell without a figure.
pub(super) const NONE: &str = "—";

/// A figure with three digits that count, or all of a whole number, with commas.
pub(super) fn figure(number: f64) -> String {
    let digits = match number {
        _ if number >= 100.0 => 0,
        _ if number >= 10.0 => 1,
        _ if number >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{number:.digits$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

/// How often something that takes so many microseconds happens in a second, as 3,450,000.
pub(super) fn rate(number: f64) -> String {
    let unit = 10_f64.powf((number.max(1.0).log10().floor() - 2.0).max(0.0));
    figure((number / unit).round() * unit)
}

/// The number that a cell shows.
pub(super) fn number(cell: &str) -> Option<f64> {
    cell.replace(',', "").parse().ok()
}
