//! Callers that prefer waiting to a refusal.

mod turns;

use std::time::Duration;

use larder_store::{Key, KeyId, Result};
use tokio::time::{Instant, sleep_until};

use crate::{Decision, Grant, Permit, RateLimiter};
pub(crate) use turns::Turns;
use turns::{Front, Queued, SLACK};

impl RateLimiter {
    /// The maximum number of waiting callers in one process, of all visitors: 10,000. Others do not wait: they
    /// pass or are refused at once.
    pub const MAX_WAITING: usize = 10_000;

    /// Charges `visitor` for one request, and waits at most `within` until it may pass.
    ///
    /// Use it in clients, and in jobs that call a limited service. A caller that would have to wait longer is
    /// refused at once. In one process, callers for a visitor pass in the order in which they came; between
    /// processes the first to try passes. So a caller whose time ends before its turn comes is refused and not
    /// charged, even if the quota has room for it: the caller ahead, which may cost more, needs that room. Its
    /// [`retry_after`](Decision::retry_after) then does not end before the caller ahead tries again.
    ///
    /// Nothing is charged while a caller waits, and however often it tries, it counts as at most one refusal
    /// towards a [ban](crate::Ban). It takes one round trip, or none in process, and one more after each wait.
    ///
    /// # Errors
    /// Those of [`check`](Self::check).
    ///
    /// # Panics
    /// Outside a tokio runtime with the time driver enabled, even if it would not have to wait.
    ///
    /// # Cancellation
    /// A caller that waits leaves the queue, and was not charged. One whose turn has come may have been charged.
    pub async fn until_ready(&self, visitor: impl KeyId, within: Duration) -> Result<Decision> {
        let key = self.key(visitor);
        let answer = self.check_within(&key, within).await;
        self.counted(answer, |decision| *decision)
    }

    async fn check_within(&self, key: &Key, within: Duration) -> Result<Decision> {
        let queued = Queued::join(&self.turns, key, within).await;
        if let Some(front) = queued.waits_behind() {
            return self.refuse_behind(key, front).await;
        }
        let mut decision = self.check_key(key).await?;
        if let Some(mut until) = queued.pause(&decision) {
            let again = self.looking_again();
            loop {
                sleep_until(until).await;
                decision = again.check_key(key).await?;
                match queued.pause(&decision) {
                    None => break,
                    Some(later) => until = later,
                }
            }
        }
        Ok(decision)
    }

    /// Acquires a permit as [`acquire`](Self::acquire) does, and waits for it at most `within`.
    ///
    /// It checks 20 times a second for a slot that was released, and counts as at most one refusal towards a
    /// [ban](crate::Ban).
    ///
    /// # Errors
    /// Those of [`acquire`](Self::acquire).
    ///
    /// # Panics
    /// As [`until_ready`](Self::until_ready) does.
    ///
    /// # Cancellation
    /// As for [`acquire`](Self::acquire).
    pub async fn acquire_within(
        &self,
        visitor: impl KeyId,
        within: Duration,
    ) -> Result<Grant<Permit>> {
        let key = self.key(visitor);
        let answer = self.acquire_key_within(&key, within).await;
        self.counted(answer, Grant::<Permit>::decision)
    }

    async fn acquire_key_within(&self, key: &Key, within: Duration) -> Result<Grant<Permit>> {
        let queued = Queued::join(&self.turns, key, within).await;
        if let Some(front) = queued.waits_behind() {
            return Ok(Grant::Refused(self.refuse_behind(key, front).await?));
        }
        let pause = |grant: &Grant<Permit>| queued.pause(&grant.refused()?);
        let mut grant = self.acquire_key(key, self.cost()).await?;
        if let Some(mut until) = pause(&grant) {
            let again = self.looking_again();
            loop {
                sleep_until(until).await;
                grant = again.acquire_key(key, self.cost()).await?;
                match pause(&grant) {
                    None => break,
                    Some(later) => until = later,
                }
            }
        }
        Ok(grant)
    }

    /// Returns the refusal of a caller that another one is in front of. It charges nothing.
    async fn refuse_behind(&self, key: &Key, front: Front) -> Result<Decision> {
        let decision = self.inspect_key(key).await?.decision();
        let wait = front.until.saturating_duration_since(Instant::now());
        Ok(decision.behind(front.reason, wait.max(SLACK)))
    }
}
