//! Finds the master through its sentinels.
//!
//! Each sentinel has a watcher: a connection on which it is asked every second, and at once when it
//! announces `+switch-master`. The newest configuration that was ever reported counts, by its epoch:
//! a sentinel that was cut off during a failover is outvoted by one that saw it, even after that one
//! is gone. The server must confirm by `ROLE` that it is the master before it is used.
//!
//! The sentinels may report a failover two seconds after the new master takes writes. So a replica
//! that they announce as selected is tried from then on.

mod reply;
mod state;
mod watcher;

use std::sync::Arc;
use std::time::Duration;

use ::redis::{ConnectionAddr, Value, cmd};
use parking_lot::Mutex;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use crate::connection::{Address, ConnectError, Connection, HostPort};
use state::SentinelState;

/// The pause before a future master is tried again.
const PAUSE: Duration = Duration::from_millis(150);

/// The sentinels of one master.
pub(crate) struct Sentinels {
    state: Arc<SentinelState>,
    /// The master, but for its host and port.
    master: Address,
    addresses: Vec<Address>,
    watchers: Vec<AbortHandle>,
    /// The server that last said, when it was dialed, that it is not a master.
    not_master: Mutex<Option<HostPort>>,
}

impl Sentinels {
    /// Starts watching `sentinels` for the master called `name`.
    pub(crate) fn watch(
        name: String,
        sentinels: Vec<Address>,
        master: Address,
        deadline: Duration,
    ) -> Self {
        let state = Arc::new(SentinelState::new(name, sentinels.len()));
        let addresses = sentinels.clone();
        let watchers = sentinels
            .into_iter()
            .enumerate()
            .map(|(at, sentinel)| {
                let watching = watcher::watch(state.clone(), at, sentinel, deadline);
                tokio::spawn(watching).abort_handle()
            })
            .collect();
        Self {
            state,
            master,
            addresses,
            watchers,
            not_master: Mutex::default(),
        }
    }

    /// Connects to the master by `dial`, and dials again when the master changes.
    pub(crate) async fn connect<D, F>(&self, dial: D) -> Result<Connection, ConnectError>
    where
        D: Fn(Address) -> F,
        F: Future<Output = Result<Connection, ConnectError>>,
    {
        let mut elected = self.state.follow();
        *self.not_master.lock() = None;
        loop {
            let named = elected.borrow_and_update().clone();
            let Some(HostPort { host, port }) = named.clone() else {
                if elected.changed().await.is_err() {
                    return Err(self.no_master());
                }
                continue;
            };
            let mut address = self.master.clone();
            address.info = address.info.set_addr(ConnectionAddr::Tcp(host, port));
            let dialed = async {
                let connection = dial(address).await?;
                check_role(&connection).await?;
                Ok(connection)
            };
            let connection = tokio::select! {
                biased;
                connection = dialed => connection,
                _ = elected.changed() => continue,
            };
            match connection {
                // A failover is under way.
                Err(ConnectError::NoMaster) => {
                    *self.not_master.lock() = named;
                    sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
                Ok(connection) => {
                    self.state.close_on_failover(connection.health());
                    // If another master was elected in between, that has not ended this connection.
                    if !elected.has_changed().unwrap_or(false) {
                        return Ok(connection);
                    }
                }
            }
        }
    }

    /// Returns the settings of the master, without host and port.
    pub(crate) fn address(&self) -> &Address {
        &self.master
    }

    /// Returns the name of the master.
    pub(crate) fn name(&self) -> &str {
        &self.state.name
    }

    /// Returns the addresses of the sentinels, with their login.
    pub(crate) fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Returns the server that the sentinels name as the master.
    pub(crate) fn master(&self) -> Option<HostPort> {
        self.state.follow().borrow().clone()
    }

    /// Returns why there was no connection in time.
    pub(crate) fn too_late(&self) -> ConnectError {
        match self.master() {
            None => self.no_master(),
            master if master == *self.not_master.lock() => ConnectError::NoMaster,
            _ => ConnectError::TimedOut,
        }
    }

    /// Returns the reason why no master is known.
    fn no_master(&self) -> ConnectError {
        self.state.no_master()
    }
}

impl Drop for Sentinels {
    fn drop(&mut self) {
        for watcher in &self.watchers {
            watcher.abort();
        }
    }
}

/// Refuses a server that is not a master, since sentinels may be outdated.
async fn check_role(connection: &Connection) -> Result<(), ConnectError> {
    let mut multiplexed = connection.multiplexed();
    let role = cmd("ROLE");
    let answer = multiplexed.send_packed_command(&role).await;
    match answer.map_err(ConnectError::Redis)? {
        Value::Array(fields) if fields.first() != Some(&Value::BulkString(b"master".to_vec())) => {
            Err(ConnectError::NoMaster)
        }
        // If the user may not run ROLE, a READONLY error will show it.
        _ => Ok(()),
    }
}
