use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering, fence};

use tokio::sync::Notify;

/// The number of consecutive unanswered waits that are too many.
///
/// One may be a slow command; five without a single answer in between mean that the server is gone,
/// or that callers give up too soon.
const PATIENCE: u32 = 5;

/// The state of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HealthState {
    Good,
    /// It was closed or broke off: a new one may work at once.
    Dropped,
    /// No answer comes on it: a new one may have to wait as well.
    Hung,
}

/// Counts the unanswered waits on a connection, and wakes its supervisor.
///
/// Waits that lasted for the whole deadline of the store break it. Those that callers ended do not,
/// because they may be due to the callers as much as to the connection: the supervisor then pings
/// it, with a deadline of its own.
///
/// It is separate from the connection, because the connection's own driver reports to it.
pub(crate) struct Health {
    state: AtomicU8,
    /// The waits of either kind since the last answer.
    silent: AtomicU32,
    /// The silent waits that lasted for the whole deadline.
    unanswered: AtomicU32,
    /// The number of silences that an answer ended.
    recoveries: AtomicU32,
    supervisor: Arc<Notify>,
}

impl Health {
    pub(crate) fn new(supervisor: Arc<Notify>) -> Self {
        Self {
            state: AtomicU8::new(HealthState::Good as u8),
            silent: AtomicU32::new(0),
            unanswered: AtomicU32::new(0),
            recoveries: AtomicU32::new(0),
            supervisor,
        }
    }

    pub(crate) fn state(&self) -> HealthState {
        match self.state.load(Ordering::Acquire) {
            state if state == HealthState::Good as u8 => HealthState::Good,
            state if state == HealthState::Dropped as u8 => HealthState::Dropped,
            _ => HealthState::Hung,
        }
    }

    pub(crate) fn is_good(&self) -> bool {
        self.state() == HealthState::Good
    }

    /// Returns whether the connection [is good](Self::is_good), for pending requests.
    ///
    /// They notice here that the driver ended without answering them.
    pub(crate) fn is_still_good(&self) -> bool {
        fence(Ordering::SeqCst);
        self.is_good()
    }

    /// Returns whether it is time to ping the connection.
    pub(crate) fn is_suspect(&self) -> bool {
        self.is_good() && self.silent.load(Ordering::Relaxed) >= PATIENCE
    }

    pub(crate) fn recoveries(&self) -> u32 {
        self.recoveries.load(Ordering::Relaxed)
    }

    /// Begins a wait for an answer. It counts as abandoned unless its end is reported.
    pub(crate) fn wait(&self) -> Wait<'_> {
        Wait(self)
    }

    /// Notes that an answer came, whatever it says.
    pub(crate) fn answered(&self) {
        if self.silent.load(Ordering::Relaxed) != 0 {
            self.unanswered.store(0, Ordering::Relaxed);
            self.silent.store(0, Ordering::Relaxed);
            self.recoveries.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes that the connection was closed, or that its answer was not Redis.
    pub(crate) fn dropped(&self) {
        self.broke(HealthState::Dropped);
    }

    /// Notes that no answer comes any more.
    pub(crate) fn hung(&self) {
        self.broke(HealthState::Hung);
    }

    fn unanswered(&self) {
        if self.unanswered.fetch_add(1, Ordering::Relaxed) + 1 >= PATIENCE {
            self.hung();
        }
        self.abandoned();
    }

    fn abandoned(&self) {
        if self.silent.fetch_add(1, Ordering::Relaxed) + 1 == PATIENCE {
            self.supervisor.notify_one();
        }
    }

    fn broke(&self, state: HealthState) {
        let (good, state) = (HealthState::Good as u8, state as u8);
        let changed = self
            .state
            .compare_exchange(good, state, Ordering::AcqRel, Ordering::Acquire);
        // The end of a driver and a pushed request are ordered: one of them sees the other.
        fence(Ordering::SeqCst);
        if changed.is_ok() {
            self.supervisor.notify_one();
        }
    }
}

/// One wait for an answer; dropped by a caller that waits no longer.
pub(crate) struct Wait<'a>(&'a Health);

impl Wait<'_> {
    /// Notes that an answer came, whatever it says.
    pub(crate) fn answered(self) {
        self.0.answered();
        std::mem::forget(self);
    }

    /// Notes that no answer came within the deadline of the store.
    pub(crate) fn unanswered(self) {
        self.0.unanswered();
        std::mem::forget(self);
    }

    /// Notes that the connection was closed, or that its answer was not Redis.
    pub(crate) fn dropped(self) {
        self.0.dropped();
        std::mem::forget(self);
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.0.abandoned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health() -> Health {
        Health::new(Arc::new(Notify::new()))
    }

    #[test]
    fn five_bad_results_in_a_row_break_a_connection_and_four_do_not() {
        let health = health();
        for _ in 0..4 {
            health.wait().unanswered();
        }
        health.wait().answered();
        for _ in 0..4 {
            health.wait().unanswered();
            assert_eq!(health.state(), HealthState::Good);
        }
        health.wait().unanswered();
        assert_eq!(health.state(), HealthState::Hung);
    }

    #[test]
    fn callers_that_leave_make_a_connection_suspect_and_never_break_it() {
        let health = health();
        for _ in 0..1000 {
            drop(health.wait());
        }
        assert!(health.is_suspect() && health.is_good());
        health.wait().answered();
        assert!(!health.is_suspect());
        assert_eq!(health.recoveries(), 1);
        for _ in 0..4 {
            drop(health.wait());
        }
        health.wait().unanswered();
        assert!(health.is_suspect() && health.is_good());
    }

    #[test]
    fn a_broken_connection_stays_as_it_broke() {
        let health = health();
        health.dropped();
        for _ in 0..10 {
            health.wait().unanswered();
        }
        health.answered();
        assert_eq!(health.state(), HealthState::Dropped);
    }
}
