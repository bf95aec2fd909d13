use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use larder_store::Error;

/// Logs once when a store starts to fail, and once when it recovers.
///
/// Clones share what was logged. Reporting a success costs one relaxed load.
#[derive(Clone)]
pub struct StoreHealth {
    user: Arc<str>,
    is_failing: Arc<AtomicBool>,
}

impl StoreHealth {
    /// Makes a log for the store that `user` uses, such as `sessions` or `rate limit 'pages'`.
    pub fn new(user: impl Into<Arc<str>>) -> Self {
        Self {
            user: user.into(),
            is_failing: Arc::default(),
        }
    }

    /// Reports that the store answered.
    pub fn succeeded(&self) {
        if self.is_failing.load(Ordering::Relaxed) && self.is_failing.swap(false, Ordering::Relaxed)
        {
            tracing::info!(user = &*self.user, "the store works again");
        }
    }

    /// Reports that the store failed.
    pub fn failed(&self, error: &Error) {
        if !self.is_failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(user = &*self.user, %error, "the store fails");
        }
    }
}

impl fmt::Debug for StoreHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreHealth")
            .field("user", &self.user)
            .field("is_failing", &self.is_failing)
            .finish()
    }
}
