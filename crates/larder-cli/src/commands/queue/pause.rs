//! Pauses a queue, and reports which parts of it a command has changed.

use larder_ops::text::{of, shorten};
use serde_json::json;

use super::partitions::{self, Parts};
use crate::args::QueueName;
use crate::commands::{DONE, NOT_DONE};
use crate::error::{Error, Result};
use crate::output::{Output, escape};
use crate::target::Target;

pub(super) async fn pause(
    target: &Target,
    named: &QueueName,
    output: &mut Output<'_, '_>,
) -> Result<u8> {
    let found = partitions::given(target, named, output).await?;
    for (done, part) in found.parts.iter().enumerate() {
        let paused = part.queue.pause().await;
        paused.map_err(|error| Error::from(error).after(done as u64, "queues were paused"))?;
    }
    let note = match (named.partitions, found.is_known) {
        (None, _) if found.is_single => None,
        (None, _) => Some(
            "a partition without a record is unknown here and keeps running: --partitions N, with the number that the \
             app uses, pauses it too",
        ),
        (Some(_), false) => Some("none of them had a record: is the name right?"),
        (Some(_), true) => None,
    };
    report(
        &found,
        "paused: no job is taken, and running jobs continue",
        note,
        output,
    )
}

/// The maximum number of queues that a sentence names.
const NAMED: usize = 20;

/// The maximum length of a name in a sentence, in characters.
const LONGEST: usize = 60;

/// Reports which queues a command has changed, and which it could not.
pub(super) fn report(
    found: &Parts,
    what: &str,
    note: Option<&str>,
    output: &mut Output<'_, '_>,
) -> Result<u8> {
    let labels = found.labels();
    let code = code(found);
    if output.is_json() {
        output.json(&json!({
            "done": labels.len(),
            "queues": labels,
            "unreadable": found.unreadable,
            "note": note,
        }))?;
        return Ok(code);
    }
    output.line(&format!("{} {what}", names(found)))?;
    report_unreadable(found, output)?;
    if let Some(note) = note {
        output.line(note)?;
    }
    Ok(code)
}

/// Reports how many jobs of which queues a command has changed, and which it could not read.
///
/// A text that names a queue may mean another one than intended.
pub(super) fn report_count(
    found: &Parts,
    count: u64,
    [one, many]: [[&str; 2]; 2],
    output: &mut Output<'_, '_>,
) -> Result<u8> {
    let labels = found.labels();
    let json = json!({ "done": count, "queues": labels, "unreadable": found.unreadable });
    let verb = if count == 1 { one[1] } else { many[1] };
    let jobs = of(count, one[0], many[0]);
    output.either(&json, &format!("{jobs} of {} {verb}", names(found)))?;
    report_unreadable(found, output)?;
    Ok(code(found))
}

fn code(found: &Parts) -> u8 {
    match found.unreadable.is_empty() {
        true => DONE,
        false => NOT_DONE,
    }
}

/// Reports which keys of a queue hold something else.
fn report_unreadable(found: &Parts, output: &mut Output<'_, '_>) -> Result<()> {
    if found.unreadable.is_empty() {
        return Ok(());
    }
    let unreadable: Vec<_> = found.unreadable.iter().map(String::as_str).collect();
    let text = "unreadable, and left as it is: something else is stored there";
    output.line(&format!("{} {text}", name(&unreadable)))
}

/// Lists the queues on which a command acts, for a sentence.
pub(super) fn names(found: &Parts) -> String {
    name(&found.labels())
}

/// Lists the names of queues, or only the first ones if there are many.
fn name(labels: &[&str]) -> String {
    let first = labels.iter().take(NAMED);
    let first: Vec<_> = first
        .map(|label| shorten(&escape(label), LONGEST))
        .collect();
    match labels.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
