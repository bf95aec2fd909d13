use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use larder_store::{Key, KeyId, Programs, Record, Result, Store, StoreExt};

use crate::program::{Peek, Refund, Tat};
use crate::quota::invalid;
use crate::shared::{SharedQuotas, is_full};
use crate::{Decision, Gcra, Quota};

/// Limits by GCRA, with the visitors' state in a store: the limit itself, without tower.
///
/// Every process that uses the same store and the same policy name shares the limit, exactly. Two
/// policies never meet, also for the same visitor. Clones are cheap and share everything.
///
/// A visitor costs one small record for as long as it takes its burst to come back. A store in this
/// process holds so many of each policy: `with_cap_of(Tat::KIND, ..)`, 100,000. While it is full, those
/// it has a record of are limited as before, and visitors who are new share
/// [some quotas](Self::SHARED_QUOTAS): more of them than there is room for never means no limit, and
/// never disturbs another policy.
#[derive(Clone)]
pub struct RateLimiter {
    programs: Arc<dyn Programs>,
    policy: Arc<str>,
    quota: Quota,
    gcra: Gcra,
    shared: SharedQuotas,
}

const MAX_POLICY: usize = 32;

impl RateLimiter {
    /// How many quotas visitors share for whom a store in this process has no room: 1,024.
    pub const SHARED_QUOTAS: u16 = SharedQuotas::NUMBER;

    /// A limiter that gives each visitor `quota` under the name `policy`, which is in its keys,
    /// headers and metrics: 1 to 32 of `a-z`, `0-9`, `-`, `_` and `.`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) where the name has another form,
    /// the quota is out of its [bounds](Gcra::new), or the store runs no programs.
    pub fn new(store: Arc<dyn Store>, policy: &str, quota: Quota) -> Result<Self> {
        if !is_policy(policy) {
            return Err(invalid(
                "the name of a policy is 1 to 32 of a-z, 0-9, '-', '_' and '.'",
            ));
        }
        Ok(Self {
            gcra: Gcra::new(quota, 1)?,
            programs: store.require_programs("a rate limit")?,
            policy: policy.into(),
            quota,
            shared: SharedQuotas::default(),
        })
    }

    /// The same limiter, with every request costing `cost` units. The default is 1.
    ///
    /// The limiters made so share the visitors: one for searches, say, that cost ten, beside one
    /// for pages that cost one.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) where the cost is more than the
    /// burst: such a request would never pass.
    pub fn with_cost(mut self, cost: u32) -> Result<Self> {
        self.gcra = Gcra::new(self.quota, cost)?;
        Ok(self)
    }

    /// Charges `visitor` for one request, unless it has used up its quota. One round trip, none in
    /// process.
    ///
    /// # Errors
    /// As the store gives them. After
    /// [`ErrorKind::MayHaveRun`](larder_store::ErrorKind::MayHaveRun) the visitor may have been
    /// charged, once.
    ///
    /// # Cancellation
    /// The visitor may or may not have been charged.
    pub async fn check(&self, visitor: impl KeyId) -> Result<Decision> {
        self.check_key(&self.key(visitor)).await
    }

    /// What [`check`](Self::check) would decide now, with nothing charged. One round trip, none in
    /// process. Of a visitor who would have to [share a quota](Decision::is_shared) it tells what one of
    /// its own would be.
    ///
    /// # Errors
    /// As the store gives them.
    pub async fn peek(&self, visitor: impl KeyId) -> Result<Decision> {
        self.programs
            .run(&self.key(visitor), &Peek(self.gcra))
            .await
    }

    /// Gives back what [`check`](Self::check) charged `visitor` by `decision`, and tells what the same
    /// request would be told now: for what counts only when it went wrong, such as a guess at a
    /// password, which is charged before it is looked at and given back when it was right. One round
    /// trip, none in process; none either where the decision charged nothing.
    ///
    /// What time has given back meanwhile is not given back again. To be called once for a decision,
    /// by the limiter that decided: a second call gives back what another request was charged.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use larder_rate_limit::{Decision, RateLimiter};
    /// # async fn matches(password: &str) -> bool { true }
    ///
    /// async fn guess(limiter: &RateLimiter, account: &str, password: &str) -> larder_store::Result<bool> {
    ///     let decision = limiter.check(account).await?;
    ///     let is_right = decision.is_allowed() && matches(password).await;
    ///     if is_right {
    ///         // A refund that is lost costs the account one attempt, until it comes back by itself.
    ///         let _ = limiter.refund(account, decision).await;
    ///     }
    ///     Ok(is_right)
    /// }
    /// ```
    ///
    /// # Errors
    /// As the store gives them. The visitor then stays charged, or after
    /// [`ErrorKind::MayHaveRun`](larder_store::ErrorKind::MayHaveRun) may not be; it is never sent
    /// twice.
    ///
    /// # Cancellation
    /// The visitor may or may not have been given it back.
    pub async fn refund(&self, visitor: impl KeyId, decision: Decision) -> Result<Decision> {
        match Refund::of(self.gcra, &decision) {
            Some(refund) => {
                let key = self.charged(self.key(visitor), &decision);
                self.programs.run(&key, &refund).await
            }
            None => Ok(decision),
        }
    }

    /// The key of the record that is kept for `visitor`.
    pub fn key(&self, visitor: impl KeyId) -> Key {
        Key::new(Tat::KIND, (&*self.policy, visitor))
    }

    /// The name of the policy.
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// What each visitor may use.
    pub fn quota(&self) -> Quota {
        self.quota
    }

    pub(crate) fn gcra(&self) -> &Gcra {
        &self.gcra
    }

    pub(crate) async fn check_key(&self, key: &Key) -> Result<Decision> {
        match self.check_now(key) {
            Poll::Ready(answer) => answer,
            Poll::Pending => self.programs.run(key, &self.gcra).await,
        }
    }

    /// The record that was charged by `decision` for the visitor with this key.
    pub(crate) fn charged(&self, key: Key, decision: &Decision) -> Key {
        match decision.is_shared {
            true => self.shared.key(&self.policy, &key),
            false => key,
        }
    }

    pub(crate) fn refund_now(&self, key: &Key, refund: &Refund) -> Poll<Result<Decision>> {
        self.programs.run_now(key, refund)
    }

    pub(crate) async fn refund_key(&self, key: &Key, refund: &Refund) -> Result<Decision> {
        self.programs.run(key, refund).await
    }

    pub(crate) fn check_now(&self, key: &Key) -> Poll<Result<Decision>> {
        self.check_in(&*self.programs, key)
    }

    /// Decides in a store that answers at once; pending, with nothing charged, in any other.
    pub(crate) fn check_in(&self, programs: &dyn Programs, key: &Key) -> Poll<Result<Decision>> {
        match programs.run_now(key, &self.gcra) {
            Poll::Ready(Err(error)) if is_full(&error) => {
                let shared = self.shared.key(&self.policy, key);
                match programs.run_now(&shared, &self.gcra) {
                    Poll::Ready(Ok(mut decision)) => {
                        decision.is_shared = true;
                        Poll::Ready(Ok(decision))
                    }
                    _ => Poll::Ready(Err(error)),
                }
            }
            answer => answer,
        }
    }
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter")
            .field("policy", &self.policy)
            .field("quota", &self.quota)
            .finish_non_exhaustive()
    }
}

fn is_policy(name: &str) -> bool {
    (1..=MAX_POLICY).contains(&name.len())
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'))
}
