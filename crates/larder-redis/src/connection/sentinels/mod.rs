//! Which server is the master, by what its sentinels say.
//!
//! Each sentinel has a watcher: a connection on which it is asked every second, and at once when it
//! announces `+switch-master`. The newest configuration counts, by its epoch: one sentinel that was
//! cut off and knows of no failover is outvoted by any that does. What the sentinels say is checked
//! with the server (`ROLE`) before it is used.

mod opinion;
mod watcher;

use std::sync::{Arc, Weak};
use std::time::Duration;

use ::redis::{ConnectionAddr, Value, cmd};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::fault::Fault;
use super::health::Health;
use super::line::Line;
use super::target::Address;
use opinion::Opinion;

/// How long a server that is to be the master, and is not yet, is left alone.
const PAUSE: Duration = Duration::from_millis(150);

/// The sentinels of one master.
pub(crate) struct Sentinels {
    council: Arc<Council>,
    watchers: Vec<AbortHandle>,
}

/// What the sentinels said last, and what follows from it.
struct Council {
    name: String,
    /// The master, but for its host and port.
    master: Address,
    opinions: Mutex<Vec<Opinion>>,
    /// Where the master is, once one sentinel knows.
    elected: watch::Sender<Option<(String, u16)>>,
    /// The lines in use, which end when another is elected.
    lines: Mutex<Vec<Weak<Health>>>,
}

impl Sentinels {
    /// Begins to ask `sentinels` where the master called `name` is.
    pub(crate) fn watch(
        name: String,
        sentinels: Vec<Address>,
        master: Address,
        deadline: Duration,
    ) -> Self {
        let council = Arc::new(Council {
            name,
            master,
            opinions: Mutex::new(vec![Opinion::None; sentinels.len()]),
            elected: watch::Sender::new(None),
            lines: Mutex::default(),
        });
        let watchers = sentinels
            .into_iter()
            .enumerate()
            .map(|(at, sentinel)| {
                let watching = watcher::watch(council.clone(), at, sentinel, deadline);
                tokio::spawn(watching).abort_handle()
            })
            .collect();
        Self { council, watchers }
    }

    /// A line to the master, by way of `dial`, which is begun anew when the master changes.
    pub(crate) async fn line<D, F>(&self, health: &Arc<Health>, dial: D) -> Result<Line, Fault>
    where
        D: Fn(Address) -> F,
        F: Future<Output = Result<Line, Fault>>,
    {
        let mut elected = self.council.elected.subscribe();
        loop {
            let place = elected.borrow_and_update().clone();
            let Some((host, port)) = place else {
                if elected.changed().await.is_err() {
                    return Err(self.nobody());
                }
                continue;
            };
            let mut address = self.council.master.clone();
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
                    let mut lines = self.council.lines.lock();
                    lines.retain(|line| line.strong_count() > 0);
                    lines.push(Arc::downgrade(health));
                    drop(lines);
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
        &self.council.master
    }

    /// Why there is no master, as far as the sentinels say.
    pub(crate) fn nobody(&self) -> Fault {
        let opinions = self.council.opinions.lock();
        if opinions.contains(&Opinion::NoSuchMaster) {
            return Fault::NoSuchMaster;
        }
        let failed = opinions.iter().find_map(|opinion| match opinion {
            Opinion::Failed(why) => Some(why.clone()),
            _ => None,
        });
        Fault::NoSentinel(failed.unwrap_or_else(|| "none answered in time".to_owned()))
    }

    /// Whether a sentinel has said where the master is.
    pub(crate) fn know_a_master(&self) -> bool {
        self.council.elected.borrow().is_some()
    }
}

impl Drop for Sentinels {
    fn drop(&mut self) {
        for watcher in &self.watchers {
            watcher.abort();
        }
    }
}

impl Council {
    /// Takes down what the sentinel at `at` says, and elects the master that follows from it.
    fn hear(&self, at: usize, opinion: Opinion) {
        let mut opinions = self.opinions.lock();
        opinions[at] = opinion;
        let newest = opinion::newest(&opinions);
        let changed = self.elected.send_if_modified(|elected| {
            let changed = newest.is_some() && *elected != newest;
            if changed {
                elected.clone_from(&newest);
            }
            changed
        });
        drop(opinions);
        if changed {
            let lines = std::mem::take(&mut *self.lines.lock());
            lines
                .iter()
                .filter_map(Weak::upgrade)
                .for_each(|line| line.dropped());
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
