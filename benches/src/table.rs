//! Writes tables into the pages that have a place for them.

use std::path::Path;

const HEADS: &str = "\
| what | larder | peer | ratio | target | met | remark |
|---|---|---|---|---|---|---|
";

/// Writes the `lines` of all rows to the page at `path`.
pub(crate) fn write(path: &Path, lines: &str) -> std::io::Result<()> {
    let page = std::fs::read_to_string(path)?;
    let rows = format!("{HEADS}{lines}\nMeasured on {}.\n", machine());
    let page = with_rows(&page, "peers", &rows);
    std::fs::write(path, page.expect("the page has a place for the rows"))
}

/// The page with `rows` in place of those named `name`. `None` if it has no place for them.
pub(crate) fn with_rows(page: &str, name: &str, rows: &str) -> Option<String> {
    let begin = format!("<!-- rows: {name} -->\n");
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once("<!-- end -->")?;
    Some(format!("{before}{begin}\n{rows}\n<!-- end -->{after}"))
}

pub(crate) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{} {} with {cores} cores",
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}
