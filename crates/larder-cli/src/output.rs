//! Writes tables for people, JSON for programs, and asks before something is destroyed.

use std::fmt::Write as _;

pub(crate) use larder_ops::text::{escape, escape_bytes};
use larder_ops::text::{of, shorten};
use serde_json::{Map, Value, json};

use crate::args::Options;
use crate::commands::NOT_DONE;
use crate::error::{Error, Result};
use crate::io::Io;

/// The maximum length of a cell's text, in characters.
const WIDEST: usize = 120;

/// The part that a list omits.
#[derive(Default)]
pub(crate) struct Rest {
    /// The names of records that cannot be read.
    pub(crate) unreadable: Vec<String>,
    /// The limit that cut the list, if it did.
    pub(crate) cut_at: Option<usize>,
}

/// Writes the result of a command.
pub(crate) struct Output<'a, 'io> {
    io: &'a mut Io<'io>,
    is_json: bool,
    is_sure: bool,
    has_namespace: bool,
    shown: usize,
}

impl<'a, 'io> Output<'a, 'io> {
    pub(crate) fn new(io: &'a mut Io<'io>, options: &Options) -> Self {
        Self {
            io,
            is_json: options.json,
            is_sure: options.yes,
            has_namespace: options.namespace.is_some(),
            shown: 0,
        }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.is_json
    }

    /// Returns whether confirmations are skipped.
    pub(crate) fn is_sure(&self) -> bool {
        self.is_sure
    }

    /// Writes rows: as a table, or as a list of objects.
    pub(crate) fn table(&mut self, columns: &[&str], rows: Vec<Vec<Value>>) -> Result<()> {
        if self.is_json {
            return self.json(&Value::Array(objects(columns, rows, &Rest::default())));
        }
        let cells: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.iter().map(cell).collect())
            .collect();
        let width = |at: usize| {
            let cells = cells.iter().map(|row| row[at].chars().count());
            cells.chain([columns[at].len()]).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns.len()).map(width).collect();
        // Numbers are aligned at the right.
        let is_number = |at: usize| {
            let mut cells = rows.iter().map(|row| &row[at]);
            cells.clone().any(Value::is_number) && cells.all(|it| it.is_number() || it.is_null())
        };
        let are_numbers: Vec<_> = (0..columns.len()).map(is_number).collect();
        let head: Vec<_> = columns.iter().map(|name| (*name).to_owned()).collect();
        for row in std::iter::once(&head).chain(&cells) {
            let padded = row.iter().zip(&widths).zip(&are_numbers);
            let padded = padded.map(|((cell, width), is_number)| match is_number {
                true => format!("{cell:>width$}"),
                false => format!("{cell:width$}"),
            });
            let line = padded.collect::<Vec<_>>().join("  ");
            writeln!(self.io.out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// Writes rows, and after them what the list omits.
    pub(crate) fn listing(
        &mut self,
        columns: &[&str],
        mut rows: Vec<Vec<Value>>,
        rest: &Rest,
    ) -> Result<()> {
        if self.is_json {
            return self.json(&Value::Array(objects(columns, rows, rest)));
        }
        rows.extend(rest.unreadable.iter().map(|name| {
            let named = [json!(name), json!("unreadable")].into_iter();
            let row = named.chain(std::iter::repeat(Value::Null));
            row.take(columns.len()).collect()
        }));
        let is_empty = rows.is_empty();
        match rows.is_empty() {
            true => self.line("Nothing was found.")?,
            false => self.table(columns, rows)?,
        }
        self.hint_at_namespace(is_empty)?;
        match rest.cut_at {
            Some(limit) => self.line(&format!(
                "There are more: only {limit} were looked at. Raise --limit to see more."
            )),
            None => Ok(()),
        }
    }

    /// Explains how to find keys in a namespace, if nothing was found without one.
    pub(crate) fn hint_at_namespace(&mut self, is_empty: bool) -> Result<()> {
        match is_empty && !self.has_namespace {
            true => self.line(
                "If the app has a namespace, such as prod:app, pass it with --namespace; `larder scan` shows it.",
            ),
            false => Ok(()),
        }
    }

    /// Writes named values: one per line, or as an object.
    pub(crate) fn fields(&mut self, fields: Vec<(&str, Value)>) -> Result<()> {
        if self.is_json {
            let fields = fields.into_iter();
            let object = fields.map(|(name, value)| (name.replace(' ', "_"), value));
            return self.json(&Value::Object(object.collect::<Map<_, _>>()));
        }
        let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in fields {
            writeln!(self.io.out, "{name:width$}  {}", cell(&value))?;
        }
        Ok(())
    }

    /// Writes a value as JSON.
    pub(crate) fn json(&mut self, value: &Value) -> Result<()> {
        writeln!(self.io.out, "{}", harmless(&format!("{value:#}")))?;
        Ok(())
    }

    /// Writes a line for people. Writes nothing in JSON.
    pub(crate) fn line(&mut self, line: &str) -> Result<()> {
        if !self.is_json {
            writeln!(self.io.out, "{line}")?;
        }
        Ok(())
    }

    /// Writes the number of changed things: in a sentence, or as `{"done": count}`.
    pub(crate) fn done(&mut self, count: u64, one: &str, many: &str) -> Result<()> {
        self.either(&json!({ "done": count }), &of(count, one, many))
    }

    /// Writes JSON, or a sentence for people.
    pub(crate) fn either(&mut self, value: &Value, line: &str) -> Result<()> {
        match self.is_json {
            true => self.json(value),
            false => self.line(line),
        }
    }

    /// Shows what would be destroyed, and asks for confirmation. Always true with `--yes`.
    ///
    /// After a no it reports that nothing was done.
    pub(crate) fn confirm(&mut self, what: &str) -> Result<bool> {
        if self.is_sure {
            return Ok(true);
        }
        write!(self.io.err, "{what} Continue? [y/N] ")?;
        self.io.err.flush()?;
        let mut answer = String::new();
        self.io.input.read_line(&mut answer)?;
        let is_yes = matches!(answer.trim(), "y" | "Y" | "yes");
        if !is_yes {
            writeln!(self.io.err, "nothing was done")?;
            if self.is_json {
                self.json(&json!({ "done": 0 }))?;
            }
        }
        Ok(is_yes)
    }

    /// Reports that nothing was done, since a question did not count what there is now. Returns the exit code.
    pub(crate) fn changed(&mut self, what: &str) -> Result<u8> {
        let text = "nothing was done: look again, or use --yes";
        writeln!(self.io.err, "{what} since the question; {text}")?;
        if self.is_json {
            self.json(&json!({ "done": 0 }))?;
        }
        Ok(NOT_DONE)
    }

    /// Replaces the line of progress, on a terminal.
    pub(crate) fn progress(&mut self, text: &str) {
        if self.io.shows_progress {
            let gap = self.shown.saturating_sub(text.chars().count());
            self.shown = text.chars().count();
            // A lost line of progress does no harm.
            let _ = write!(self.io.err, "\r{text}{:gap$}", "");
            let _ = self.io.err.flush();
        }
    }

    /// Ends the line of progress.
    pub(crate) fn end_progress(&mut self) {
        if std::mem::take(&mut self.shown) > 0 {
            let _ = writeln!(self.io.err);
        }
    }

    /// Clears the screen for the next picture of a live view.
    pub(crate) fn clear(&mut self) -> Result<()> {
        if self.io.clears_screen && !self.is_json {
            write!(self.io.out, "\x1b[H\x1b[2J")?;
        }
        Ok(())
    }

    pub(crate) fn error(&mut self, error: &Error) {
        self.end_progress();
        let text = format!("error: {}", escape(&error.to_string()));
        let _ = writeln!(self.io.err, "{text}");
    }
}

/// Escapes the characters in JSON that a terminal could interpret.
fn harmless(json: &str) -> String {
    let mut harmless = String::with_capacity(json.len());
    for sign in json.chars() {
        if matches!(sign, '\n' | '"' | '\'' | '\\') || sign.escape_debug().len() == 1 {
            harmless.push(sign);
            continue;
        }
        for unit in sign.encode_utf16(&mut [0; 2]) {
            // Writing to a string does not fail.
            let _ = write!(harmless, "\\u{unit:04x}");
        }
    }
    harmless
}

/// Makes an object from a row, with the columns as names.
pub(crate) fn object(columns: &[&str], row: Vec<Value>) -> Value {
    let names = columns.iter().map(|name| name.replace(' ', "_"));
    Value::Object(names.zip(row).collect())
}

/// Makes objects from rows and from what the list omits.
///
/// These are `{"queue": …, "unreadable": true}` for each record that cannot be read, and `{"more": true, "limit":
/// …}` at the end of a list that was cut.
pub(crate) fn objects(columns: &[&str], rows: Vec<Vec<Value>>, rest: &Rest) -> Vec<Value> {
    let first = columns.first().copied().unwrap_or_default();
    let unreadable = rest.unreadable.iter();
    let unreadable = unreadable.map(|name| json!({ first: name, "unreadable": true }));
    let more = rest
        .cut_at
        .map(|limit| json!({ "more": true, "limit": limit }));
    let rows = rows.into_iter().map(|row| object(columns, row));
    rows.chain(unreadable).chain(more).collect()
}

/// Writes a value into a cell: nothing in it moves the cursor, or is too long.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => shorten(&escape(text), WIDEST),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_json_moves_the_cursor_or_turns_the_text_and_it_reads_as_before() {
        let value = json!({ "\u{9b}2J": "a\n\u{1b}[m\u{7f}\u{202e}\u{e0001}\"\\'ü日" });
        let written = harmless(&format!("{value:#}"));
        let is_harmless = |sign: char| sign == '\n' || sign.escape_debug().len() < 3;
        assert!(written.chars().all(is_harmless), "{written}");
        assert!(written.contains("ü日"), "{written}");
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), value);
    }

    #[test]
    fn an_endless_cell_is_cut_and_says_its_length() {
        let cell = cell(&Value::String("x".repeat(10_240)));
        assert!(cell.chars().count() <= WIDEST + 5, "{cell}");
        assert!(cell.ends_with("(10240 characters)"), "{cell}");
    }
}
