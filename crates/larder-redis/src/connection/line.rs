use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use ::redis::aio::MultiplexedConnection;
use tokio::sync::Notify;

/// How many bad results in a row break a connection.
///
/// One may be a slow command; five without a single answer in between are a server that is gone.
const PATIENCE: u32 = 5;

/// One multiplexed connection, shared by all who use it, and how it fares.
pub(crate) struct Line {
    connection: MultiplexedConnection,
    health: Arc<Health>,
}

impl Line {
    pub(crate) fn new(connection: MultiplexedConnection, health: Arc<Health>) -> Self {
        Self { connection, health }
    }

    pub(crate) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    pub(crate) fn health(&self) -> &Health {
        &self.health
    }
}

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Good,
    /// It was closed or broke off: a new one may well work at once.
    Dropped,
    /// Nothing comes back on it: a new one may have to wait as well.
    Hung,
}

/// Counts the bad results of a connection, and wakes the supervisor when it has to be replaced.
///
/// It is apart from the connection, since the connection's own driver reports to it.
pub(crate) struct Health {
    state: AtomicU8,
    bad_in_a_row: AtomicU32,
    supervisor: Arc<Notify>,
}

impl Health {
    pub(crate) fn new(supervisor: Arc<Notify>) -> Self {
        Self {
            state: AtomicU8::new(State::Good as u8),
            bad_in_a_row: AtomicU32::new(0),
            supervisor,
        }
    }

    pub(crate) fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            state if state == State::Good as u8 => State::Good,
            state if state == State::Dropped as u8 => State::Dropped,
            _ => State::Hung,
        }
    }

    pub(crate) fn is_good(&self) -> bool {
        self.state() == State::Good
    }

    /// An answer came back, whatever it says.
    pub(crate) fn answered(&self) {
        if self.bad_in_a_row.load(Ordering::Relaxed) != 0 {
            self.bad_in_a_row.store(0, Ordering::Relaxed);
        }
    }

    /// No answer came back in time.
    pub(crate) fn unanswered(&self) {
        if self.bad_in_a_row.fetch_add(1, Ordering::Relaxed) + 1 >= PATIENCE {
            self.broke(State::Hung);
        }
    }

    /// The connection was closed, or what came back on it was not Redis.
    pub(crate) fn dropped(&self) {
        self.broke(State::Dropped);
    }

    fn broke(&self, state: State) {
        let (good, state) = (State::Good as u8, state as u8);
        let changed = self
            .state
            .compare_exchange(good, state, Ordering::AcqRel, Ordering::Acquire);
        if changed.is_ok() {
            self.supervisor.notify_one();
        }
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
            health.unanswered();
        }
        health.answered();
        for _ in 0..4 {
            health.unanswered();
            assert_eq!(health.state(), State::Good);
        }
        health.unanswered();
        assert_eq!(health.state(), State::Hung);
    }

    #[test]
    fn a_broken_connection_stays_as_it_broke() {
        let health = health();
        health.dropped();
        for _ in 0..10 {
            health.unanswered();
        }
        health.answered();
        assert_eq!(health.state(), State::Dropped);
    }
}
