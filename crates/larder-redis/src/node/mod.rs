//! A server, and the replacement of its connection when that fails.
//!
//! - [`Node`] is one server: the connection in use, and whether there is one. A cluster has many.
//! - [`SupervisedNode`] is a node with the task that replaces its connection when it broke.
//! - [`Limits`] and [`Confirmation`] are the app's requirements for every operation.
//!
//! A node has only one connection, which keeps the order: commands of one key on two sockets would
//! run in the order in which the server happens to read them.

mod backoff;
mod confirmation;
mod demoted;
mod limits;
mod listen;
mod supervisor;
#[cfg(test)]
mod tests;
mod waiting;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use ::redis::{ConnectionAddr, Value};
use arc_swap::ArcSwapOption;
use tokio::sync::Notify;

use crate::connection::{Address, ConnectError, Connection, HealthState, HostPort};
use crate::source::{Source, Target};
use demoted::is_read_only;

pub(crate) use backoff::Backoff;
pub(crate) use confirmation::{Access, Confirmation};
pub(crate) use demoted::ran_nothing;
pub(crate) use limits::Limits;
pub(crate) use supervisor::SupervisedNode;
pub(crate) use waiting::cooperate;

/// One server, its connection in use, and the operations that wait for it.
///
/// The connection is a clone from the pool, held here so that a command costs no checkout. The
/// supervisor takes another one when it breaks.
pub(crate) struct Node {
    pub(crate) location: Arc<str>,
    pub(crate) limits: Limits,
    pub(crate) in_flight: AtomicUsize,
    pub(crate) supervisor: Arc<Notify>,
    pub(crate) source: Source,
    connection: ArcSwapOption<Connection>,
    connections: AtomicU64,
    /// The connection is broken, and the last dial failed or hangs.
    down: AtomicBool,
    /// The last dial failed.
    has_failed: AtomicBool,
    /// The supervisor's runtime has shut down.
    ended: AtomicBool,
    changed: Notify,
    peer: Option<Peer>,
}

/// The additional data of a node of a cluster.
struct Peer {
    host: String,
    /// Notified when the connection is lost.
    alarm: Arc<Notify>,
}

impl Node {
    pub(crate) fn new(
        location: Arc<str>,
        limits: Limits,
        source: Source,
        supervisor: Arc<Notify>,
    ) -> Self {
        Self {
            location,
            limits,
            in_flight: AtomicUsize::new(0),
            supervisor,
            source,
            connection: ArcSwapOption::empty(),
            connections: AtomicU64::new(0),
            down: AtomicBool::new(true),
            has_failed: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            changed: Notify::new(),
            peer: None,
        }
    }

    /// Makes the node at `host_port`, with the login of `template`.
    pub(crate) fn at(
        host_port: &HostPort,
        template: &Address,
        limits: Limits,
        to: fn(Address) -> Target,
    ) -> Self {
        let HostPort { host, port } = host_port;
        let address = Address {
            info: (template.info.clone()).set_addr(ConnectionAddr::Tcp(host.clone(), *port)),
            tls: template.tls.clone(),
        };
        let supervisor = Arc::new(Notify::new());
        let source = Source::own(to(address), limits.connect_timeout, supervisor.clone());
        let scheme = match template.tls {
            Some(_) => "rediss",
            None => "redis",
        };
        Self::new(
            format!("{scheme}://{host_port}").into(),
            limits,
            source,
            supervisor,
        )
    }

    /// Dials the node in the background.
    ///
    /// Operations wait for its first connection until a dial fails.
    pub(crate) fn in_background(mut self) -> Self {
        self.down = AtomicBool::new(false);
        self.supervisor.notify_one();
        self
    }

    /// Makes it a node of a cluster.
    pub(crate) fn in_cluster(mut self, host: String, alarm: Arc<Notify>) -> Self {
        self.peer = Some(Peer { host, alarm });
        self.in_background()
    }

    /// Returns the host of a node of a cluster.
    pub(crate) fn host(&self) -> &str {
        self.peer.as_ref().map_or("", |peer| &peer.host)
    }

    /// Returns whether there is a connection that works, as far as is known.
    pub(crate) fn is_up(&self) -> bool {
        self.good_connection().is_some()
    }

    /// Returns the number of connections so far. If it is the same before and after an operation,
    /// the answer came on that connection.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Acquire)
    }

    /// Returns whether a connection was made and has been lost.
    pub(crate) fn has_lost_its_connection(&self) -> bool {
        self.connection.load().is_some() && !self.is_up()
    }

    /// Notifies the cluster that the node has no connection.
    pub(crate) fn raise_alarm(&self) {
        if let Some(peer) = &self.peer {
            peer.alarm.notify_one();
        }
    }

    pub(crate) fn location(&self) -> &str {
        &self.location
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns the connection, if it is good.
    pub(crate) fn good_connection(&self) -> Option<Arc<Connection>> {
        self.connection
            .load_full()
            .filter(|connection| connection.health().is_good())
    }

    /// Returns the server that the sentinels name as the master, if they do.
    pub(crate) fn named_master(&self) -> Option<HostPort> {
        match self.source.target() {
            Some(Target::Master(sentinels)) => sentinels.master(),
            _ => None,
        }
    }

    /// Returns whether answers show that the elected master has become a replica. It may have run
    /// other commands of the batch, such as reads.
    pub(crate) fn is_demoted_by(&self, answers: &[Value]) -> bool {
        answers.iter().any(is_read_only) && matches!(self.source.target(), Some(Target::Master(_)))
    }

    /// Replaces the broken connection with a new one.
    ///
    /// The old one is closed first, at both ends: commands that it still holds must not run after
    /// those of the new one.
    pub(crate) async fn replace_connection(&self) -> Result<(), ConnectError> {
        let broken = self.connection.load_full();
        if let Some(broken) = &broken {
            if broken.health().state() == HealthState::Hung {
                self.set_down(true);
            }
            broken.close().await;
        }
        let deadline = self.limits.connect_timeout;
        let connection = self.source.connect(deadline, &self.supervisor).await?;
        if let Some(broken) = &broken
            && !connection.take_over(broken, deadline).await
        {
            // A write on the new connection might be overwritten by one that is still on its way on
            // the old one.
            return Err(ConnectError::Broken);
        }
        // Counted first, so that an answer on the new connection is never mistaken for one on the
        // old connection.
        self.connections.fetch_add(1, Ordering::AcqRel);
        self.connection.store(Some(connection));
        self.has_failed.store(false, Ordering::Release);
        self.set_down(false);
        Ok(())
    }

    /// Ends the node: every operation fails at once, since its supervisor's runtime has shut down.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        if let Some(connection) = self.connection.load().as_deref() {
            connection.health().dropped();
        }
        // Nobody tries to connect any more, so there is no outage either.
        self.set_down(false);
    }

    /// Records that a dial failed.
    pub(crate) fn dial_failed(&self) {
        self.has_failed.store(true, Ordering::Release);
        self.set_down(true);
    }

    /// Sets whether operations fail at once, and wakes those that wait.
    pub(crate) fn set_down(&self, down: bool) {
        let was = self.down.swap(down, Ordering::AcqRel);
        self.changed.notify_waiters();
        if was != down {
            metrics::gauge!("larder_redis_breaker_open", "server" => self.location.clone())
                .set(if down { 1.0 } else { 0.0 });
        }
    }
}
