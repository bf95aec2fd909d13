//! Writes tables and charts into the pages.

use std::fs;
use std::path::{Path, PathBuf};

use super::Result;
use super::chart::{SCHEMES, bars, lines};
use super::table::Tables;
use crate::table::{machine, with_rows};

/// How a chart is drawn.
enum Form {
    Lines,
    Bars,
}

/// The charts: the table whose rows one shows, its title and its form.
const CHARTS: &[(&str, &str, Form)] = &[
    (
        "tasks-memory",
        "In process: values of 1 KiB, more tasks",
        Form::Lines,
    ),
    (
        "tasks-redis",
        "Redis: values of 1 KiB, more tasks",
        Form::Lines,
    ),
    (
        "values-memory",
        "In process: GET, larger values, 16 tasks",
        Form::Lines,
    ),
    (
        "values-redis",
        "Redis: GET, larger values, 16 tasks",
        Form::Lines,
    ),
    (
        "puts-memory",
        "In process: SET, larger values, 16 tasks",
        Form::Lines,
    ),
    (
        "puts-redis",
        "Redis: SET, larger values, 16 tasks",
        Form::Lines,
    ),
    ("bytes", "Bytes for each of many entries", Form::Bars),
];

/// The pages with tables of this.
const PAGES: [&str; 2] = ["benchmarks.md", "capacity.md"];

/// Writes each table where a page has a place for it, and draws its chart.
pub(super) fn write(tables: &Tables) -> Result<()> {
    for page in PAGES {
        let path = docs().join(page);
        let mut text = fs::read_to_string(&path)?;
        for (name, table) in tables.iter() {
            let rows = format!("{}\nMeasured on {}.\n", table.markdown(), machine());
            text = with_rows(&text, name, &rows).unwrap_or(text);
        }
        fs::write(path, text)?;
    }
    for (name, title, form) in CHARTS {
        let Some(table) = tables.get(name) else {
            continue;
        };
        for scheme in SCHEMES {
            let picture = match form {
                Form::Lines => lines(title, table, &scheme)?,
                Form::Bars => bars(title, table, &scheme)?,
            };
            let file = format!("images/bench-{name}-{}.svg", scheme.name);
            fs::write(docs().join(file), picture)?;
        }
    }
    eprintln!("written: docs/benchmarks.md, docs/capacity.md and docs/images");
    Ok(())
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}
