//! Reads from replicas, no staler than the app allows.
//!
//! 1. The lag of a replica is measured: the master reports how many bytes it has written for its
//!    replicas, and each replica how many of them it has applied ([`replication_info`]). A replica
//!    that has everything that the master had at a moment is fresh as of that moment ([`history`]).
//! 2. A read goes to a replica whose moment is recent enough, and later than the last write of this
//!    store to the key ([`written`]). Otherwise, or if its kind has consistent reads, it goes to the
//!    master. A measurement applies to the connection on which it was made, until the next one.
//! 3. A replica has half of the deadline. If it gives no value, the master is asked within the
//!    other half.
//! 4. The replicas are measured at least four times within the allowed staleness, and at least once a
//!    second ([`watcher`]).

mod history;
mod masters;
mod reader;
mod replica;
mod replication_info;
mod split_reads;
mod watcher;
mod write_guard;
mod written;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ::redis::{Cmd, Value};
use arc_swap::ArcSwap;
use larder_store::{Error, ErrorKind, Key, Result};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::cluster::slot_of;
use crate::connection::Address;
use crate::node::SupervisedNode;
use crate::route::Route;
use history::micros;
use masters::Masters;
use reader::Reader;
use replica::Replica;
use written::Written;

pub(crate) use write_guard::{Write, Writing};

/// The shortest staleness that may be allowed: less is not measured often enough.
const SHORTEST: Duration = Duration::from_millis(100);

/// The replicas of a store's masters, and which of them may be read now.
pub(crate) struct ReplicaReads {
    shared: Arc<Shared>,
    watcher: AbortHandle,
}

/// The state that reads and the watcher share.
struct Shared {
    masters: Masters,
    /// The replicas of each master, by the address of its node.
    ///
    /// The address is unique while the node is here.
    replicas: ArcSwap<HashMap<usize, Replicas>>,
    written: Written,
    max_staleness: Duration,
    /// The time that an operation of the store may take.
    deadline: Duration,
    epoch: Instant,
}

/// The replicas of one master.
struct Replicas {
    master: Arc<SupervisedNode>,
    all: Vec<Arc<Replica>>,
}

impl ReplicaReads {
    /// Refuses a staleness that is too short to be measured.
    pub(crate) fn check(max_staleness: Duration) -> Result<()> {
        if max_staleness >= SHORTEST {
            return Ok(());
        }
        Err(invalid(&format!(
            "max_staleness is {max_staleness:?}, but must be at least {SHORTEST:?}: the lag of \
             replicas is measured several times within it"
        )))
    }

    /// Begins to look for replicas, once a master has said that it may be asked.
    pub(crate) async fn start(
        route: &Route,
        template: Option<Address>,
        max_staleness: Duration,
    ) -> Result<Self> {
        let template = template.ok_or_else(|| {
            invalid(
                "reads from replicas need connections that larder opens: give the URL of the \
                 server instead of a pool",
            )
        })?;
        let shared = Arc::new(Shared {
            masters: Masters::new(route),
            replicas: ArcSwap::default(),
            written: Written::new(),
            max_staleness,
            deadline: route.limits().timeout,
            epoch: Instant::now(),
        });
        watcher::may_watch(&shared).await?;
        let watching = watcher::watch(shared.clone(), template, *route.limits());
        let watcher = tokio::spawn(watching).abort_handle();
        Ok(Self { shared, watcher })
    }

    /// Asks a replica that may be read. None if there is no answer.
    ///
    /// It takes at most half of the deadline.
    pub(crate) async fn ask(&self, name: &'static str, key: &Key, command: &Cmd) -> Option<Value> {
        let reader = self.shared.serving(key, fastrand::usize(..))?;
        reader.ask(name, command).await
    }
}

impl Drop for ReplicaReads {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

impl Shared {
    /// Returns a replica that has every write of `key` that a read must see. If there are several,
    /// `turn` chooses.
    fn serving(&self, key: &Key, turn: usize) -> Option<Reader> {
        if key.kind().has_consistent_reads() {
            return None;
        }
        let oldest = self.oldest();
        let master = self.masters.of_key(key.as_bytes())?;
        let replicas = self.replicas.load();
        let replicas = &replicas.get(&address_of(&master))?.all;
        let since = oldest.max(self.written.until(slot_of(key.as_bytes())));
        let (behind, first) = replicas.split_at(turn.checked_rem(replicas.len())?);
        let mut replicas = first.iter().chain(behind);
        replicas.find_map(|replica| Reader::fresh_since(replica, since))
    }

    /// Returns the first moment that is recent enough.
    fn oldest(&self) -> u64 {
        self.now().saturating_sub(micros(self.max_staleness))
    }

    /// Returns the time in microseconds, which starts past the longest staleness.
    fn now(&self) -> u64 {
        1 + micros(self.max_staleness) + micros(self.epoch.elapsed())
    }
}

/// Returns the key of a master in [`Shared::replicas`], which is unique while it lives.
fn address_of(master: &Arc<SupervisedNode>) -> usize {
    Arc::as_ptr(master).addr()
}

fn invalid(text: &str) -> Error {
    Error::new("connect", ErrorKind::Invalid, text.to_owned())
}
