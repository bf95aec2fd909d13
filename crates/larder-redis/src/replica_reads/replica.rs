use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::redis::Value;
use arc_swap::ArcSwapOption;
use larder_store::Result;
use tokio::time::timeout;

use super::history::{History, Moment};
use super::replication_info::ReplicationInfo;
use crate::connection::{Address, HostPort};
use crate::node::{Limits, Node, SupervisedNode};
use crate::operation::{Repeat, Request};
use crate::source::Target;

/// The name of a measurement in errors.
pub(super) const NAME: &str = "watch replicas";

/// The meaning of a missing key on a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misses {
    /// The key does not exist.
    AreMisses,
    /// Either there is no value, or its slot is moving: only the master knows.
    AreTheMasters,
}

/// A replica, with a connection of its own.
pub(super) struct Replica {
    pub(super) host_port: HostPort,
    pub(super) node: SupervisedNode,
    pub(super) misses: Misses,
    found: ArcSwapOption<Found>,
    /// Whether it was logged that the replica refuses `INFO`.
    was_told: AtomicBool,
}

/// The result of the last measurement of a replica.
///
/// It is valid only for the connection that it was asked on: the next one may reach a restarted,
/// empty or different server.
struct Found {
    connection: u64,
    /// The last moment of which it has all writes, with its offset.
    moment: Moment,
    id: String,
}

impl Replica {
    /// Makes a replica at `host_port`, which is dialed in the background.
    pub(super) fn new(
        host_port: HostPort,
        template: &Address,
        limits: Limits,
        (to, misses): (fn(Address) -> Target, Misses),
    ) -> Self {
        let limits = Limits {
            // The rest of the time is for the master, in case this replica does not answer.
            timeout: limits.timeout / 2,
            replicas: None,
            ..limits
        };
        let node = Node::at(&host_port, template, limits, to).in_background();
        Self {
            host_port,
            node: SupervisedNode::new(Arc::new(node)),
            misses,
            found: ArcSwapOption::empty(),
            was_told: AtomicBool::new(false),
        }
    }

    /// Returns the number of its connection, if it has every write until `moment` and is connected.
    pub(super) fn fresh_since(&self, moment: u64) -> Option<u64> {
        let connection = self.found.load().as_ref().and_then(|found| {
            let is_fresh = found.moment.at >= moment && self.node.is_up();
            is_fresh.then_some(found.connection)
        })?;
        self.is_as_found_on(connection).then_some(connection)
    }

    /// Returns whether the measurement on a connection is still valid.
    pub(super) fn is_as_found_on(&self, connection: u64) -> bool {
        let found = self.found.load();
        self.node.connections() == connection
            && found
                .as_ref()
                .is_some_and(|found| found.connection == connection)
    }

    /// Measures how far it has replicated. `is_heard` if its master has just answered.
    pub(super) async fn look(&self, history: &History, is_heard: bool, within: Duration) {
        if !self.node.is_up() {
            return;
        }
        let connection = self.node.connections();
        let Ok(Ok(answer)) = timeout(within, self.ask()).await else {
            return;
        };
        if ReplicationInfo::is_denied(&answer) && !self.was_told.swap(true, Ordering::Relaxed) {
            let server = self.node.location();
            tracing::warn!(server, "this replica is never read: its user needs +info");
        }
        if self.node.connections() == connection {
            let info = ReplicationInfo::read(&answer);
            let found = info.and_then(|it| self.find(&it, connection, history, is_heard));
            self.found.store(found.map(Arc::new));
        }
    }

    async fn ask(&self) -> Result<Value> {
        let operation = self.node.begin(Request::read(NAME))?;
        operation
            .send(&ReplicationInfo::command(), Repeat::Never)
            .await
    }

    fn find(
        &self,
        info: &ReplicationInfo,
        connection: u64,
        history: &History,
        is_heard: bool,
    ) -> Option<Found> {
        let (position, is_linked, has) = match info {
            // It may have been promoted; beside a master that answers, it is no longer a replica.
            ReplicationInfo::Master { position, .. } => (position, false, !is_heard),
            ReplicationInfo::Replica {
                position,
                is_linked,
            } => (position, *is_linked, true),
        };
        let before = self.found.load();
        let kept = before.as_ref().filter(|before| {
            let (id, offset) = (&before.id, before.moment.offset);
            has && match is_heard {
                true => position.has(id, offset),
                false => position.has_had(id, offset),
            }
        });
        let gained = match is_linked {
            true => history.covered_by(&position.id, position.offset),
            false => None,
        };
        match (kept, gained) {
            (Some(kept), gained) if gained.is_none_or(|it| it.at < kept.moment.at) => Some(Found {
                connection,
                moment: kept.moment,
                id: kept.id.clone(),
            }),
            (_, gained) => Some(Found {
                connection,
                moment: gained?,
                id: position.id.clone(),
            }),
        }
    }
}
