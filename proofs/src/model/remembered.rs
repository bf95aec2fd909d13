use bytes::Bytes;
use larder_store::{
    Clock, Condition, DEFAULT_MAX_VALUE, Delete, Key, Kind, ManualClock, Put, Space, Timestamp,
    Ttl, Version,
};

use super::arguments::{Content, Id, When, Write, tally};
use super::leases::Fences;

/// The clock is moved only to ends that are no further away than this.
const NEAR: Ttl = Ttl::from_secs(1);

/// The versions, fences and deadlines of the operations so far.
pub(crate) struct Remembered {
    kind: Kind,
    clock: ManualClock,
    versions: Vec<(Id, Version)>,
    pub(crate) fences: Fences,
    ends: Vec<(Id, Timestamp)>,
}

impl Remembered {
    pub(crate) fn new(space: Space, clock: ManualClock) -> Self {
        let kind = match space {
            Space::Pinned => Kind::pinned("model"),
            Space::Evictable => Kind::evictable("model"),
        };
        Self {
            kind,
            clock,
            versions: Vec::new(),
            fences: Fences::default(),
            ends: Vec::new(),
        }
    }

    pub(crate) fn key(&self, id: Id) -> Key {
        match id {
            Id::Value(id) => Key::new(self.kind, id),
            Id::Record(id) => tally(id),
        }
    }

    /// Returns the version of an earlier put on a key, or a random one.
    pub(crate) fn version(&self, id: Id, back: usize) -> Version {
        let mut of_key = self.versions.iter().rev().filter(|(of, _)| *of == id);
        let version = of_key.nth(back).map(|(_, version)| *version);
        version.unwrap_or(Version::from_bytes([7; Version::LEN]))
    }

    fn condition(&self, id: Id, when: When) -> Condition {
        match when {
            When::Always => Condition::Always,
            When::IfAbsent => Condition::IfAbsent,
            When::IfPresent => Condition::IfPresent,
            When::IfVersion(back) => Condition::IfVersion(self.version(id, back)),
        }
    }

    pub(crate) fn put(&mut self, write: &Write) -> Put {
        let value = match &write.value {
            Content::Bytes(bytes) => Bytes::copy_from_slice(bytes),
            Content::TooLarge => vec![0; DEFAULT_MAX_VALUE + 1].into(),
        };
        let condition = self.condition(write.id, write.when);
        let put = Put::new(self.key(write.id), value, write.ttl).on(condition);
        self.versions.push((write.id, put.version()));
        self.ends_in(write.id, write.ttl);
        put
    }

    pub(crate) fn delete(&self, id: Id, when: When) -> Delete {
        Delete::new(self.key(id)).on(self.condition(id, when))
    }

    /// Remembers that a value or lease of `id` may end after `ttl`.
    pub(crate) fn ends_in(&mut self, id: Id, ttl: Ttl) {
        if ttl <= NEAR {
            self.ends_at(id, self.clock.now().plus_micros(ttl.as_micros()));
        }
    }

    /// Remembers that something of `id` ends at this moment.
    pub(crate) fn ends_at(&mut self, id: Id, end: Timestamp) {
        self.ends.push((id, end));
    }

    /// Moves the clock to a coming end, and this many microseconds past it.
    ///
    /// `back` counts from the last of the ends of one key, or of all.
    pub(crate) fn advance_to_end(&self, of: Option<Id>, back: usize, micros: i64) {
        let now = self.clock.now();
        let mut ends = self.ends.iter().rev().filter(|(id, end)| {
            let is_of_it = of.is_none_or(|of| of == *id);
            is_of_it && *end >= now
        });
        if let Some((_, end)) = ends.nth(back) {
            self.clock.advance_to(end.plus_micros(micros));
        }
    }
}
