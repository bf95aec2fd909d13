use std::sync::Arc;

use super::replica::Misses;
use crate::cluster::ClusterView;
use crate::connection::{Address, HostPort};
use crate::node::SupervisedNode;
use crate::route::Route;
use crate::source::Target;

/// The servers that take writes.
pub(super) enum Masters {
    One(Arc<SupervisedNode>),
    Cluster(ClusterView),
}

impl Masters {
    pub(super) fn new(route: &Route) -> Self {
        match route {
            Route::One(node) => Self::One(node.clone()),
            Route::Cluster(cluster) => Self::Cluster(cluster.view()),
        }
    }

    /// Returns the master that has `key`.
    pub(super) fn of_key(&self, key: &[u8]) -> Option<Arc<SupervisedNode>> {
        match self {
            Self::One(node) => Some(node.clone()),
            Self::Cluster(view) => view.master_of(key),
        }
    }

    /// Returns all masters, and the replicas of each, if the masters do not name them.
    pub(super) fn all(&self) -> Vec<(Arc<SupervisedNode>, Option<Vec<HostPort>>)> {
        match self {
            Self::One(node) => vec![(node.clone(), None)],
            Self::Cluster(view) => {
                let shards = view.shards().into_iter();
                shards
                    .map(|(master, replicas)| (master, Some(replicas)))
                    .collect()
            }
        }
    }

    /// Returns how to dial replicas, and the meaning of a missing key on one.
    pub(super) fn replicas(&self) -> (fn(Address) -> Target, Misses) {
        match self {
            Self::One(_) => (Target::Fixed, Misses::AreMisses),
            Self::Cluster(_) => (Target::ClusterReplica, Misses::AreTheMasters),
        }
    }
}
