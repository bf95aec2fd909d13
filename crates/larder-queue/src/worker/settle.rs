//! Sends the outcomes of jobs to the queue: in batches, and again until the queue has them.

use std::sync::{Arc, Weak};

use larder_store::{Error, ErrorKind, Result};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::yield_now;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::job::Ended;
use super::pauses::{after_failures, sleep_or_never};
use super::run::{Link, Running};
use crate::{MAX_BATCH, Queue, Receipt, Settled, Verdict};

/// An outcome on its way to the queue.
pub(super) struct Outcome {
    pub(super) receipt: Receipt,
    pub(super) verdict: Verdict,
    /// The place of the job, until the queue has its outcome.
    pub(super) place: OwnedSemaphorePermit,
    /// The job that gets the answer.
    pub(super) ended: Ended,
}

struct Pending {
    outcome: Outcome,
    before: Before,
    not_before: Instant,
}

/// What became of the earlier attempts to send an outcome.
#[derive(Clone, Copy, Default)]
struct Before {
    failures: u32,
    /// Whether one of them may have been carried out.
    may_have_run: bool,
}

impl Before {
    fn and(self, error: &Error) -> Self {
        Self {
            failures: self.failures + 1,
            may_have_run: self.may_have_run || error.kind() == ErrorKind::MayHaveRun,
        }
    }
}

/// Sends the outcomes of one queue, and begins the jobs that are taken in place of those that ended.
pub(super) struct Settling {
    pub(super) running: Arc<Running>,
    /// The link has the sender of the channel that is received here.
    pub(super) link: Weak<Link>,
    pub(super) queue: Queue,
}

impl Settling {
    /// Sends outcomes until no task can have one. When handlers are dropped, each outcome is tried once
    /// more.
    pub(super) async fn run(self, outcomes: mpsc::Receiver<Outcome>) {
        let last_call = self.running.hard.clone();
        settle(&self, outcomes, &last_call).await;
    }

    /// Sends outcomes once, and takes as many jobs if requested.
    async fn exchange(
        &self,
        verdicts: &[(Receipt, Verdict)],
        places: &mut Vec<OwnedSemaphorePermit>,
        may_take: bool,
    ) -> Result<Vec<Settled>> {
        let link = self.link.upgrade();
        let link = link.filter(|link| may_take && self.running.may_exchange(link));
        let Some(link) = link else {
            return self.queue.in_time(self.queue.settle_many(verdicts)).await;
        };
        let started = Instant::now();
        let exchanged = self.queue.settle_and_dequeue(verdicts, verdicts.len());
        let (settled, taken) = self.queue.in_time(exchanged).await?;
        if !taken.is_empty() {
            // Begun before the ended jobs are reported: until then the worker cannot end.
            let places = std::mem::take(places);
            self.running.begin(&link, taken, places, started).await;
        }
        Ok(settled)
    }
}

async fn settle(
    settling: &Settling,
    mut outcomes: mpsc::Receiver<Outcome>,
    last_call: &CancellationToken,
) {
    let mut pending: Vec<Pending> = Vec::new();
    let mut is_open = true;
    while is_open || !pending.is_empty() {
        let next = pending.iter().map(|it| it.not_before).min();
        let mut received = Vec::new();
        tokio::select! {
            biased;
            // Outcomes that have arrived in the meantime are sent too.
            count = outcomes.recv_many(&mut received, MAX_BATCH), if is_open => is_open = count > 0,
            () = sleep_or_never(next) => {}
            () = last_call.cancelled(), if next.is_some() => {}
        }
        // Jobs that end in the same turn of the runtime are included.
        let known = received.len() + pending.len();
        if !received.is_empty() && known < settling.running.jobs.len() {
            yield_now().await;
            while received.len() < MAX_BATCH
                && let Ok(outcome) = outcomes.try_recv()
            {
                received.push(outcome);
            }
        }
        let now = Instant::now();
        pending.extend(received.into_iter().map(|outcome| Pending {
            outcome,
            before: Before::default(),
            not_before: now,
        }));
        let is_last = last_call.is_cancelled();
        let due = pending.extract_if(.., |it| is_last || it.not_before <= now);
        let mut due: Vec<_> = due.collect();
        while !due.is_empty() {
            let batch = due.split_off(due.len().saturating_sub(MAX_BATCH));
            pending.extend(send(settling, batch, last_call).await);
        }
    }
}

/// Sends a batch, and returns the outcomes that must be sent again.
async fn send(
    settling: &Settling,
    batch: Vec<Pending>,
    last_call: &CancellationToken,
) -> Vec<Pending> {
    // The lost reply of an earlier attempt may have taken jobs, so no more are taken with this one.
    let is_first = batch.iter().all(|it| it.before.failures == 0);
    let (mut verdicts, mut places) = (Vec::new(), Vec::new());
    let (mut ended, mut before) = (Vec::new(), Vec::new());
    for it in batch {
        verdicts.push((it.outcome.receipt, it.outcome.verdict));
        places.push(it.outcome.place);
        ended.push(it.outcome.ended);
        before.push(it.before);
    }
    // Read before the call, so that an outcome gets one more attempt after the last call.
    let is_last = last_call.is_cancelled();
    let may_take = is_first && !is_last;
    let exchanged = settling.exchange(&verdicts, &mut places, may_take).await;
    let error = match exchanged {
        Ok(settled) => {
            let ended = ended.into_iter().zip(before).zip(&verdicts);
            for (((ended, before), (_, verdict)), settled) in ended.zip(settled) {
                let first = match before.may_have_run {
                    true => ended.first_answer(verdict, settled),
                    false => settled,
                };
                ended.finish(verdict, Some(first));
            }
            return Vec::new();
        }
        Err(error) => error,
    };
    let (name, count) = (settling.queue.name(), verdicts.len());
    if is_last || matches!(error.kind(), ErrorKind::Invalid | ErrorKind::TooLarge) {
        tracing::error!(
            queue = name,
            count,
            %error,
            "outcomes of jobs were not sent: the jobs are taken again when their leases end"
        );
        for (ended, (_, verdict)) in ended.into_iter().zip(&verdicts) {
            ended.finish(verdict, None);
        }
        return Vec::new();
    }
    if before.iter().any(|it| it.failures == 0) {
        tracing::warn!(queue = name, count, %error, "outcomes of jobs were not sent; trying again");
    }
    let again = verdicts.into_iter().zip(places).zip(ended).zip(before);
    let again = again.map(|((((receipt, verdict), place), ended), before)| {
        let before = before.and(&error);
        Pending {
            outcome: Outcome {
                receipt,
                verdict,
                place,
                ended,
            },
            before,
            not_before: Instant::now() + after_failures(before.failures),
        }
    });
    again.collect()
}
