use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larder_store::Timestamp;

use super::{Generation, Tag};
use crate::{Capacity, Held, NearCache};

/// The maximum number of tags that are remembered.
const MAX: u64 = 100_000;

/// The generations of tags that this process knows, and when it saw tags change.
///
/// Whether a stored value is valid is judged by a generation that was read a short while ago, if nothing has
/// outdated it since. Whether a tag changed during a load is judged by one that was known when the load
/// began, however old it is: a generation is never used twice, so if the tag still has it, nothing has
/// changed in between. So what outdates a generation must not erase it.
pub(super) struct KnownTags {
    tags: NearCache<Tag, Known>,
    /// Orders what is known with the starts of loads.
    ticks: AtomicU64,
    /// What was read before this load began is no longer trusted.
    trusted_from: AtomicU64,
    /// How long a generation is trusted, in microseconds.
    trust: i64,
}

#[derive(Clone, Copy)]
struct Known {
    /// None if it was not read since the last change.
    generation: Option<Generation>,
    /// The last load that had begun when the tag was first seen with this generation.
    since: u64,
    /// The last load that had begun when the generation was last read.
    read: u64,
    /// The last load that had begun when the tag was last seen to change. 0 if it was not.
    changed: u64,
}

impl KnownTags {
    /// Remembers each generation for at most `trust`.
    pub(super) fn new(trust: Duration) -> Self {
        Self {
            tags: NearCache::new(Capacity::Entries(MAX)),
            ticks: AtomicU64::new(0),
            trusted_from: AtomicU64::new(0),
            trust: i64::try_from(trust.as_micros()).unwrap_or(i64::MAX),
        }
    }

    /// Returns a number for the start of a load.
    pub(super) fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Returns the count of changes of a tag, to be taken before it is read.
    pub(super) fn changes(&self, tag: Tag) -> crate::Generation {
        self.tags.generation(&tag)
    }

    /// Returns the generation of a tag by which stored values may be judged.
    pub(super) fn trusted(&self, tag: Tag, now: Timestamp) -> Option<Generation> {
        let held = self.tags.get(&tag)?;
        let is_outdated = held.value.read < self.trusted_from.load(Ordering::SeqCst);
        held.value
            .generation
            .filter(|_| now < held.deadline && !is_outdated)
    }

    /// Returns whether a tag, which has the generation `now`, is unchanged since a load began. None if that is
    /// not known here.
    pub(super) fn is_unchanged(&self, tag: Tag, tick: u64, now: Generation) -> Option<bool> {
        let known = self.tags.get(&tag)?.value;
        if tick <= known.changed {
            return Some(false);
        }
        let before = known.generation.filter(|_| known.since < tick);
        before.map(|before| before == now)
    }

    /// Remembers a generation that was read, unless the tag has changed since.
    pub(super) fn remember(
        &self,
        tag: Tag,
        generation: Generation,
        now: Timestamp,
        changes: crate::Generation,
    ) {
        let deadline = now.plus_micros(self.trust);
        self.tags.update_if_unchanged(&tag, changes, |held| {
            let read = self.ticks.load(Ordering::SeqCst);
            let value = Known::after_read(held.map(|held| held.value), generation, read);
            Some(Held { value, deadline })
        });
    }

    /// Notes that a tag changes now, and its new generation, if that is known.
    ///
    /// The loads that have begun are older than the change. A value is judged by the new generation only once
    /// it has been read.
    pub(super) fn change(&self, tag: Tag, generation: Option<Generation>) {
        self.tags.put_with(tag, || {
            let now = self.ticks.load(Ordering::SeqCst);
            Held {
                value: Known {
                    generation,
                    since: now,
                    read: now,
                    changed: now,
                },
                deadline: Timestamp::from_micros(i64::MIN),
            }
        });
    }

    /// Trusts no generation that was read so far, because messages may have been lost.
    pub(super) fn trust_none(&self) {
        // A read that began earlier is not remembered; one that begins from here on is not trusted until
        // the number below is in place.
        self.tags.expire_reads();
        self.trusted_from.fetch_max(self.tick(), Ordering::SeqCst);
    }
}

impl Known {
    fn after_read(known: Option<Self>, generation: Generation, read: u64) -> Self {
        let new = Self {
            generation: Some(generation),
            since: read,
            read,
            changed: 0,
        };
        match known {
            None => new,
            Some(known) => match known.generation {
                Some(before) if before == generation => Self { read, ..known },
                // Nobody has told that it changed.
                Some(_) => Self {
                    changed: read,
                    ..new
                },
                None => Self {
                    changed: known.changed,
                    ..new
                },
            },
        }
    }
}
