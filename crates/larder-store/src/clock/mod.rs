//! The time of in-process stores and caches.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod coarse;
mod manual;
mod system;
mod timestamp;

use std::sync::Arc;
use std::task::Waker;

pub use manual::ManualClock;
pub use system::SystemClock;
pub use timestamp::Timestamp;

/// Tells an in-process store the time.
///
/// It never goes back, not even from one thread to another.
///
/// # Implementing
/// A store reads it under its own locks: a clock must not wait, and must not use the store.
pub trait Clock: Send + Sync + 'static {
    /// Returns the time now.
    fn now(&self) -> Timestamp;

    /// Returns whether `deadline` is still ahead.
    ///
    /// Override it if the clock can answer this at a lower cost than [`now`](Self::now).
    fn is_before(&self, deadline: Timestamp) -> bool {
        self.now() < deadline
    }

    /// Returns a lower and an upper bound of the current time, at most about a tenth of a second apart.
    ///
    /// Use them where only the second matters, and call [`now`](Self::now) if the two are in
    /// different seconds. Override it if the clock knows the bounds at a lower cost than `now`.
    fn now_between(&self) -> (Timestamp, Timestamp) {
        let now = self.now();
        (now, now)
    }

    /// Wakes `waker` when a manual clock next moves. Returns whether the clock is manual.
    fn wake_when_moved(&self, waker: &Waker) -> bool {
        let _ = waker;
        false
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }

    fn is_before(&self, deadline: Timestamp) -> bool {
        (**self).is_before(deadline)
    }

    fn now_between(&self) -> (Timestamp, Timestamp) {
        (**self).now_between()
    }

    fn wake_when_moved(&self, waker: &Waker) -> bool {
        (**self).wake_when_moved(waker)
    }
}
