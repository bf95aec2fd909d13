use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use larder_store::ErrorKind;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::running::{FIRST_RETRY, Finished, LAST_RETRY, Running, TRIES};
use super::{Failure, FailureKind};
use crate::log::Settled;
use crate::log::consumer::{after, reject};
use crate::log::settle::{Held, What};

impl<T: DeserializeOwned + Send + 'static> Running<T> {
    /// Settles the events that are finished by now.
    pub(super) async fn settle(&mut self, first: Finished) {
        let (mut done, mut next) = (Vec::new(), Some(first));
        while let Some(finished) = next {
            let (id, outcome) = match finished {
                Ok((id, outcome)) => (id, Some(outcome)),
                // Its event will be handed back.
                Err(error) if error.is_cancelled() => (error.id(), None),
                Err(error) => (error.id(), Some(Err("the handler panicked".into()))),
            };
            if let Some(held) = self.held.remove(&id) {
                match outcome {
                    Some(Ok(())) => done.push(held),
                    Some(Err(failure)) => self.fail(held, failure).await,
                    None => self.left += 1,
                }
            }
            next = self.tasks.try_join_next_with_id();
        }
        if !done.is_empty() {
            self.report.done += self.settle_all(What::Ack, done, "done").await;
        }
    }

    async fn fail(&mut self, held: Held, failure: Failure) {
        let (group, id, count) = (self.consumer.group.name(), held.id, held.count);
        // This is code of the application, and must not end the consumer.
        let error = catch_unwind(AssertUnwindSafe(|| failure.to_string())).ok();
        tracing::warn!(group, %id, count, error, "an event could not be handled");
        let pause = match failure.kind() {
            FailureKind::Retry => self.backoff(held.count),
            FailureKind::RetryAfter(pause) => pause,
            FailureKind::Dead => {
                let reason = reject(&error.unwrap_or_default());
                self.report.dead += self.settle_all(reason, vec![held], "dead").await;
                return;
            }
        };
        self.report.retried += self.settle_all(after(pause), vec![held], "retried").await;
    }

    /// Settles deliveries, and returns how many. It tries again until the reply arrives, as long as the leases
    /// last, or a few times if the store refuses.
    pub(super) async fn settle_all(
        &mut self,
        what: What,
        held: Vec<Held>,
        outcome: &'static str,
    ) -> u64 {
        let many = held.len() as u64;
        let lease = Duration::from(self.consumer.group.lease);
        let (mut pause, until) = (FIRST_RETRY, Instant::now() + lease);
        let mut may_have_run = false;
        for tries in 0.. {
            let settled = self.consumer.settle(what.clone(), held.clone());
            match self.calls.run("settle", settled).await {
                Ok(settled) => {
                    let is_done = |it: &&Settled| {
                        **it == Settled::Done || (may_have_run && what.had_run(**it))
                    };
                    let done = settled.iter().filter(is_done).count() as u64;
                    self.count(outcome, done);
                    self.count("stale", many - done);
                    self.report.stale += many - done;
                    return done;
                }
                Err(error) => {
                    may_have_run |= error.kind() == ErrorKind::MayHaveRun;
                    let group = self.consumer.group.name();
                    tracing::warn!(group, %error, "deliveries cannot be settled; trying again");
                    let is_refused = matches!(error.kind(), ErrorKind::Refused(_));
                    let is_in_time = !is_refused && Instant::now() + pause < until;
                    let goes_on = tries + 1 < TRIES || is_in_time;
                    if !goes_on || !self.calls.pause(pause).await {
                        break;
                    }
                    pause = (pause * 2).min(LAST_RETRY);
                }
            }
        }
        self.count("unknown", many);
        self.left += many;
        0
    }

    fn count(&self, outcome: &'static str, many: u64) {
        let (log, group) = (
            self.consumer.group.log.name.to_string(),
            self.consumer.group.name().to_owned(),
        );
        metrics::counter!("larder_log_deliveries_total", "log" => log, "group" => group, "outcome" => outcome)
            .increment(many);
    }

    /// Returns the pause before an event is delivered again: random, from half of a value that doubles
    /// each time to all of it.
    pub(super) fn backoff(&self, count: u32) -> Duration {
        let doubled = self
            .consumer
            .settings
            .backoff
            .saturating_mul(1 << count.saturating_sub(1).min(20));
        let most = Duration::from(self.consumer.group.lease);
        doubled.min(most).mul_f64(rand::random_range(0.5..=1.0))
    }
}
