use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use larder_store::{Error, ErrorKind, Key, Programs, Record, Result, Store, StoreExt};

use crate::program::{InspectTat, Refund, Tat};
use crate::{Decision, RateLimiter};

/// What a layer does with a request while the store does not answer in time, or answers with an
/// error. A server that is [full](larder_store::Refusal::Full) is one of these errors; a store in this
/// process that has no room for one more visitor still [limits](RateLimiter::SHARED_QUOTAS) it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum OnFailure {
    /// It passes, uncounted. The default: a limit that spares an app its load should not take the
    /// app down with the store.
    #[default]
    Open,
    /// It is refused with 503. For limits that guard something, such as guesses at a password.
    Closed,
    /// It is charged in this process alone, so that a visitor may use its quota once in each
    /// process. Where that fails too, it is refused with 503.
    Local(LocalStore),
}

impl OnFailure {
    /// [`Local`](Self::Local), with the visitors' state in `store`.
    ///
    /// # Errors
    /// As [`LocalStore::new`] gives them.
    pub fn local(store: Arc<dyn Store>) -> Result<Self> {
        LocalStore::new(store).map(Self::Local)
    }
}

/// A store in this process, for a layer to use while its own fails.
#[derive(Clone)]
pub struct LocalStore(Arc<dyn Programs>);

impl LocalStore {
    /// A fallback to `store`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] where the store runs no programs, or does not answer without
    /// waiting: a server is no local store.
    pub fn new(store: Arc<dyn Store>) -> Result<Self> {
        let programs = store.require_programs("a local rate limit")?;
        // A step that changes nothing shows whether the store answers at once.
        let key = Key::new(Tat::KIND, "probe");
        match programs.run_now(&key, &InspectTat) {
            Poll::Ready(_) => Ok(Self(programs)),
            Poll::Pending => Err(waits()),
        }
    }

    pub(crate) fn refund(&self, key: &Key, refund: &Refund) -> Poll<Result<Decision>> {
        self.0.run_now(key, refund)
    }

    pub(crate) fn check(&self, limiter: &RateLimiter, key: &Key) -> Result<Decision> {
        match limiter.check_in(&*self.0, key) {
            Poll::Ready(answer) => answer,
            Poll::Pending => Err(waits()),
        }
    }
}

fn waits() -> Error {
    Error::new(
        "build a rate limit",
        ErrorKind::Invalid,
        "a local store answers without waiting: use memory://",
    )
}

impl fmt::Debug for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalStore")
    }
}
