use std::sync::Arc;

use super::reader::Misses;
use crate::cluster::Guide;
use crate::connection::{Address, Member, Place, Target};
use crate::route::Route;

/// The servers that take writes.
pub(super) enum Masters {
    One(Arc<Member>),
    Cluster(Guide),
}

impl Masters {
    pub(super) fn of(route: &Route) -> Self {
        match route {
            Route::One(member) => Self::One(member.clone()),
            Route::Cluster(cluster) => Self::Cluster(cluster.guide()),
        }
    }

    /// The one that has `key`.
    pub(super) fn of_key(&self, key: &[u8]) -> Option<Arc<Member>> {
        match self {
            Self::One(member) => Some(member.clone()),
            Self::Cluster(guide) => guide.master_of(key),
        }
    }

    /// All of them, and the replicas of each where it is not the master that names them.
    pub(super) fn all(&self) -> Vec<(Arc<Member>, Option<Vec<Place>>)> {
        match self {
            Self::One(member) => vec![(member.clone(), None)],
            Self::Cluster(guide) => {
                let shards = guide.shards().into_iter();
                shards
                    .map(|(master, replicas)| (master, Some(replicas)))
                    .collect()
            }
        }
    }

    /// How replicas are dialed, and what it means that one has no such key.
    pub(super) fn replicas(&self) -> (fn(Address) -> Target, Misses) {
        match self {
            Self::One(_) => (Target::Fixed, Misses::AreMisses),
            Self::Cluster(_) => (Target::ClusterReplica, Misses::AreTheMasters),
        }
    }
}
