//! The commands about queues.

mod counted;
mod partitions;
mod pause;
mod reading;

use larder::queue::{QueueRecord, State};
use larder_ops::records::field;
use larder_ops::time::{ago, now, span, until};
use serde_json::{Value, json};

use super::DONE;
use crate::args::{JobState, Queue as QueueArgs};
use crate::error::{Error, Result};
use crate::output::{Output, Rest, objects};
use crate::scan::{self, id_of};
use crate::target::Target;
use counted::{purge, redrive};
use partitions::Part;
use pause::{pause, report};

pub(super) async fn run(
    target: &Target,
    command: &QueueArgs,
    output: &mut Output<'_, '_>,
) -> Result<u8> {
    match command {
        QueueArgs::Ls { limit } => list(target, *limit, output).await,
        QueueArgs::Inspect {
            queue,
            state,
            limit,
            show_values,
        } => {
            let found = partitions::existing(target, queue, output).await?;
            let counted = counts(&found.parts).await?;
            let rest = Rest {
                unreadable: found.unreadable,
                cut_at: None,
            };
            let Some(state) = state else {
                output.listing(&COUNTS, counted, &rest)?;
                return Ok(DONE);
            };
            let (listed, more) = jobs(&found.parts, *state, *limit, *show_values).await?;
            if output.is_json() {
                let queues = objects(&COUNTS, counted, &rest);
                let jobs = objects(&JOBS, listed, &more);
                output.json(&json!({ "queues": queues, "jobs": jobs }))?;
            } else {
                output.listing(&COUNTS, counted, &rest)?;
                output.line("")?;
                output.listing(&JOBS, listed, &more)?;
            }
            Ok(DONE)
        }
        QueueArgs::Pause { queue } => pause(target, queue, output).await,
        QueueArgs::Resume { queue } => {
            let found = partitions::existing(target, queue, output).await?;
            for (done, part) in found.parts.iter().enumerate() {
                let resumed = part.queue.resume().await;
                resumed.map_err(|error| Error::from(error).after(done as u64, "queues resumed"))?;
            }
            report(&found, "resumed", None, output)
        }
        QueueArgs::Redrive { queue, max } => {
            let found = partitions::existing(target, queue, output).await?;
            redrive(&found, max.unwrap_or(u64::MAX), output).await
        }
        QueueArgs::Purge { queue, state } => {
            let found = partitions::existing(target, queue, output).await?;
            purge(&found, State::from(*state), output).await
        }
    }
}

async fn list(target: &Target, limit: usize, output: &mut Output<'_, '_>) -> Result<u8> {
    let columns = ["waiting", "scheduled", "running", "dead", "done", "paused"];
    let found = scan::list::<QueueRecord>(target, output, limit).await?;
    let rows = found.readable.iter().map(|(key, shown)| {
        let mut row = vec![json!(id_of(key))];
        row.extend(columns.map(|column| {
            field(shown, column).map_or(Value::Null, |value| match column {
                "paused" => json!(value != "0"),
                _ => json!(value.parse::<f64>().unwrap_or_default() as u64),
            })
        }));
        row
    });
    let columns: Vec<_> = std::iter::once("queue").chain(columns).collect();
    output.listing(&columns, rows.collect(), &found.rest())?;
    Ok(DONE)
}

const COUNTS: [&str; 8] = [
    "queue",
    "waiting",
    "scheduled",
    "running",
    "dead",
    "done",
    "paused",
    "oldest",
];

const JOBS: [&str; 6] = ["job", "name", "attempts", "enqueued", "at", "reason"];

async fn counts(parts: &[Part]) -> Result<Vec<Vec<Value>>> {
    let mut rows = Vec::new();
    for Part { label, queue } in parts {
        let counts = queue.counts().await?;
        let oldest = (!counts.oldest.is_zero()).then(|| span(counts.oldest));
        rows.push(vec![
            json!(label),
            json!(counts.waiting),
            json!(counts.scheduled),
            json!(counts.running),
            json!(counts.dead),
            json!(counts.done),
            json!(counts.is_paused),
            json!(oldest),
        ]);
    }
    Ok(rows)
}

/// Lists at most `limit` jobs, and reports whether there are more.
async fn jobs(
    parts: &[Part],
    state: JobState,
    limit: usize,
    shows_values: bool,
) -> Result<(Vec<Vec<Value>>, Rest)> {
    let (state, mut rows) = (State::from(state), Vec::new());
    for Part { queue, .. } in parts {
        let mut from = None;
        // One more than the limit, to see whether there are more.
        while rows.len() <= limit {
            let page = queue.list(state, from).await?;
            for job in &page.jobs {
                // A reason may contain data that the handler worked on.
                let reason = match (shows_values, job.reason()) {
                    (_, "") => Value::Null,
                    (true, reason) => json!(reason),
                    (false, reason) => json!(format!("{} characters", reason.chars().count())),
                };
                let at = match state {
                    State::Dead | State::Waiting => ago(job.at()),
                    State::Scheduled if job.at() <= now() => ago(job.at()),
                    _ => until(job.at()),
                };
                rows.push(vec![
                    json!(job.id().as_str()),
                    json!(job.name()),
                    json!(job.attempts()),
                    json!(job.enqueued_at().map(ago)),
                    json!(at),
                    reason,
                ]);
            }
            from = page.next;
            if from.is_none() {
                break;
            }
        }
    }
    let rest = Rest {
        cut_at: (rows.len() > limit).then_some(limit),
        ..Rest::default()
    };
    rows.truncate(limit);
    Ok((rows, rest))
}

impl From<JobState> for State {
    fn from(state: JobState) -> Self {
        match state {
            JobState::Waiting => Self::Waiting,
            JobState::Scheduled => Self::Scheduled,
            JobState::Running => Self::Running,
            JobState::Dead => Self::Dead,
            JobState::Done => Self::Done,
        }
    }
}
