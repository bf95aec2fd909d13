//! The pinned space: keys that are never evicted, with an exact maximum for each kind and partition.
//!
//! Each kind, and each partition of one, has shards of its own, so a flood of one neither fills nor
//! slows another. A shard is a table, a dense list of items and a heap of deadlines, under one lock.

mod cap;
mod deadlines;
mod earliest_deadline;
mod kind_space;
mod locked_shard;
mod records;
mod shard;
mod values;

use std::hash::{BuildHasher, Hasher};
use std::sync::OnceLock;

use foldhash::quality::RandomState;
use larder_store::program::Call;
use larder_store::{
    Clock, Delete, DeleteOutcome, Entry, ExpireOutcome, Key, Kind, Put, PutOutcome, Result, Ttl,
};

pub(crate) use kind_space::KindSpace;
use kind_space::Padded;
pub(crate) use locked_shard::{Garbage, LockedShard};
pub(crate) use shard::Address;

/// Pinned values and records.
pub(crate) struct Pinned {
    hasher: RandomState,
    max_keys_per_kind: usize,
    max_keys: Vec<(Kind, usize)>,
    first: Link,
}

/// A list of the kinds and their partitions, in the order of their first use. There are a handful, so
/// a search costs less than hashing a name, and takes no lock.
type Link = OnceLock<Box<Node>>;

struct Node {
    space: KindSpace,
    partition: Option<Box<[u8]>>,
    next: Link,
}

/// The maximum number of partitions of a kind that are kept apart.
pub const MAX_PARTITIONS: usize = 64;

/// The partition that all later ones share. No partition has an empty name.
const SHARED_PARTITION: &[u8] = b"";

impl Pinned {
    pub(crate) fn new(max_keys_per_kind: usize, max_keys: Vec<(Kind, usize)>) -> Self {
        Self {
            hasher: RandomState::default(),
            max_keys_per_kind,
            max_keys,
            first: Link::new(),
        }
    }

    pub(crate) fn get(
        &self,
        key: &Key,
        clock: &dyn Clock,
        garbage: &mut Garbage,
    ) -> Result<Option<Entry>> {
        self.space(key).get(self.address(key), clock, garbage)
    }

    pub(crate) fn put(
        &self,
        put: &Put,
        clock: &dyn Clock,
        garbage: &mut Garbage,
    ) -> Result<PutOutcome> {
        let key = put.key();
        self.space(key).put(self.address(key), put, clock, garbage)
    }

    pub(crate) fn delete(
        &self,
        delete: &Delete,
        clock: &dyn Clock,
        garbage: &mut Garbage,
    ) -> Result<DeleteOutcome> {
        let key = delete.key();
        self.space(key)
            .delete(self.address(key), delete, clock, garbage)
    }

    pub(crate) fn expire(&self, key: &Key, ttl: Ttl, clock: &dyn Clock) -> Result<ExpireOutcome> {
        self.space(key).expire(self.address(key), ttl, clock)
    }

    pub(crate) fn ttl(&self, key: &Key, clock: &dyn Clock) -> Result<Option<Ttl>> {
        self.space(key).ttl(self.address(key), clock)
    }

    pub(crate) fn step(&self, key: &Key, call: &mut dyn Call, clock: &dyn Clock) -> Result<()> {
        self.space(key).step(self.address(key), call, clock)
    }

    #[inline]
    pub(crate) fn address<'a>(&self, key: &'a Key) -> Address<'a> {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key.as_bytes());
        Address {
            hash: hasher.finish(),
            key: key.as_bytes(),
        }
    }

    /// Returns the shards of every kind.
    pub(crate) fn shards(&self) -> impl Iterator<Item = &Padded<shard::Held>> + Send {
        self.nodes().flat_map(|node| node.space.shards())
    }

    fn nodes(&self) -> impl Iterator<Item = &Node> + Send {
        std::iter::successors(self.first.get(), |node| node.next.get()).map(|node| &**node)
    }

    #[inline]
    fn space(&self, key: &Key) -> &KindSpace {
        let (kind, mut partition) = (key.kind(), key.partition_bytes());
        let (mut link, mut others) = (&self.first, 0);
        loop {
            let node = link.get_or_init(|| {
                Box::new(Node {
                    space: KindSpace::new(kind, self.max_keys_of(kind)),
                    partition: partition.map(Box::from),
                    next: Link::new(),
                })
            });
            if node.space.kind == kind {
                if node.partition.as_deref() == partition {
                    return &node.space;
                }
                others += 1;
                if others >= MAX_PARTITIONS {
                    partition = partition.and(Some(SHARED_PARTITION));
                }
            }
            link = &node.next;
        }
    }

    fn max_keys_of(&self, kind: Kind) -> usize {
        let own = self.max_keys.iter().find(|(other, _)| *other == kind);
        own.map_or(self.max_keys_per_kind, |(_, keys)| *keys)
    }
}

#[cfg(test)]
impl Pinned {
    /// Returns the number of keys of a kind, and checks its parts for consistency.
    pub(crate) fn held(&self, kind: Kind) -> usize {
        let nodes = self.nodes().filter(|node| node.space.kind == kind);
        let held = nodes.map(|node| {
            let stored: usize = node.space.lengths().into_iter().sum();
            assert_eq!(stored, node.space.cap.held());
            stored
        });
        held.sum()
    }

    /// Returns how many partitions a kind has.
    pub(crate) fn partitions(&self, kind: Kind) -> usize {
        let nodes = self.nodes().filter(|node| node.space.kind == kind);
        nodes.count()
    }
}
