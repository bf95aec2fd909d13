use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::client_handle::ClientHandle;
use super::health::{Health, HealthState};

/// The maximum time to wait for the answer to a ping.
const LONGEST_PROBE: Duration = Duration::from_secs(1);

/// One shared multiplexed connection and its health.
pub(crate) struct Connection {
    multiplexed: MultiplexedConnection,
    health: Arc<Health>,
    driver: Driver,
    client_handle: Option<ClientHandle>,
}

impl Connection {
    /// Makes a connection of this store, whose socket `driver` reads and writes.
    pub(crate) fn new(
        multiplexed: MultiplexedConnection,
        health: Arc<Health>,
        driver: JoinHandle<()>,
    ) -> Self {
        Self {
            multiplexed,
            health,
            driver: Driver(Mutex::new(Some(driver))),
            client_handle: None,
        }
    }

    /// Wraps a connection that an application's pool drives.
    pub(crate) fn lent(multiplexed: MultiplexedConnection, health: Arc<Health>) -> Self {
        Self {
            multiplexed,
            health,
            driver: Driver(Mutex::new(None)),
            client_handle: None,
        }
    }

    pub(crate) fn with_client_handle(mut self, client_handle: Option<ClientHandle>) -> Self {
        self.client_handle = client_handle;
        self
    }

    pub(crate) fn multiplexed(&self) -> MultiplexedConnection {
        self.multiplexed.clone()
    }

    pub(crate) fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// Pings a suspect connection, and marks it hung if no answer comes.
    ///
    /// The server answers in order, so a working connection has then answered all earlier commands
    /// as well. Any other answer in the meantime is as good: the connection is slow, not hung.
    pub(crate) async fn probe(&self, deadline: Duration) {
        let before = self.health.recoveries();
        let (ping, mut multiplexed) = (::redis::cmd("PING"), self.multiplexed());
        let answer = multiplexed.send_packed_command(&ping);
        match timeout(deadline.min(LONGEST_PROBE), answer).await {
            Ok(Ok(_)) => self.health.answered(),
            Ok(Err(_)) => self.health.dropped(),
            Err(_) if self.health.recoveries() == before => self.health.hung(),
            Err(_) => {}
        }
    }

    /// Closes the socket. Pending operations see a dropped connection.
    pub(crate) async fn close(&self) {
        let driver = self.driver.0.lock().take();
        if let Some(driver) = driver {
            driver.abort();
            // The only error is that it was aborted, as intended.
            let _ = driver.await;
        }
    }

    /// Makes the server discard the unread commands of `broken`, which this connection replaces.
    ///
    /// Returns whether that succeeded. If not, a write that is buffered there may still run, and
    /// this connection is given up too.
    pub(crate) async fn take_over(&self, broken: &Self, deadline: Duration) -> bool {
        let is_hung = broken.health.state() == HealthState::Hung;
        let client_handle = broken.client_handle.as_ref();
        let Some(client_handle) = client_handle.filter(|it| is_hung || it.outlives_a_restart())
        else {
            return true;
        };
        match timeout(deadline, client_handle.remove(&self.multiplexed)).await {
            Ok(true) => return true,
            Ok(false) => self.health.dropped(),
            Err(_) => self.health.hung(),
        }
        false
    }
}

/// The task that drives a connection, and ends with it.
struct Driver(Mutex<Option<JoinHandle<()>>>);

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(driver) = self.0.get_mut() {
            driver.abort();
        }
    }
}
