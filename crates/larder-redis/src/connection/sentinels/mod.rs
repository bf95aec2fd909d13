//! Which server is the master, by what its sentinels say.
//!
//! Each sentinel has a watcher: a connection on which it is asked every second, and at once when it
//! announces `+switch-master`. The newest configuration that was ever heard counts, by its epoch: one
//! sentinel that was cut off and knows of no failover is outvoted by any that did, also after that
//! one is gone. What the sentinels say is checked with the server (`ROLE`) before it is used.
//!
//! Between the moment that a replica takes writes and the moment that the sentinels say so there may
//! be two seconds. So one that they announce to have selected is tried from then on.

mod council;
mod opinion;
mod watcher;

use std::sync::Arc;
use std::time::Duration;

use ::redis::{ConnectionAddr, Value, cmd};
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::fault::Fault;
use super::line::Line;
use super::place::Place;
use super::target::Address;
use council::Council;

/// How long a server that is to be the master, and is not yet, is left alone.
const PAUSE: Duration = Duration::from_millis(150);

/// The sentinels of one master.
pub(crate) struct Sentinels {
    council: Arc<Council>,
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
        let council = Arc::new(Council::new(name, sentinels.len()));
        let watchers = sentinels
            .into_iter()
            .enumerate()
            .map(|(at, sentinel)| {
                let watching = watcher::watch(council.clone(), at, sentinel, deadline);
                tokio::spawn(watching).abort_handle()
            })
            .collect();
        Self {
            council,
            master,
            watchers,
        }
    }

    /// A line to the master, by way of `dial`, which is begun anew when the master changes.
    pub(crate) async fn line<D, F>(&self, dial: D) -> Result<Line, Fault>
    where
        D: Fn(Address) -> F,
        F: Future<Output = Result<Line, Fault>>,
    {
        let mut elected = self.council.follow();
        loop {
            let place = elected.borrow_and_update().clone();
            let Some(Place { host, port }) = place else {
                if elected.changed().await.is_err() {
                    return Err(self.nobody());
                }
                continue;
            };
            let mut address = self.master.clone();
            address.info = address.info.set_addr(ConnectionAddr::Tcp(host, port));
            let dialed = async {
                let line = dial(address).await?;
                check_role(&line).await?;
                Ok(line)
            };
            let line = tokio::select! {
                biased;
                line = dialed => line,
                _ = elected.changed() => continue,
            };
            match line {
                // A failover is under way.
                Err(Fault::NoMaster) => sleep(PAUSE).await,
                Err(fault) => return Err(fault),
                Ok(line) => {
                    self.council.serve(line.health());
                    // One that was elected in between has not ended this line.
                    if !elected.has_changed().unwrap_or(false) {
                        return Ok(line);
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
    pub(crate) fn nobody(&self) -> Fault {
        self.council.nobody()
    }

    /// Whether a sentinel has said where the master is.
    pub(crate) fn know_a_master(&self) -> bool {
        self.council.follow().borrow().is_some()
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
async fn check_role(line: &Line) -> Result<(), Fault> {
    let mut connection = line.connection();
    let role = cmd("ROLE");
    let answer = connection.send_packed_command(&role).await;
    match answer.map_err(Fault::Redis)? {
        Value::Array(fields) if fields.first() != Some(&Value::BulkString(b"master".to_vec())) => {
            Err(Fault::NoMaster)
        }
        // A user who may not ask is told by READONLY.
        _ => Ok(()),
    }
}
