//! The commands about event logs.

use larder::events::log::{DeadLetter, EventId, EventLog, LogRecord, MAX_BATCH};
use larder::store::Timestamp;
use larder::store::program::Record;
use larder::{Key, Ttl};
use larder_ops::records::{field, record_key};
use larder_ops::time::ago;
use serde_json::{Value, json};

use super::DONE;
use crate::args::Events;
use crate::error::{Error, Result};
use crate::key::{self, RawId};
use crate::output::{Output, Rest, escape};
use crate::scan::{self, id_of};
use crate::target::Target;

pub(super) async fn run(
    target: &Target,
    command: &Events,
    output: &mut Output<'_, '_>,
) -> Result<u8> {
    match command {
        Events::Ls { limit } => list(target, *limit, output).await,
        Events::Dead {
            log,
            limit,
            show_values,
        } => dead(target, log, *limit, *show_values, output).await,
    }
}

async fn list(target: &Target, limit: usize, output: &mut Output<'_, '_>) -> Result<u8> {
    let found = scan::list::<LogRecord>(target, output, limit).await?;
    let rows = found.readable.iter().map(|(key, shown)| {
        let count = |name| field(shown, name).and_then(|count| count.parse::<u64>().ok());
        let fields = shown.fields().iter();
        let groups = fields.filter(|(name, _)| name.starts_with("group "));
        vec![
            json!(id_of(key)),
            json!(count("events")),
            json!(groups.count()),
            json!(count("dead")),
        ]
    });
    let columns = ["log", "events", "groups", "dead"];
    output.listing(&columns, rows.collect(), &found.rest())?;
    Ok(DONE)
}

async fn dead(
    target: &Target,
    text: &str,
    limit: usize,
    shows_values: bool,
    output: &mut Output<'_, '_>,
) -> Result<u8> {
    let key = named(target, text)?;
    let shown = target.programs()?.inspect::<LogRecord>(&key).await?;
    if shown.fields().is_empty() {
        let text = escape(text);
        let why = format!("there is no event log '{text}': `larder events ls` lists them");
        return Err(Error::usage(why));
    }
    let (name, id) = key::apart(&key).ok_or_else(|| {
        Error::usage("the key of this log is hashed, since it is long: only the app can name it")
    })?;
    let (letters, is_cut) = read(target, name, &id, limit).await?;
    let rest = Rest {
        cut_at: is_cut.then_some(limit),
        ..Rest::default()
    };
    let mut columns = vec!["letter", "group", "event", "deliveries", "dead", "reason"];
    if shows_values {
        columns.push("value");
    }
    let rows = letters.into_iter().map(|letter| row(letter, shows_values));
    output.listing(&columns, rows.collect(), &rest)?;
    Ok(DONE)
}

/// Returns the key of a log that is named by its whole key, or by its id.
fn named(target: &Target, text: &str) -> Result<Key> {
    let text = key::named(&target.prefix, text, &[LogRecord::KIND])?;
    let whole = record_key::<LogRecord>(text)
        .or_else(|_| record_key::<LogRecord>(&format!("{}:{{{text}}}", LogRecord::KIND.name())));
    whole.map_err(|_| {
        Error::usage("an event log is named by its key, such as log:{orders:all}, or as orders:all")
    })
}

/// Returns at most `limit` dead letters, and whether there are more.
async fn read(
    target: &Target,
    name: &str,
    id: &RawId,
    limit: usize,
) -> Result<(Vec<DeadLetter<Value>>, bool)> {
    // Nothing is written, so the TTL does not matter.
    let log = EventLog::<Value>::new(target.store.clone(), name, Ttl::from_secs(60))?;
    let (mut letters, mut after) = (Vec::new(), EventId::ZERO);
    // One more than the limit, to see whether there are more.
    while letters.len() <= limit {
        let page = log.dead_letters(id, after, MAX_BATCH).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        letters.extend(page);
    }
    let is_cut = letters.len() > limit;
    letters.truncate(limit);
    Ok((letters, is_cut))
}

fn row(letter: DeadLetter<Value>, shows_values: bool) -> Vec<Value> {
    let millis = i64::try_from(letter.id.as_millis()).unwrap_or(i64::MAX);
    let since = Timestamp::from_micros(millis.saturating_mul(1_000));
    // A reason may contain data that the handler worked on.
    let reason = match shows_values {
        true => letter.reason,
        false => format!("{} characters", letter.reason.chars().count()),
    };
    let mut row = vec![
        json!(letter.id.to_string()),
        json!(letter.group),
        json!(letter.event_id.to_string()),
        json!(letter.deliveries),
        json!(ago(since)),
        json!(reason),
    ];
    if shows_values {
        row.push(match letter.event {
            Some(event) => json!(event.to_string()),
            None => Value::Null,
        });
    }
    row
}
