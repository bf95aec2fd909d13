//! Which server is the master, by what its sentinels say.
//!
//! Each sentinel has a watcher: a connection on which it is asked every second, and at once when it
//! announces `+switch-master`. The newest configuration that was ever heard counts, by its epoch: one
//! sentinel that was cut off and knows of no failover is outvoted by any that did, also after that
//! one is gone. What the sentinels say is checked with the server (`ROLE`) before it is used.
//!
//! Between the moment that a replica takes writes and the moment that the sentinels say so there may
//! be two seconds. So one that they announce to have selected is tried from then on.

mod reply;
mod state;
mod watcher;

use std::sync::Arc;
use std::time::Duration;

use ::redis::{ConnectionAddr, Value, cmd};
use tokio::task::AbortHandle;
use tokio::time::sleep;

use crate::connection::{Address, ConnectError, Connection, HostPort};
use state::SentinelState;

/// How long a server that is to be the master, and is not yet, is left alone.
const PAUSE: Duration = Duration::from_millis(150);

/// The sentinels of one master.
pub(crate) struct Sentinels {
    state: Arc<SentinelState>,
    /// The master, but for its host and port.
    master: Address,
    watchers: Vec<AbortHandle>,
}

impl Sentinels {
    /// Begins to ask `sentinels` where the master called `name` is.
    pub(crate) fn watch(
        name: String,
        sentinels: Vec<Address>,
        master: Address,
        deadline: Duration,
    ) -> Self {
        let state = Arc::new(SentinelState::new(name, sentinels.len()));
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
            watchers,
        }
    }

    /// A connection to the master, by way of `dial`, which is begun anew when the master changes.
    pub(crate) async fn connect<D, F>(&self, dial: D) -> Result<Connection, ConnectError>
    where
        D: Fn(Address) -> F,
        F: Future<Output = Result<Connection, ConnectError>>,
    {
        let mut elected = self.state.follow();
        loop {
            let host_port = elected.borrow_and_update().clone();
            let Some(HostPort { host, port }) = host_port else {
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
                Err(ConnectError::NoMaster) => sleep(PAUSE).await,
                Err(error) => return Err(error),
                Ok(connection) => {
                    self.state.close_on_failover(connection.health());
                    // One that was elected in between has not ended this connection.
                    if !elected.has_changed().unwrap_or(false) {
                        return Ok(connection);
                    }
                }
            }
        }
    }

    /// The master, but for its host and port.
    pub(crate) fn address(&self) -> &Address {
        &self.master
    }

    /// Why there is no master, as far as the sentinels say.
    pub(crate) fn no_master(&self) -> ConnectError {
        self.state.no_master()
    }

    /// Whether a sentinel has said where the master is.
    pub(crate) fn has_master(&self) -> bool {
        self.state.follow().borrow().is_some()
    }
}

impl Drop for Sentinels {
    fn drop(&mut self) {
        for watcher in &self.watchers {
            watcher.abort();
        }
    }
}

/// Refuses a server that is no master: the sentinels may be ahead of it, or behind.
async fn check_role(connection: &Connection) -> Result<(), ConnectError> {
    let mut multiplexed = connection.multiplexed();
    let role = cmd("ROLE");
    let answer = multiplexed.send_packed_command(&role).await;
    match answer.map_err(ConnectError::Redis)? {
        Value::Array(fields) if fields.first() != Some(&Value::BulkString(b"master".to_vec())) => {
            Err(ConnectError::NoMaster)
        }
        // A user who may not ask is told by READONLY.
        _ => Ok(()),
    }
}
