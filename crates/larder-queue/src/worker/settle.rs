//! Sends the outcomes of jobs to the queue: gathered, and again until the queue has them.

use std::future::Future;
use std::time::Duration;

use larder_store::{Error, ErrorKind, Result};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::Backoff;
use crate::{MAX_BATCH, Queue, Receipt, Settled, Verdict};

/// The pauses after a store that failed, here and for those who take jobs.
pub(super) const STORE_BACKOFF: Backoff =
    Backoff::exponential(Duration::from_millis(50), Duration::from_secs(5));

/// An outcome on its way to the queue.
pub(super) struct Outcome {
    pub(super) receipt: Receipt,
    pub(super) verdict: Verdict,
    /// Gets the answer. None if the queue could not be told.
    pub(super) answer: oneshot::Sender<Option<Settled>>,
}

struct Pending {
    outcome: Outcome,
    failures: u32,
    not_before: Instant,
}

/// Sends outcomes until there is nobody left to have one. After `last_call` each is tried once more.
pub(super) async fn settle(
    queue: Queue,
    mut outcomes: mpsc::Receiver<Outcome>,
    last_call: CancellationToken,
) {
    let mut pending: Vec<Pending> = Vec::new();
    let mut is_open = true;
    while is_open || !pending.is_empty() {
        let next = pending.iter().map(|it| it.not_before).min();
        let mut received = Vec::new();
        tokio::select! {
            biased;
            // What has come meanwhile goes along.
            count = outcomes.recv_many(&mut received, MAX_BATCH), if is_open => is_open = count > 0,
            () = sleep_or_never(next) => {}
            () = last_call.cancelled(), if next.is_some() => {}
        }
        let now = Instant::now();
        pending.extend(received.into_iter().map(|outcome| Pending {
            outcome,
            failures: 0,
            not_before: now,
        }));
        let is_last = last_call.is_cancelled();
        let due = pending.extract_if(.., |it| is_last || it.not_before <= now);
        let mut due: Vec<_> = due.collect();
        while !due.is_empty() {
            let batch = due.split_off(due.len().saturating_sub(MAX_BATCH));
            pending.extend(send(&queue, batch, &last_call).await);
        }
    }
}

/// Sends a batch, and returns what has to be sent again.
async fn send(queue: &Queue, batch: Vec<Pending>, last_call: &CancellationToken) -> Vec<Pending> {
    let verdicts: Vec<_> = batch
        .iter()
        .map(|it| (it.outcome.receipt.clone(), it.outcome.verdict.clone()))
        .collect();
    // Asked before, so that whoever is told to hurry tries once more.
    let is_last = last_call.is_cancelled();
    let error = match in_time(queue.settle_many(&verdicts)).await {
        Ok(answers) => {
            for (it, answer) in batch.into_iter().zip(answers) {
                // It is gone if the worker's future was dropped.
                let _ = it.outcome.answer.send(Some(answer));
            }
            return Vec::new();
        }
        Err(error) => error,
    };
    let (name, count) = (queue.name(), batch.len());
    if is_last || matches!(error.kind(), ErrorKind::Invalid | ErrorKind::TooLarge) {
        tracing::error!(
            queue = name,
            count,
            %error,
            "outcomes of jobs were not sent: the jobs are taken again when their leases end"
        );
        return Vec::new();
    }
    if batch.iter().any(|it| it.failures == 0) {
        tracing::warn!(queue = name, count, %error, "outcomes of jobs were not sent; trying again");
    }
    let again = batch.into_iter().map(|mut it| {
        it.failures += 1;
        let pause = STORE_BACKOFF.pause(it.failures, rand::random());
        it.not_before = Instant::now() + pause;
        it
    });
    again.collect()
}

/// The longest that a store may take. Most enforce less themselves.
const STORE_TIMEOUT: Duration = Duration::from_secs(10);

/// Bounds a call of a store that might hang.
pub(super) async fn in_time<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    let in_time = timeout(STORE_TIMEOUT, call).await;
    in_time.unwrap_or_else(|_| {
        let detail = "the store did not answer within 10 s";
        Err(Error::new("worker", ErrorKind::MayHaveRun, detail))
    })
}

async fn sleep_or_never(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// Waits after the store has failed so many times.
pub(crate) async fn pause_after(failures: u32) {
    sleep(STORE_BACKOFF.pause(failures, rand::random())).await;
}
