//! Moves and removes jobs: only those that the question counted.

use larder::queue::{JobId, Queue, State};
use larder_ops::counted::Counted;
use larder_ops::text::of;

use super::partitions::{Part, Parts};
use super::pause::{names, report_count};
use crate::commands::NOT_DONE;
use crate::error::{Error, Result};
use crate::output::Output;

/// A dead letter: the id of the job, and when it died, in microseconds.
type Letter = (JobId, i64);

pub(super) async fn redrive(found: &Parts, max: u64, output: &mut Output<'_, '_>) -> Result<u8> {
    let moved = match output.is_sure() {
        true => redrive_all(found, max).await?,
        false => {
            let mut counted = Vec::new();
            for Part { queue, .. } in &found.parts {
                let left = max - counted.len() as u64;
                counted.extend(oldest(queue, left).await?);
            }
            let counted = Counted::of(&counted);
            let letters = of(counted.len(), "dead letter", "dead letters");
            if !output.confirm(&format!("This runs {letters} of {} again.", names(found)))? {
                return Ok(NOT_DONE);
            }
            let moved = redrive_counted(found, &counted).await?;
            if moved == 0 && !counted.is_empty() {
                return output.changed("these dead letters have gone");
            }
            moved
        }
    };
    let letters = [
        ["dead letter", "waits again"],
        ["dead letters", "wait again"],
    ];
    report_count(found, moved, letters, output)
}

async fn redrive_all(found: &Parts, max: u64) -> Result<u64> {
    let mut dead = 0;
    for Part { queue, .. } in &found.parts {
        dead += queue.counts().await?.dead;
    }
    // No more than there are now: others may be added meanwhile, for ever.
    let most = dead.min(max);
    let mut moved = 0;
    for Part { queue, .. } in &found.parts {
        moved += queue.redrive(most - moved).await.map_err(after(moved))?;
    }
    Ok(moved)
}

/// Moves those dead letters that were counted. Later ones stay: they are behind these.
async fn redrive_counted(found: &Parts, counted: &Counted) -> Result<u64> {
    let mut moved = 0;
    for Part { queue, .. } in &found.parts {
        let letters = oldest(queue, counted.len() - moved).await?.into_iter();
        let many = letters.take_while(|letter| counted.has(letter)).count();
        moved += queue.redrive(many as u64).await.map_err(after(moved))?;
    }
    Ok(moved)
}

fn after(moved: u64) -> impl Fn(larder::Error) -> Error {
    move |error| Error::from(error).after(moved, "dead letters moved")
}

/// Returns at most `many` dead letters, oldest first.
async fn oldest(queue: &Queue, many: u64) -> Result<Vec<Letter>> {
    let many = usize::try_from(many).unwrap_or(usize::MAX);
    let (mut letters, mut from) = (Vec::new(), None);
    while letters.len() < many {
        let page = queue.list(State::Dead, from).await?;
        let jobs = page.jobs.iter();
        letters.extend(jobs.map(|job| (job.id().clone(), job.at().as_micros())));
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    letters.truncate(many);
    Ok(letters)
}

pub(super) async fn purge(found: &Parts, state: State, output: &mut Output<'_, '_>) -> Result<u8> {
    if !output.is_sure() {
        let counted = count(&found.parts, state).await?;
        let jobs = of(counted.len(), "job", "jobs");
        if !output.confirm(&format!(
            "This removes {jobs} of {} for good.",
            names(found)
        ))? {
            return Ok(NOT_DONE);
        }
        if !counted.covers(&count(&found.parts, state).await?) {
            return output.changed("other jobs have come");
        }
    }
    let mut removed = 0;
    for Part { queue, .. } in &found.parts {
        let more = queue.purge(state).await;
        removed += more.map_err(|error| Error::from(error).after(removed, "jobs were removed"))?;
    }
    let jobs = [["job", "removed"], ["jobs", "removed"]];
    report_count(found, removed, jobs, output)
}

/// Counts the jobs of a state.
async fn count(parts: &[Part], state: State) -> Result<Counted> {
    let mut jobs = Vec::new();
    for Part { label, queue } in parts {
        let mut from = None;
        loop {
            let page = queue.list(state, from).await?;
            jobs.extend(page.jobs.iter().map(|job| (label, job.id().clone())));
            from = page.next;
            if from.is_none() {
                break;
            }
        }
    }
    Ok(Counted::of(jobs))
}
