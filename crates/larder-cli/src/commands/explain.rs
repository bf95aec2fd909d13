use std::time::Duration;

use larder::Key;
use larder::cache::{Journal, Tier};
use larder::events::log::LogRecord;
use larder::events::topic::HistoryRecord;
use larder::queue::QueueRecord;
use larder::queue::periodic::LastTick;
use larder::rate_limit::{Tat, Usage};
use larder::response_cache::{ResponseExplanation, UriState};
use larder::session::{EveryoneRecord, SessionRecord, UserRecord};
use larder::store::Timestamp;
use larder::store::program::{Inspection, Record};
use larder::structures::buckets::BucketsRecord;
use larder::structures::counter::CounterRecord;
use larder::structures::fenced::FencedValue;
use larder::structures::leaderboard::BoardRecord;
use larder::structures::ledger::LedgerRecord;
use larder::structures::lock::Permits;
use larder::structures::member_set::SetRecord;
use larder::structures::membership::FilterRecord;
use larder::structures::recent_list::RecentRecord;
use larder::structures::record::FieldsRecord;
use larder::structures::unique_count::UniqueRecord;
use serde_json::{Value, json};

use super::cache::{find, responses, what};
use super::{DONE, NOT_DONE};
use crate::error::Result;
use crate::key::{self, CacheKey};
use crate::output::{self, Output};
use crate::target::Target;
use larder_ops::records::record_key;
use larder_ops::time::{ago, now, span, until};

pub(super) async fn run(target: &Target, text: &str, output: &mut Output<'_, '_>) -> Result<u8> {
    if text.starts_with("http://") || text.starts_with("https://") {
        return uri(target, text, output).await;
    }
    let text = key::within(&target.prefix, text)?;
    let cached = match CacheKey::parse(text) {
        Ok(key) => find(target, &key).await.map(|found| (key, found)),
        Err(error) => Err(error),
    };
    // A cached value may be of a kind that is called like one of larder's own.
    let is_cached = matches!(&cached, Ok((_, (_, _, Tier::Entry(_)))));
    if !is_cached && let Some((kind, shown)) = inspect(target, text).await? {
        let mut fields = vec![("kind", json!(kind))];
        let lines = shown.fields().iter();
        let lines = lines.map(|(name, value)| match output.is_json() {
            true => (name.clone(), json!(value)),
            false => for_people(name, value),
        });
        let lines: Vec<_> = lines.collect();
        fields.extend(
            lines
                .iter()
                .map(|(name, value)| (name.as_str(), value.clone())),
        );
        let is_absent = shown.fields().is_empty();
        if is_absent {
            fields.push(("state", json!("absent: it never existed, or has expired")));
        }
        output.fields(fields)?;
        return Ok(if is_absent { NOT_DONE } else { DONE });
    }
    let (key, (_, codec, far)) = cached?;
    let mut fields = vec![
        ("kind", json!(key.kind.name())),
        ("schema", json!(key.schema)),
        ("store", json!(what(&far))),
    ];
    if let Tier::Entry(entry) = &far {
        fields.extend([
            ("codec", json!(codec)),
            ("age", json!(span(entry.age))),
            ("load took", json!(span(entry.load))),
            ("fresh for", json!(span(entry.fresh_for))),
            ("stale for", json!(span(entry.stale_for))),
            ("refresh is due", json!(entry.is_refresh_due)),
            ("not found", json!(entry.is_not_found)),
            ("tags", json!(entry.tags)),
        ]);
    }
    output.fields(fields)?;
    Ok(if is_cached { DONE } else { NOT_DONE })
}

/// Writes a line of a record: times and durations are in microseconds.
fn for_people(name: &str, value: &str) -> (String, Value) {
    let micros = name.strip_suffix("_us").zip(value.parse::<i64>().ok());
    let (name, value) = match micros {
        None => (name, value.to_owned()),
        Some((name, 0)) => (name, "none".to_owned()),
        Some((name, micros)) if micros.unsigned_abs() < LONGEST_SPAN => {
            (name, span(Duration::from_micros(micros.unsigned_abs())))
        }
        Some((name, micros)) => {
            let time = Timestamp::from_micros(micros);
            (name, if time > now() { until(time) } else { ago(time) })
        }
    };
    (name.replace('_', " "), json!(value))
}

/// Thirty years: longer than any duration, and shorter than a time, in microseconds.
const LONGEST_SPAN: u64 = 30 * 365 * 86_400 * 1_000_000;

/// Explains the responses that are stored for a URL.
async fn uri(target: &Target, uri: &str, output: &mut Output<'_, '_>) -> Result<u8> {
    let [safe, rfc] = responses(target)?;
    let mut explained = safe.explain(uri).await?;
    if matches!(explained.state, UriState::Absent) {
        explained = rfc.explain(uri).await?;
    }
    let state = match explained.state {
        UriState::Absent => {
            "nothing: it was not requested, may not be stored, was purged, or has expired"
        }
        UriState::Reserved => "a reservation: a response is being stored",
        UriState::Unreadable => "unreadable bytes: damaged, or of another release",
        _ => "stored",
    };
    let rows = explained.responses.iter().map(|it| {
        vec![
            json!(it.status),
            json!(it.bytes),
            json!(span(it.age)),
            json!(span(it.fresh_for)),
            json!(span(it.usable_for)),
            json!(it.tags),
            json!(served(it)),
        ]
    });
    let columns = [
        "status",
        "bytes",
        "age",
        "fresh for",
        "usable for",
        "tags",
        "a request gets",
    ];
    let is_served = explained.responses.iter().any(|it| served(it) == HIT);
    let code = if is_served { DONE } else { NOT_DONE };
    let selecting = explained.selecting.join(", ");
    if output.is_json() {
        let rows: Vec<_> = rows.map(|row| output::object(&columns, row)).collect();
        output.json(&json!({ "store": state, "selected_by": selecting, "responses": rows }))?;
        return Ok(code);
    }
    let mut fields = vec![("store", json!(state))];
    if !selecting.is_empty() {
        fields.push(("selected by", json!(selecting)));
    }
    output.fields(fields)?;
    if !explained.responses.is_empty() {
        output.line("")?;
        output.table(&columns, rows.collect())?;
        output.line("")?;
    }
    output.line("the field Cache-Status of a response says what one request got (curl -sI URL)")?;
    Ok(code)
}

const HIT: &str = "this response";

/// Describes what a request gets, and why not this response.
fn served(response: &ResponseExplanation) -> &'static str {
    if response.is_purged {
        "a miss: a tag was purged"
    } else if !response.fresh_for.is_zero() {
        HIT
    } else if response.usable_for.is_zero() {
        "a validation: it is stale or has no-cache"
    } else {
        "this response while it is validated, or if the origin fails"
    }
}

/// Shows one of larder's own records. None if the key is not of one.
async fn inspect(target: &Target, text: &str) -> Result<Option<(&'static str, Inspection)>> {
    macro_rules! inspect {
        ($($record:ty => $what:literal,)*) => {$(
            if is::<$record>(text) {
                return Ok(Some(($what, show::<$record>(target, text).await?)));
            }
        )*};
    }
    inspect! {
        SessionRecord => "a session",
        UserRecord => "the sessions of a user",
        EveryoneRecord => "the end of all sessions",
        Tat => "a rate limit",
        Usage => "a rate limit",
        Permits => "a lock or a semaphore",
        QueueRecord => "a queue",
        LastTick => "a periodic job",
        LogRecord => "an event log",
        Journal => "the journal of a write-behind cache",
        HistoryRecord => "the history of a topic",
        BoardRecord => "a leaderboard",
        BucketsRecord => "buckets",
        CounterRecord => "a counter",
        FencedValue => "a fenced value",
        FieldsRecord => "a record",
        FilterRecord => "a membership filter",
        LedgerRecord => "a ledger",
        RecentRecord => "a recent list",
        SetRecord => "a member set",
        UniqueRecord => "a unique count",
    }
    Ok(None)
}

fn is<R: Record>(text: &str) -> bool {
    Key::parse(text, &[R::KIND]).is_ok()
}

async fn show<R: Record>(target: &Target, text: &str) -> Result<Inspection> {
    let key = record_key::<R>(text)?;
    Ok(target.programs()?.inspect::<R>(&key).await?)
}
