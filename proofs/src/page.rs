use std::path::{Path, PathBuf};
use std::{fs, io, iter};

use crate::Table;

/// A page of the documentation with a table between two markers, which a proof writes.
pub struct Page {
    path: PathBuf,
    name: &'static str,
}

impl Page {
    /// Names the table of the proof `name` in `docs/<page>.md`.
    #[must_use]
    pub fn new(page: &str, name: &'static str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        Self {
            path: root.join("docs").join(page).with_extension("md"),
            name,
        }
    }

    /// Names the table of the proof `name` in the page at `path`.
    #[must_use]
    pub fn at(path: PathBuf, name: &'static str) -> Self {
        Self { path, name }
    }

    /// Names another table of the same page.
    fn beside(&self, name: &'static str) -> Self {
        Self {
            path: self.path.clone(),
            name,
        }
    }

    /// Returns the range of the text between the markers.
    fn find(&self, page: &str) -> io::Result<std::ops::Range<usize>> {
        let (begin, end) = self.markers();
        let found = page.find(&begin).and_then(|at| {
            let from = at + begin.len();
            Some(from..from + page[from..].find(&end)?)
        });
        found
            .ok_or_else(|| io::Error::other(format!("{}: no {begin} … {end}", self.path.display())))
    }

    fn markers(&self) -> (String, String) {
        (
            format!("<!-- prove {} -->\n", self.name),
            format!("<!-- end of {} -->", self.name),
        )
    }

    fn read(&self) -> io::Result<String> {
        fs::read_to_string(&self.path)
    }

    fn write(&self, table: &Table) -> io::Result<()> {
        let mut page = self.read()?;
        let place = self.find(&page)?;
        page.replace_range(place, &table.to_string());
        // Whole or not at all: whoever interrupts it keeps the page that there was.
        let new = self.path.with_extension("md.new");
        fs::write(&new, page)?;
        fs::rename(&new, &self.path)
    }

    fn check(&self, table: &Table) -> io::Result<()> {
        let text = self.read()?;
        let stands = &text[self.find(&text)?];
        let has_columns = table.has_columns_of(stands);
        match has_columns && table.skeleton_of(stands) == table.skeleton() {
            true => Ok(()),
            false => Err(io::Error::other(format!("the page differs:\n{stands}"))),
        }
    }
}

/// Writes `table` into its page, and those that were added to it, or compares them with the page.
///
/// A table without rows, of a proof that could not run, is neither written nor compared, and is an error.
///
/// # Errors
/// What is wrong, a line each: the bars that were missed, a page that says something else, a page
/// that cannot be read or written.
pub fn write_or_check(page: &Page, table: &Table, is_check: bool) -> Result<(), Vec<String>> {
    let mut wrong = table.missed().to_vec();
    if table.is_empty() && wrong.is_empty() {
        wrong.push("it has shown nothing".to_owned());
    }
    let more = table.more().iter();
    let more = more.map(|(name, table)| (page.beside(name), table));
    let all = iter::once((page.beside(page.name), table)).chain(more);
    for (page, table) in all.filter(|(_, table)| !table.is_empty()) {
        let done = match is_check {
            false => page.write(table),
            true => page.check(table),
        };
        if let Err(error) = done {
            wrong.push(format!("{}: {error}", page.path.display()));
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong),
    }
}
