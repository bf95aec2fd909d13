use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::health::{Health, State};
use super::remains::Remains;

/// The most that a connection is waited for when it is asked for an answer.
const LONGEST_PROBE: Duration = Duration::from_secs(1);

/// One multiplexed connection, shared by all who use it, and how it fares.
pub(crate) struct Line {
    connection: MultiplexedConnection,
    health: Arc<Health>,
    driver: Driver,
    remains: Option<Remains>,
}

impl Line {
    /// A line of ours: `driver` reads and writes its socket.
    pub(crate) fn new(
        connection: MultiplexedConnection,
        health: Arc<Health>,
        driver: JoinHandle<()>,
    ) -> Self {
        Self {
            connection,
            health,
            driver: Driver(Mutex::new(Some(driver))),
            remains: None,
        }
    }

    /// A line on a connection that somebody else drives.
    pub(crate) fn lent(connection: MultiplexedConnection, health: Arc<Health>) -> Self {
        Self {
            connection,
            health,
            driver: Driver(Mutex::new(None)),
            remains: None,
        }
    }

    pub(crate) fn with_remains(mut self, remains: Option<Remains>) -> Self {
        self.remains = remains;
        self
    }

    pub(crate) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    pub(crate) fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// Asks a suspect line for an answer, and finds it hung where none comes.
    ///
    /// The server answers in order, so a connection that works has answered all that was sent
    /// before as well. Any answer in the meantime is as good: the line is slow, and not hung.
    pub(crate) async fn probe(&self, deadline: Duration) {
        let before = self.health.recoveries();
        let (ping, mut connection) = (::redis::cmd("PING"), self.connection());
        let answer = connection.send_packed_command(&ping);
        match timeout(deadline.min(LONGEST_PROBE), answer).await {
            Ok(Ok(_)) => self.health.answered(),
            Ok(Err(_)) => self.health.dropped(),
            Err(_) if self.health.recoveries() == before => self.health.hung(),
            Err(_) => {}
        }
    }

    /// Closes the socket. Those who still wait for an answer are told that it was dropped.
    pub(crate) async fn close(&self) {
        let driver = self.driver.0.lock().take();
        if let Some(driver) = driver {
            driver.abort();
            // An error here says that it was aborted, which it was to be.
            let _ = driver.await;
        }
    }

    /// Makes the server forget what it has not read of `broken`, which this line takes the place of.
    ///
    /// Returns whether that is settled. Until it is, a write that is held there may still run, and
    /// no line may serve: this one is given up.
    pub(crate) async fn succeed(&self, broken: &Self, deadline: Duration) -> bool {
        let is_hung = broken.health.state() == State::Hung;
        let remains = broken.remains.as_ref();
        let Some(remains) = remains.filter(|it| is_hung || it.outlives_a_restart()) else {
            return true;
        };
        match timeout(deadline, remains.remove(&self.connection)).await {
            Ok(true) => return true,
            Ok(false) => self.health.dropped(),
            Err(_) => self.health.hung(),
        }
        false
    }
}

/// The task of a connection, which ends with its line.
struct Driver(Mutex<Option<JoinHandle<()>>>);

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(driver) = self.0.get_mut() {
            driver.abort();
        }
    }
}
