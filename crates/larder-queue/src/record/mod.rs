//! The record of a queue, and the programs on it, each in Lua and in Rust.

mod admin;
mod dequeue;
mod enqueue;
mod held;
mod listing;
mod packed;
mod scored;
mod settings;
mod settle;
mod work;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use larder_store::program::prelude::*;

pub(crate) use admin::{Cancel, Pause, Purge, Redrive};
pub(crate) use dequeue::{Dequeue, Leased, Taken};
pub(crate) use enqueue::{Added, Enqueue, Item};
pub(crate) use held::Held;
#[cfg(test)]
pub(crate) use held::Mode;
pub(crate) use listing::{Band, Count, List, Position, Row};
pub(crate) use settings::Settings;
pub(crate) use settle::{Decision, Operation, Settle};

use scored::Scored;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// The jobs of a group that wait: priority, place and id.
type Waiting = BTreeSet<(u8, i64, Arc<str>)>;

/// The record of a queue, for [`inspect`](larder_store::program::Programs#method.inspect).
///
/// On Redis all live jobs are in one sorted set of three bands: available jobs have negative scores, by
/// priority and place; hidden jobs have the time until which they are hidden; and leased jobs have the end of
/// their lease, above both. So a job is in one state at a time, and running jobs are counted by the leases
/// themselves.
#[derive(Debug, Default)]
pub struct QueueRecord {
    /// The last place that was assigned.
    seq: i64,
    /// The last fence that was assigned.
    fence: i64,
    /// When the record ends, in microseconds.
    ends: i64,
    is_paused: bool,
    /// Whether idle waiters were woken, and none has looked in vain since.
    is_told: bool,
    /// The time up to which the rate is used, in microseconds.
    tat: i64,
    jobs: Map<Arc<str>, Held>,
    /// Jobs without a group and tokens of groups, by rank. A token is NUL and the group.
    ready: Scored,
    scheduled: Scored,
    leased: Scored,
    /// Jobs that wait in their groups, by priority and place.
    in_group: BTreeMap<Arc<str>, Waiting>,
    /// Jobs that occupy their groups: those that are leased, and in ordered groups those to be retried.
    busy: Map<Arc<str>, HashSet<Arc<str>>>,
    dead: Scored,
    /// The ids of done jobs, by the time at which they are forgotten.
    done: Scored,
    /// The jobs of unique keys.
    unique: Map<Arc<str>, Arc<str>>,
    /// Unique keys that end by themselves, by the time at which they do.
    unique_ends: Scored,
}

/// The names of the physical keys, in the order of `KEYS`.
const PARTS: [&str; 7] = ["", "order", "groups", "dead", "done", "unique", "ends"];

record! {
    QueueRecord, Kind::record("queue"), parts PARTS;
    /// Shows people and tools the number of jobs in each state. It names none.
    pub InspectQueue = "queue-inspect",
    include_str!("../lua/inspect.lua"),
    |held, shown| held.show(shown),
}

impl QueueRecord {
    fn show(&self, shown: Inspection) -> Inspection {
        shown
            .with("waiting", self.waiting())
            .with("scheduled", self.scheduled.len())
            .with("running", self.leased.len())
            .with("dead", self.dead.len())
            .with("done", self.done.len())
            .with("unique", self.unique.len())
            .with("places", self.seq)
            .with("last_fence", self.fence)
            .with("ends_us", self.ends)
            .with("paused", i64::from(self.is_paused))
    }

    fn waiting(&self) -> usize {
        self.jobs.len() - self.scheduled.len() - self.leased.len() - self.dead.len()
    }

    /// Returns the number of jobs that occupy the group.
    fn busy(&self, group: &str) -> usize {
        self.busy.get(group).map_or(0, HashSet::len)
    }

    /// Returns the first waiting job of a group.
    fn first_of(&self, group: &str) -> Option<&(u8, i64, Arc<str>)> {
        self.in_group.get(group)?.first()
    }
}

/// The distance of two priorities in the sorted set, which is the maximum number of places.
const CLASS: i64 = 1 << 50;

/// The rank of the first place of the first priority.
const FLOOR: i64 = -(1 << 53);

/// The start of the band of leases, which as a time is in the year 2112.
const LEASED: i64 = 1 << 52;

/// The highest rank of a ready job: all are below zero.
const LAST_READY: i64 = -1;

/// The bytes of bodies that one step adds, takes or lists, unless one job has more. It limits the size of a message,
/// and the time for which it holds up other calls.
pub(crate) const STEP_BYTES: usize = 1024 * 1024;

/// The latest time at which a job may be due: the band of leases begins after it.
const LATEST_DUE: i64 = LEASED - 1;

fn rank(class: u8, place: i64) -> i64 {
    FLOOR + i64::from(class) * CLASS + place
}

/// Returns the member that stands for a group among the ready jobs.
fn token(group: &str) -> Arc<str> {
    format!("\0{group}").into()
}
