use std::num::NonZeroU16;

use larder::Key;
use larder::queue::{Partitioned, Queue, QueueRecord, State};
use larder::store::program::Record;
use larder_ops::time::{ago, span, until};
use serde_json::{Value, json};

use super::{DONE, NOT_DONE};
use crate::args::{JobState, Queue as QueueArgs};
use crate::error::{Error, Result};
use crate::key;
use crate::output::{Output, escape, object};
use crate::scan::{id_of, records};
use crate::target::Target;

/// The most queues and partitions that are listed.
const MOST: usize = 1_000;

pub(super) async fn run(
    target: &Target,
    command: &QueueArgs,
    output: &mut Output<'_, '_>,
) -> Result<u8> {
    match command {
        QueueArgs::Ls => list(target, output).await,
        QueueArgs::Inspect {
            name,
            state,
            limit,
            show_values,
        } => {
            let queues = partitions(target, name, output).await?;
            let counted = counts(&queues).await?;
            let Some(state) = state else {
                output.table(&COUNTS, counted)?;
                return Ok(DONE);
            };
            let listed = jobs(&queues, *state, *limit, *show_values).await?;
            if output.is_json() {
                let [queues, jobs] =
                    [(&COUNTS[..], counted), (&JOBS[..], listed)].map(|(columns, rows)| {
                        let rows = rows.into_iter().map(|row| object(columns, row));
                        rows.collect::<Vec<_>>()
                    });
                output.json(&json!({ "queues": queues, "jobs": jobs }))?;
            } else {
                output.table(&COUNTS, counted)?;
                output.line("")?;
                output.table(&JOBS, listed)?;
            }
            Ok(DONE)
        }
        QueueArgs::Pause { name } => {
            for queue in partitions(target, name, output).await? {
                queue.pause().await?;
            }
            output.done(
                1,
                "queue is paused: no job is taken, and jobs that run go on",
            )?;
            Ok(DONE)
        }
        QueueArgs::Resume { name } => {
            for queue in partitions(target, name, output).await? {
                queue.resume().await?;
            }
            output.done(1, "queue is resumed")?;
            Ok(DONE)
        }
        QueueArgs::Redrive { name, max } => {
            let queues = partitions(target, name, output).await?;
            redrive(&queues, max.unwrap_or(u64::MAX), output).await
        }
        QueueArgs::Purge { name, state } => {
            let queues = partitions(target, name, output).await?;
            purge(&queues, *state, output).await
        }
    }
}

/// Returns the queue called `name`, or its partitions.
async fn partitions(
    target: &Target,
    name: &str,
    output: &mut Output<'_, '_>,
) -> Result<Vec<Queue>> {
    let first = Key::new(QueueRecord::KIND, (name, 0_u32));
    let mut last = None;
    // A name that is hashed has partitions that cannot be found.
    if let Ok(start) = key::start_of(&first) {
        let parts = records::<QueueRecord>(target, output, start, MOST).await?;
        let number = |key: &Key| id_of(key).strip_prefix(start)?.parse::<u16>().ok();
        last = parts.iter().filter_map(number).max();
    }
    if let Some(count) = last.and_then(|last| NonZeroU16::new(last.saturating_add(1))) {
        let queues = Partitioned::new(target.store.clone(), name, count)?;
        return Ok(queues.queues().to_vec());
    }
    let queue = Queue::new(target.store.clone(), name)?;
    if queue.inspect().await?.fields().is_empty() {
        return Err(Error::usage(format!(
            "there is no queue '{}': `larder queue ls` lists them",
            escape(name)
        )));
    }
    Ok(vec![queue])
}

async fn list(target: &Target, output: &mut Output<'_, '_>) -> Result<u8> {
    let programs = target.programs()?;
    let columns = ["waiting", "scheduled", "running", "dead", "done", "paused"];
    let mut rows = Vec::new();
    for key in records::<QueueRecord>(target, output, "", MOST).await? {
        let shown = programs.inspect::<QueueRecord>(&key).await?;
        let mut row = vec![json!(id_of(&key))];
        row.extend(columns.map(|column| {
            let mut fields = shown.fields().iter();
            let found = fields.find(|(name, _)| name == column);
            found.map_or(Value::Null, |(_, value)| match column {
                "paused" => json!(value != "0"),
                _ => json!(value.parse::<f64>().unwrap_or_default() as u64),
            })
        }));
        rows.push(row);
    }
    let columns: Vec<_> = std::iter::once("queue").chain(columns).collect();
    output.table(&columns, rows)?;
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

async fn counts(queues: &[Queue]) -> Result<Vec<Vec<Value>>> {
    let mut rows = Vec::new();
    for queue in queues {
        let counts = queue.counts().await?;
        let oldest = std::time::Duration::from_micros(counts.oldest_us);
        rows.push(vec![
            json!(queue.name()),
            json!(counts.waiting),
            json!(counts.scheduled),
            json!(counts.running),
            json!(counts.dead),
            json!(counts.done),
            json!(counts.is_paused),
            json!(span(oldest)),
        ]);
    }
    Ok(rows)
}

async fn jobs(
    queues: &[Queue],
    state: JobState,
    limit: usize,
    shows_values: bool,
) -> Result<Vec<Vec<Value>>> {
    let (state, mut rows) = (State::from(state), Vec::new());
    for queue in queues {
        let mut from = None;
        while rows.len() < limit {
            let page = queue.list(state, from).await?;
            for job in page.jobs.iter().take(limit - rows.len()) {
                // A reason may hold what the handler worked on.
                let reason = match (shows_values, job.reason()) {
                    (_, "") => Value::Null,
                    (true, reason) => json!(reason),
                    (false, reason) => json!(format!("{} characters", reason.chars().count())),
                };
                let at = match state {
                    State::Dead => ago(job.at()),
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
    Ok(rows)
}

async fn redrive(queues: &[Queue], max: u64, output: &mut Output<'_, '_>) -> Result<u8> {
    // No more than those that were counted: others may come while somebody reads the question.
    let most = count(queues, State::Dead).await?.min(max);
    if !output.confirm(&format!("This runs {most} dead letters again."))? {
        return Ok(NOT_DONE);
    }
    let mut moved = 0;
    for queue in queues {
        moved += queue.redrive(most - moved).await?;
    }
    output.done(moved, "dead letters wait again")?;
    Ok(DONE)
}

async fn purge(queues: &[Queue], state: JobState, output: &mut Output<'_, '_>) -> Result<u8> {
    let state = State::from(state);
    let count = count(queues, state).await?;
    if !output.confirm(&format!("This removes {count} jobs for good."))? {
        return Ok(NOT_DONE);
    }
    let now = self::count(queues, state).await?;
    if now > count && !output.is_sure() {
        return Err(Error::usage(format!(
            "there are {now} jobs by now, and not {count}: nothing was removed; ask again, or use --yes"
        )));
    }
    let mut removed = 0;
    for queue in queues {
        removed += queue.purge(state).await?;
    }
    output.done(removed, "jobs removed")?;
    Ok(DONE)
}

async fn count(queues: &[Queue], state: State) -> Result<u64> {
    let mut all = 0;
    for queue in queues {
        let counts = queue.counts().await?;
        all += match state {
            State::Waiting => counts.waiting,
            State::Scheduled => counts.scheduled,
            State::Running => counts.running,
            State::Dead => counts.dead,
            State::Done => counts.done,
        };
    }
    Ok(all)
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
