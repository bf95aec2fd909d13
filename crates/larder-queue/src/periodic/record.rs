//! The record of a periodic job: the time up to which its ticks were enqueued, by the store's clock.

use larder_store::program::prelude::*;

/// The last tick that was enqueued, in microseconds. On Redis one string.
#[derive(Debug)]
pub struct LastTick(Timestamp);

record! {
    LastTick, Kind::record("periodic").partitioned();
    /// Shows people and tools the last tick.
    pub InspectLastTick = "periodic-inspect",
    "local last = redis.call('GET', KEYS[1])
     return last and {'last', last} or {}",
    |held, shown| shown.with("last", held.0.as_micros()),
}

/// How far ahead of the clock the last tick may be: a day. A later one was written by a clock that was
/// wrong.
const AHEAD: i64 = 86_400_000_000;

/// Moves the last tick forward, and returns the time and the last tick.
#[derive(Clone, Debug)]
pub(crate) struct Advance {
    /// The epoch only reads.
    pub(crate) to: Timestamp,
    pub(crate) ttl: Ttl,
}

impl Program for Advance {
    type Record = LastTick;
    type Reply = (Timestamp, Timestamp);

    const SCRIPT: &'static Script = &Script::new(
        "periodic-advance",
        Effect::Once,
        include_str!("advance.lua"),
    );

    arguments!(to, ttl);

    fn step(&self, record: &mut Slot<'_, LastTick>, now: Timestamp) -> (Timestamp, Timestamp) {
        let is_sane = |held: &&LastTick| held.0 <= now.plus_micros(AHEAD);
        let last = record.get().filter(is_sane).map_or(now, |held| held.0);
        let last = last.max(self.to);
        record.put(LastTick(last), self.ttl);
        (now, last)
    }
}
