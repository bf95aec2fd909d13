//! One record for the sessions of all users: a generation that signed-in sessions must have reached.
//!
//! It only grows, and is a time in microseconds, so it does not repeat after a failover that lost a write.

use bytes::Bytes;
use larder_store::program::prelude::*;

/// The record of all users' sessions, for [`inspect`](larder_store::program::Programs#method.inspect).
#[derive(Debug)]
pub struct EveryoneRecord(i64);

record! {
    EveryoneRecord, Kind::record("session-everyone");
    /// Shows when all users' sessions were ended, in microseconds.
    pub InspectEveryone = "session-everyone-inspect",
    "local ended = redis.call('GET', KEYS[1])
     return ended and {'ended_us', ended} or {}",
    |held, shown| shown.with("ended_us", held.0),
}

impl EveryoneRecord {
    /// Returns the key of the record. An app has one.
    pub(crate) fn key() -> Key {
        Key::new(Self::KIND, "all")
    }
}

/// Returns the generation that signed-in sessions must have reached; 0 if they were never ended.
///
/// None for bytes that cannot be read, which is not 0: otherwise ended sessions would live again.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct ReadEveryone;

impl Program for ReadEveryone {
    type Record = EveryoneRecord;
    type Reply = Option<i64>;

    const SCRIPT: &'static Script = &Script::new(
        "session-everyone",
        Effect::Read,
        "return redis.call('GET', KEYS[1])",
    )
    .as_command(&["GET"]);

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, EveryoneRecord>, _: Timestamp) -> Option<i64> {
        Some(record.get().map_or(0, |held| held.0))
    }

    fn reply(&self, wire: Wire) -> Result<Option<i64>> {
        let Some(text) = wire.read::<Option<Bytes>>()? else {
            return Ok(Some(0));
        };
        let generation = Wire::Bytes(text).int().ok();
        let generation = generation.filter(|generation| (1..MAX_INT).contains(generation));
        if generation.is_none() {
            larder_store::count_poisoned(EveryoneRecord::KIND);
        }
        Ok(generation)
    }
}

/// Ends the sessions of all users, and returns the generation that later ones have.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct EndEveryone {
    /// Longer than any session lives.
    pub(crate) ttl: Ttl,
}

impl Program for EndEveryone {
    type Record = EveryoneRecord;
    type Reply = i64;

    const SCRIPT: &'static Script = &Script::new(
        "session-end-everyone",
        Effect::Once,
        "local last = redis.call('GET', KEYS[1]) or ''
         -- Bytes that cannot be read are replaced.
         last = #last <= 16 and tonumber(string.match(last, '^%d+$') or 0) or 0
         if last >= 9007199254740991 then last = 0 end
         local next = math.max(last + 1, now())
         put(KEYS[1], num(next), ARGV[1])
         return num(next)",
    )
    .runs_when_full();

    arguments!(ttl);

    fn step(&self, record: &mut Slot<'_, EveryoneRecord>, now: Timestamp) -> i64 {
        let last = record.get().map_or(0, |held| held.0);
        let next = now.as_micros().max(last + 1);
        record.put(EveryoneRecord(next), self.ttl);
        next
    }
}
