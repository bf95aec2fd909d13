use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use larder_store::program::{Programs, Record};
use larder_store::{ErrorKind, Key, KeyId, Refusal, Result, Store, StoreExt};

use crate::decision::Account;
use crate::program::{Peek, Refund, Tat};
use crate::quota::invalid;
use crate::{Decision, Gcra, Quota};

/// Limits visitors by GCRA, with their state in a store. It needs no tower.
///
/// All processes that use one store and one policy name share the limit exactly. Policies are
/// independent of each other. Clones are cheap and share everything.
///
/// A visitor takes one small record until its burst has come back. A store in this process holds
/// 100,000 of them for each policy; `MokaStoreBuilder::with_max_keys_of(Tat::KIND, visitors)` sets
/// another number. While it is full, visitors with a record are limited as before, and new visitors
/// share [1,024 quotas](Self::SHARED_QUOTAS), so that nobody passes uncounted.
#[derive(Clone)]
pub struct RateLimiter {
    programs: Arc<dyn Programs>,
    policy: Arc<str>,
    quota: Quota,
    gcra: Gcra,
    shared: SharedQuotas,
}

const MAX_POLICY: usize = 32;

/// The time that a layer waits for the store by default.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_millis(250);

impl RateLimiter {
    /// The number of quotas that visitors share when a store in this process has no room: 1,024. In a
    /// store that has no room for so many, the remaining visitors share one more.
    pub const SHARED_QUOTAS: u16 = SharedQuotas::NUMBER;

    /// Gives each visitor `quota`, under the name `policy`.
    ///
    /// The name is in keys, headers and metrics. It is 1 to 32 of `a-z`, `0-9`, `-`, `_` and `.`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) if the name has another form, the
    /// quota is out of its [bounds](Quota), or the store runs no programs.
    pub fn new(store: Arc<dyn Store>, policy: &str, quota: Quota) -> Result<Self> {
        if !is_policy(policy) {
            return Err(invalid(
                "the name of a policy must be 1 to 32 of a-z, 0-9, '-', '_' and '.'",
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

    /// Charges `cost` units for each request. The default is 1.
    ///
    /// Both limiters charge the same visitors: a search may cost ten units, say, and a page one.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) if the cost is 0 or more than the
    /// burst: such a request would never pass.
    pub fn with_cost(mut self, cost: u32) -> Result<Self> {
        self.gcra = Gcra::new(self.quota, cost)?;
        Ok(self)
    }

    /// Charges `visitor` for one request, unless it has used up its quota.
    ///
    /// It takes one round trip, or none in process.
    ///
    /// # Errors
    /// Those of the store. After
    /// [`ErrorKind::MayHaveRun`](larder_store::ErrorKind::MayHaveRun) the visitor may have been
    /// charged, once.
    ///
    /// # Cancellation
    /// The visitor may or may not have been charged.
    pub async fn check(&self, visitor: impl KeyId) -> Result<Decision> {
        self.check_key(&self.key(visitor)).await
    }

    /// Returns what [`check`](Self::check) would decide now, and charges nothing.
    ///
    /// It takes one round trip, or none in process. For a visitor who would have to
    /// [share a quota](Decision::is_shared), it answers as for a quota of its own.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn peek(&self, visitor: impl KeyId) -> Result<Decision> {
        self.programs
            .run(&self.key(visitor), &Peek(self.gcra))
            .await
    }

    /// Gives back what [`check`](Self::check) charged `visitor` by `decision`.
    ///
    /// Use it to count failures alone: a guess at a password is charged before the password is
    /// compared, and given back if it was right. Returns what the same request would be told now. It
    /// takes one round trip, or none in process or if the decision charged nothing.
    ///
    /// What has come back by itself meanwhile is not given back again. Call it once for a decision, on
    /// the limiter that decided: a second call gives back the charge of another request.
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
    ///         // A lost refund costs the account one attempt, until that comes back by itself.
    ///         let _ = limiter.refund(account, decision).await;
    ///     }
    ///     Ok(is_right)
    /// }
    /// ```
    ///
    /// # Errors
    /// Those of the store. The visitor then stays charged; after
    /// [`ErrorKind::MayHaveRun`](larder_store::ErrorKind::MayHaveRun) the refund may have been made. It
    /// is never sent twice.
    ///
    /// # Cancellation
    /// The refund may or may not have been made.
    pub async fn refund(&self, visitor: impl KeyId, decision: Decision) -> Result<Decision> {
        match Refund::of(self.gcra, &decision) {
            Some(refund) => {
                let key = self.charged(self.key(visitor), &decision);
                self.programs.run(&key, &refund).await
            }
            None => Ok(decision),
        }
    }

    /// Returns the key of the record of `visitor`.
    pub fn key(&self, visitor: impl KeyId) -> Key {
        Key::new(Tat::KIND, (&*self.policy, visitor))
    }

    /// Returns the name of the policy.
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// Returns the quota of each visitor.
    pub fn quota(&self) -> Quota {
        self.quota
    }

    /// Returns the deadline that the store enforces itself, if it has one.
    pub(crate) fn store_deadline(&self) -> Option<Duration> {
        self.programs.timeout()
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

    /// Returns the key of the record that `decision` charged for the visitor with this key.
    pub(crate) fn charged(&self, key: Key, decision: &Decision) -> Key {
        self.shared.key(decision.account, &self.policy, key)
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

    /// Decides in a store that answers at once. Pending means that nothing was charged.
    pub(crate) fn check_in(&self, programs: &dyn Programs, key: &Key) -> Poll<Result<Decision>> {
        let full = match programs.run_now(key, &self.gcra) {
            Poll::Ready(Err(error)) if error.kind() == ErrorKind::Refused(Refusal::Full) => error,
            answer => return answer,
        };
        for account in [Account::Shared, Account::Last] {
            let shared = self.shared.key(account, &self.policy, key.clone());
            if let Poll::Ready(Ok(mut decision)) = programs.run_now(&shared, &self.gcra) {
                decision.account = account;
                return Poll::Ready(Ok(decision));
            }
        }
        Poll::Ready(Err(full))
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

/// Quotas for the visitors that a store in this process has no room for.
///
/// A random hash assigns them, so no client can choose whose quota it uses up.
#[derive(Clone, Default)]
struct SharedQuotas(RandomState);

impl SharedQuotas {
    /// Many, so that a flood uses up few of the quotas of other visitors.
    const NUMBER: u16 = 1_024;

    /// Returns the key of the quota that decides for the visitor with `key`.
    ///
    /// A shared one is in a partition whose name no policy can have, so it has room when the visitor's
    /// own has none; the last one is in a partition of its own.
    fn key(&self, account: Account, policy: &str, key: Key) -> Key {
        match account {
            Account::Own => key,
            Account::Shared => {
                // A remainder of a u16.
                let number = (self.0.hash_one(&key) % u64::from(Self::NUMBER)) as u16;
                Key::new(Tat::KIND, (format!("~{policy}"), number))
            }
            Account::Last => Key::new(Tat::KIND, (format!("~~{policy}"), "last")),
        }
    }
}
