//! The programs on a counter, in Lua and in Rust. Both forms always do the same.

use bytes::Bytes;
use larder_store::count_poisoned;
use larder_store::program::prelude::*;

use super::{Added, Bounds, Overflow, TtlFrom};
use crate::number::{int, int_lua};

/// The record of a counter, for [`inspect`](larder_store::program::Programs#method.inspect).
///
/// On Redis it is one string, the integer as text, as `INCR` stores it.
#[derive(Debug)]
pub struct CounterRecord(i64);

record! {
    CounterRecord, Kind::record("counter").partitioned();
    /// Shows the value to people and tools.
    pub InspectCounter = "counter-inspect",
    "local held = redis.call('GET', KEYS[1])
     return held and {'value', held} or {}",
    |held, shown| shown.with("value", held.0),
}

/// Adds within bounds. A bound that allows nothing leaves the value and its TTL as they are.
#[derive(Clone, Debug)]
pub(crate) struct Add {
    pub(crate) by: i64,
    pub(crate) bounds: Bounds,
    pub(crate) overflow: Overflow,
    pub(crate) ttl: Ttl,
    pub(crate) ttl_from: TtlFrom,
}

impl Program for Add {
    type Record = CounterRecord;
    type Reply = Added;

    const SCRIPT: &'static Script = &Script::new(
        "counter-add",
        Effect::Once,
        concat!(int_lua!(), include_str!("add.lua")),
    );

    arguments!(by, bounds, overflow, ttl, ttl_from);

    fn step(&self, record: &mut Slot<'_, CounterRecord>, _: Timestamp) -> Added {
        let held = record.get().map(|count| count.0);
        let value = held.unwrap_or(0);
        let room = match self.by < 0 {
            true => (self.bounds.low - value).min(0),
            false => (self.bounds.high - value).max(0),
        };
        let bounded = self.by.abs() > room.abs();
        let applied = match (bounded, self.overflow) {
            (false, _) => self.by,
            (true, Overflow::Saturate) => room,
            (true, Overflow::Refuse) => 0,
        };
        let value = value + applied;
        let keeps_ttl = held.is_some() && self.ttl_from == TtlFrom::FirstWrite;
        match record.get_mut().filter(|_| keeps_ttl) {
            _ if applied == 0 => {}
            Some(count) => count.0 = value,
            None => record.put(CounterRecord(value), self.ttl),
        }
        Added {
            value,
            applied,
            bounded,
        }
    }
}

/// Reads a counter: on Redis one GET.
#[derive(Clone, Debug)]
pub(crate) struct Read;

impl Program for Read {
    type Record = CounterRecord;
    type Reply = Count;

    const SCRIPT: &'static Script = &Script::new(
        "counter-read",
        Effect::Read,
        "return redis.call('GET', KEYS[1])",
    )
    .as_command(&["GET"]);

    arguments!();

    fn step(&self, record: &mut Slot<'_, CounterRecord>, _: Timestamp) -> Count {
        Count(record.get().map(|count| count.0))
    }
}

/// Sets a counter, with a new TTL, and returns the previous value.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(crate) value: i64,
    pub(crate) ttl: Ttl,
}

impl Program for Set {
    type Record = CounterRecord;
    type Reply = Count;

    const SCRIPT: &'static Script = &Script::new(
        "counter-set",
        Effect::Once,
        "local held = redis.call('GET', KEYS[1])
         put(KEYS[1], num(tonumber(ARGV[1])), tonumber(ARGV[2]))
         return held",
    );

    arguments!(value, ttl);

    fn step(&self, record: &mut Slot<'_, CounterRecord>, _: Timestamp) -> Count {
        let held = record.get().map(|count| count.0);
        record.put(CounterRecord(self.value), self.ttl);
        Count(held)
    }
}

/// Removes a counter, and returns its value.
#[derive(Clone, Debug)]
pub(crate) struct Take;

impl Program for Take {
    type Record = CounterRecord;
    type Reply = Count;

    const SCRIPT: &'static Script = &Script::new(
        "counter-take",
        Effect::Once,
        "local held = redis.call('GET', KEYS[1])
         if held then del(KEYS[1]) end
         return held",
    )
    .runs_when_full();

    arguments!();

    fn step(&self, record: &mut Slot<'_, CounterRecord>, _: Timestamp) -> Count {
        let held = record.get().map(|count| count.0);
        record.remove();
        Count(held)
    }
}

/// A stored count. Bytes that no counter writes are treated as absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count(pub(super) Option<i64>);

impl FromWire for Count {
    fn from_wire(wire: Wire) -> Result<Self> {
        let Some(text) = wire.read::<Option<Bytes>>()? else {
            return Ok(Self(None));
        };
        let count = int(&text);
        if count.is_none() {
            count_poisoned(CounterRecord::KIND);
        }
        Ok(Self(count))
    }
}

impl FromWire for Added {
    fn from_wire(wire: Wire) -> Result<Self> {
        let (value, applied, bounded) = wire.read()?;
        Ok(Self {
            value,
            applied,
            bounded,
        })
    }
}

impl Arg for Bounds {
    fn write(&self, args: &mut Args) {
        (self.low, self.high).write(args);
    }
}

impl Arg for Overflow {
    fn write(&self, args: &mut Args) {
        args.text(match self {
            Self::Saturate => "saturate",
            Self::Refuse => "refuse",
        });
    }
}

impl Arg for TtlFrom {
    fn write(&self, args: &mut Args) {
        args.text(match self {
            Self::FirstWrite => "first",
            Self::LastWrite => "last",
        });
    }
}

/// The default bounds of a counter.
pub(crate) const WIDEST: Bounds = Bounds {
    low: -MAX_INT,
    high: MAX_INT,
};
