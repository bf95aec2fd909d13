//! The run of one job: from its lease to the queue's answer.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::Instrument;

use super::error::{JobError, JobErrorKind};
use super::report::Finished;
use super::run::{Link, Running};
use super::settle::Outcome;
use super::{JobContext, JobRequest};
use crate::metrics::JobMetrics;
use crate::{Delivery, Settled, Verdict};

/// The result of a handler.
enum Returned {
    Result(Result<(), JobError>),
    Panicked(String),
    /// It was dropped, because the worker is stopping.
    Dropped,
}

/// Runs a job that was requested at `started`, and passes on its outcome.
pub(super) async fn run(
    running: Arc<Running>,
    link: Arc<Link>,
    delivery: Delivery,
    started: Instant,
    place: OwnedSemaphorePermit,
    counted: TaskTrackerToken,
) {
    let time = delivery.lease_ends().since(delivery.taken_at());
    let renewed_until = started + running.settings.max_run;
    let receipt = delivery.receipt().clone();
    let lease = link.renewals.lease(receipt, started + time, renewed_until);
    let cancelled = running.cancel.clone();
    let context = JobContext::new(link.queue.clone(), delivery, Some(lease.clone()), cancelled);
    let metrics = link.metrics.of(running.known(context.name()));
    let span = span(&context);
    link.renewals.add(lease.clone());
    let begun = Instant::now();
    let returned = handle(&running, &context).instrument(span.clone()).await;
    metrics.ran(begun.elapsed());
    link.renewals.remove(&lease);
    let verdict = span.in_scope(|| decide(&running, &context, returned));
    let outcome = Outcome {
        receipt: lease.receipt.clone(),
        verdict,
        place,
        ended: Ended {
            running,
            metrics,
            context,
            span,
            _counted: counted,
        },
    };
    // If there is no receiver, the worker is gone.
    let _ = link.outcomes.send(outcome).await;
}

/// A job whose handler has returned, until the queue has its outcome.
///
/// The task that sends outcomes finishes it: waking its own task for that would cost more than the job.
pub(super) struct Ended {
    running: Arc<Running>,
    metrics: Arc<JobMetrics>,
    context: JobContext,
    span: tracing::Span,
    /// Keeps the worker from ending before it.
    _counted: TaskTrackerToken,
}

impl Ended {
    /// Returns the most likely answer to an earlier request, whose reply was lost, from the answer to the same
    /// request again.
    ///
    /// What ended the lease was most likely the earlier request: the job is with nobody since, or with the next
    /// worker. Only an acknowledgement is told apart, as long as the queue remembers that the job is done.
    pub(super) fn first_answer(&self, verdict: &Verdict, again: Settled) -> Settled {
        match (verdict, again) {
            (Verdict::Nack { .. }, Settled::LeaseLost) if self.context.is_last_attempt() => {
                Settled::Dead
            }
            (Verdict::Reject { .. }, Settled::LeaseLost) => Settled::Dead,
            (Verdict::Nack { .. } | Verdict::Release { .. }, Settled::LeaseLost) => {
                Settled::Accepted
            }
            (Verdict::Ack, Settled::LeaseLost) if !self.context.remembers_done() => {
                Settled::AlreadyDone
            }
            (_, again) => again,
        }
    }

    /// Counts the outcome of the job. `answer` is None if the queue could not be reached.
    pub(super) fn finish(self, verdict: &Verdict, answer: Option<Settled>) {
        let finished = finished(&self.running, verdict, answer);
        self.span
            .in_scope(|| note(&self.metrics, &self.context, finished));
        self.running.count(finished);
    }
}

async fn handle(running: &Running, context: &JobContext) -> Returned {
    let request = JobRequest::new(context.clone());
    // A layer or a handler may panic before it returns a future.
    let handler = async { running.service.run(request).await };
    let handler = AssertUnwindSafe(handler).catch_unwind();
    tokio::select! {
        biased;
        returned = handler => match returned {
            Ok(result) => Returned::Result(result),
            Err(panic) => Returned::Panicked(text_of(&*panic)),
        },
        () = running.hard.cancelled() => Returned::Dropped,
    }
}

/// Makes the span of a job, by the conventions of OpenTelemetry for messaging.
fn span(context: &JobContext) -> tracing::Span {
    let delivery = context.delivery();
    tracing::info_span!(
        "job",
        otel.name = %format_args!("process {}", context.queue()),
        otel.kind = "consumer",
        messaging.system = "larder",
        messaging.operation.name = "process",
        messaging.operation.r#type = "process",
        messaging.destination.name = context.queue(),
        messaging.message.id = %context.id(),
        job.name = context.name(),
        job.attempt = context.attempt(),
        job.late_ms = delivery.taken_at().since(delivery.due_at()).as_millis() as u64,
        traceparent = context.traceparent(),
    )
}

fn decide(running: &Running, context: &JobContext, returned: Returned) -> Verdict {
    let error = match returned {
        Returned::Result(Ok(())) => return Verdict::Ack,
        Returned::Dropped => return release(),
        Returned::Result(Err(error)) => error,
        Returned::Panicked(text) => JobError::retry(format!("the handler panicked: {text}")),
    };
    // A failure of a handler after it was told to stop is not counted against the job.
    if context.is_interrupted() && error.kind() == JobErrorKind::Retry {
        return release();
    }
    // This is code of the application. Without this, a panic in it would leave the lease to be renewed for
    // ever.
    let reason = catch_unwind(AssertUnwindSafe(|| error.to_string()));
    let reason = reason
        .unwrap_or_else(|_| "the handler failed, and its error could not be displayed".into());
    let delay = match error.kind() {
        JobErrorKind::Snooze(delay) => {
            return Verdict::Release {
                // With no delay at all, the job would run again and again.
                delay: delay.max(Duration::from_millis(1)),
            };
        }
        JobErrorKind::Dead => {
            tracing::error!(error = reason, "the job failed for good");
            return Verdict::Reject { reason };
        }
        JobErrorKind::RetryAfter(delay) => delay,
        JobErrorKind::Retry => {
            let backoff = running.settings.backoff;
            backoff.pause(context.attempt(), rand::random())
        }
    };
    tracing::warn!(
        error = reason,
        attempt = context.attempt(),
        "the job failed"
    );
    Verdict::Nack { delay, reason }
}

pub(super) fn release() -> Verdict {
    Verdict::Release {
        delay: Duration::ZERO,
    }
}

fn finished(running: &Running, verdict: &Verdict, answer: Option<Settled>) -> Finished {
    match (verdict, answer) {
        (_, None) => Finished::Abandoned,
        (_, Some(Settled::LeaseLost)) => Finished::LeaseLost,
        (Verdict::Reject { .. } | Verdict::Nack { .. }, Some(Settled::Dead)) => Finished::Dead,
        (Verdict::Reject { .. } | Verdict::Nack { .. }, Some(_)) => Finished::Failed,
        (Verdict::Release { .. }, Some(_)) if running.cancel.is_cancelled() => Finished::Released,
        (Verdict::Release { .. }, Some(_)) => Finished::Snoozed,
        (Verdict::Ack | Verdict::Extend { .. } | Verdict::Progress { .. }, Some(_)) => {
            Finished::Done
        }
    }
}

fn note(metrics: &JobMetrics, context: &JobContext, finished: Finished) {
    metrics.finished(finished);
    match finished {
        Finished::LeaseLost => {
            tracing::warn!("the job lost its lease: another worker has taken it, or will");
        }
        Finished::Dead if context.is_last_attempt() => {
            tracing::error!(
                attempt = context.attempt(),
                "the job failed too often and is now a dead letter"
            );
        }
        _ => {}
    }
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message").to_owned()
}
