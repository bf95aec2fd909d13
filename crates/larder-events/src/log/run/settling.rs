use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use larder_store::ErrorKind;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::calls::Calls;
use super::running::{FIRST_RETRY, Finished, LAST_RETRY, Running, TRIES};
use super::tally::Outcome;
use super::{EventError, EventErrorKind};
use crate::log::consumer::{after, reject};
use crate::log::settle::{Held, What};
use crate::log::{Group, Settled};
use crate::pause::drawn;

impl<T: DeserializeOwned + Send + 'static> Running<T> {
    /// Sends the outcomes of the handlers that have ended by now: acknowledgements together, and each failure by
    /// itself, at the same time.
    pub(super) fn settle(&mut self, first: Finished) {
        let (mut handled, mut next) = (Vec::new(), Some(first));
        while let Some(finished) = next {
            let (id, outcome) = match finished {
                Ok((id, outcome)) => (id, Some(outcome)),
                // Its event will be handed back.
                Err(error) if error.is_cancelled() => (error.id(), None),
                Err(error) => (error.id(), Some(Err("the handler panicked".into()))),
            };
            if let Some(held) = self.holding.remove(id) {
                match outcome {
                    Some(Ok(())) => handled.push(held),
                    Some(Err(failure)) => self.fail(held, &failure),
                    None => self.holding.tally.left += 1,
                }
            }
            next = self.tasks.try_join_next_with_id();
        }
        self.holding.acknowledge(handled);
    }

    fn fail(&mut self, held: Held, failure: &EventError) {
        let (group, id, count) = (self.consumer.group.name(), held.id, held.count);
        // This is code of the application, and must not end the consumer.
        let error = catch_unwind(AssertUnwindSafe(|| failure.to_string())).ok();
        tracing::warn!(group, %id, count, error, "an event could not be handled");
        let (what, outcome) = match failure.kind() {
            EventErrorKind::Retry => (after(self.backoff(held.count)), Outcome::Retried),
            EventErrorKind::RetryAfter(pause) => (after(pause), Outcome::Retried),
            EventErrorKind::Dead => (reject(&error.unwrap_or_default()), Outcome::Dead),
        };
        self.holding.settle(what, vec![held], outcome);
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
        drawn(doubled.min(most))
    }
}

/// Settles deliveries, and returns how many; None if the store never answered.
///
/// It tries again until the reply arrives, as long as the leases last, or a few times if the store refuses.
pub(super) async fn settle<T>(
    group: &Group<T>,
    calls: &Calls,
    what: &What,
    held: &[Held],
) -> Option<usize> {
    let (mut pause, until) = (FIRST_RETRY, Instant::now() + Duration::from(group.lease));
    let mut may_have_run = false;
    for tries in 1.. {
        let settled = group.settle(what.clone(), held.to_vec());
        let error = match calls.run("settle", settled).await {
            Ok(settled) => {
                let is_done =
                    |it: &&Settled| **it == Settled::Done || (may_have_run && what.had_run(**it));
                return Some(settled.iter().filter(is_done).count());
            }
            Err(error) => error,
        };
        may_have_run |= error.kind() == ErrorKind::MayHaveRun;
        tracing::warn!(group = group.name(), %error, "deliveries cannot be settled; trying again");
        let is_refused = matches!(error.kind(), ErrorKind::Refused(_));
        let is_in_time = !is_refused && Instant::now() + pause < until;
        let goes_on = tries < TRIES || is_in_time;
        if !goes_on || !calls.pause(pause).await {
            break;
        }
        pause = (pause * 2).min(LAST_RETRY);
    }
    None
}
