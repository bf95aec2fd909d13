//! Whether a history is one that a queue with fenced leases allows.

use std::collections::HashMap;

use super::event::{Event, What};

/// What a history shows.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Jobs that were acknowledged.
    pub enqueued: usize,
    /// How many times a job was taken.
    pub taken: usize,
    /// Of those, second and later attempts.
    pub taken_again: usize,
    /// Acks that were accepted.
    pub acked: usize,
    /// Acks that were refused.
    pub refused: usize,
    /// Acknowledged jobs on which no work was done to its end.
    pub lost: Vec<String>,
    /// Acknowledged jobs on which work was done, and of which no ack can have been accepted.
    pub vanished: Vec<String>,
    /// Acks that were accepted though the job had been given to somebody else.
    pub stale: Vec<String>,
    /// Jobs of which more than one ack was accepted.
    pub acked_twice: Vec<String>,
    /// Jobs that were given to somebody else although an ack was accepted.
    pub revived: Vec<String>,
    /// Jobs with two attempts of one number or one fence, or a later one with a lower number.
    pub miscounted: Vec<String>,
}

impl Findings {
    /// Returns whether there is nothing that a queue must not do.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let Self {
            lost,
            vanished,
            stale,
            acked_twice,
            revived,
            miscounted,
            ..
        } = self;
        let wrong = [lost, vanished, stale, acked_twice, revived, miscounted];
        wrong.iter().all(|wrong| wrong.is_empty())
    }
}

/// Judges a history that goes on until the queue was empty.
#[must_use]
pub fn judge(history: &[Event]) -> Findings {
    let mut jobs: HashMap<&str, Vec<&Event>> = HashMap::new();
    for event in history {
        jobs.entry(&event.job).or_default().push(event);
    }
    let mut found = Findings::default();
    for (job, mut events) in jobs {
        events.sort_unstable_by_key(|event| event.began);
        count(&events, &mut found);
        let is = |is: fn(&What) -> bool| events.iter().any(|event| is(&event.what));
        let is_enqueued = is(|what| matches!(what, What::Enqueued));
        if is_enqueued && !is(|what| matches!(what, What::Worked(_))) {
            found.lost.push(job.to_owned());
        } else if is_enqueued && !may_be_acked(&events) {
            found.vanished.push(job.to_owned());
        }
        let acks = events.iter().filter_map(|event| match event.what {
            What::Acked(fence) => Some((fence, event)),
            _ => None,
        });
        let acks: Vec<_> = acks.collect();
        if acks.len() > 1 {
            found
                .acked_twice
                .push(format!("{job}: {} times", acks.len()));
        }
        for (fence, ack) in acks {
            let later = takes(&events).filter(|(_, later, _)| *later > fence);
            let (before, beside): (Vec<_>, Vec<_>) =
                later.partition(|(_, _, take)| take.ended < ack.began);
            let last =
                |takes: &[(u32, u64, &Event)]| takes.iter().map(|(_, later, _)| *later).max();
            if let Some(later) = last(&before) {
                let text = format!("{job}: the ack of {fence} after {later} was given");
                found.stale.push(text);
            }
            // Before the ack it made the ack stale, and after it there was nothing left to give.
            if let Some(later) = last(&beside) {
                let text = format!("{job}: {later} was given beside or after the ack of {fence}");
                found.revived.push(text);
            }
        }
        let mut attempts: Vec<_> = takes(&events).map(|(n, fence, _)| (fence, n)).collect();
        attempts.sort_unstable();
        let is_wrong = |two: &[(u64, u32)]| two[0].0 == two[1].0 || two[0].1 >= two[1].1;
        if attempts.windows(2).any(is_wrong) {
            found.miscounted.push(format!("{job}: {attempts:?}"));
        }
    }
    found
}

/// Whether an ack was accepted, or one was sent whose answer nobody heard: lost, or its sender was killed.
fn may_be_acked(events: &[&Event]) -> bool {
    let (mut sent, mut refused) = (0, 0);
    for event in events {
        match event.what {
            What::Acked(_) => return true,
            What::Sent(_) => sent += 1,
            What::Refused(_) => refused += 1,
            _ => {}
        }
    }
    sent > refused
}

/// The attempts of a job, with their fences.
fn takes<'a>(events: &'a [&Event]) -> impl Iterator<Item = (u32, u64, &'a Event)> {
    events.iter().filter_map(|event| match event.what {
        What::Taken { attempt, fence } => Some((attempt, fence, *event)),
        _ => None,
    })
}

fn count(events: &[&Event], found: &mut Findings) {
    for event in events {
        match event.what {
            What::Enqueued => found.enqueued += 1,
            What::Taken { attempt, .. } => {
                found.taken += 1;
                found.taken_again += usize::from(attempt > 1);
            }
            What::Acked(_) => found.acked += 1,
            What::Refused(_) => found.refused += 1,
            What::Worked(_) | What::Sent(_) | What::Lost(_) => {}
        }
    }
}
