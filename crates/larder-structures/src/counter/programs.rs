//! The programs on a counter, in Lua and in Rust. Both forms always do the same.

use larder_store::program::{
    Args, Effect, Inspection, MAX_INT, Program, Record, Script, Slot, Wire,
};
use larder_store::{Kind, Result, Timestamp, Ttl, count_poisoned};

use super::{Added, Bounds, Overflow, TtlFrom};
use crate::number::{int, int_lua};

/// The record of a counter, for [`inspect`](larder_store::program::Programs#method.inspect).
///
/// On Redis it is one string, the integer as text, as INCR keeps it.
#[derive(Debug)]
pub struct CounterRecord(i64);

impl Record for CounterRecord {
    const KIND: Kind = Kind::record("counter").partitioned();
    type Inspect = InspectCounter;
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

    fn args(&self, args: &mut Args) {
        args.int(self.by);
        args.int(self.bounds.low);
        args.int(self.bounds.high);
        args.text(match self.overflow {
            Overflow::Saturate => "saturate",
            Overflow::Refuse => "refuse",
        });
        args.int(self.ttl.as_millis() as i64);
        args.text(match self.ttl_from {
            TtlFrom::FirstWrite => "first",
            TtlFrom::LastWrite => "last",
        });
    }

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

    fn reply(&self, wire: Wire) -> Result<Added> {
        let [value, applied, bounded] = wire.array()?;
        Ok(Added {
            value: value.int()?,
            applied: applied.int()?,
            bounded: bounded.int()? == 1,
        })
    }
}

/// Reads a counter: on Redis one GET.
#[derive(Clone, Debug)]
pub(crate) struct Read;

impl Program for Read {
    type Record = CounterRecord;
    type Reply = Option<i64>;

    const SCRIPT: &'static Script = &Script::new(
        "counter-read",
        Effect::Read,
        "return redis.call('GET', KEYS[1])",
    )
    .as_command(&["GET"]);

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, CounterRecord>, _: Timestamp) -> Option<i64> {
        record.get().map(|count| count.0)
    }

    fn reply(&self, wire: Wire) -> Result<Option<i64>> {
        count(wire)
    }
}

/// Sets a counter, with a new TTL, and returns the value before.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(crate) value: i64,
    pub(crate) ttl: Ttl,
}

impl Program for Set {
    type Record = CounterRecord;
    type Reply = Option<i64>;

    const SCRIPT: &'static Script = &Script::new(
        "counter-set",
        Effect::Once,
        "local held = redis.call('GET', KEYS[1])
         put(KEYS[1], num(tonumber(ARGV[1])), tonumber(ARGV[2]))
         return held",
    );

    fn args(&self, args: &mut Args) {
        args.int(self.value);
        args.int(self.ttl.as_millis() as i64);
    }

    fn step(&self, record: &mut Slot<'_, CounterRecord>, _: Timestamp) -> Option<i64> {
        let held = record.get().map(|count| count.0);
        record.put(CounterRecord(self.value), self.ttl);
        held
    }

    fn reply(&self, wire: Wire) -> Result<Option<i64>> {
        count(wire)
    }
}

/// Removes a counter, and returns its value.
#[derive(Clone, Debug)]
pub(crate) struct Take;

impl Program for Take {
    type Record = CounterRecord;
    type Reply = Option<i64>;

    const SCRIPT: &'static Script = &Script::new(
        "counter-take",
        Effect::Once,
        "local held = redis.call('GET', KEYS[1])
         if held then del(KEYS[1]) end
         return held",
    )
    .runs_when_full();

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, CounterRecord>, _: Timestamp) -> Option<i64> {
        let held = record.get().map(|count| count.0);
        record.remove();
        held
    }

    fn reply(&self, wire: Wire) -> Result<Option<i64>> {
        count(wire)
    }
}

/// Shows the value to people and tools.
#[derive(Clone, Copy, Debug, Default)]
pub struct InspectCounter;

impl Program for InspectCounter {
    type Record = CounterRecord;
    type Reply = Inspection;

    const SCRIPT: &'static Script = &Script::new(
        "counter-inspect",
        Effect::Read,
        "local held = redis.call('GET', KEYS[1])
         if not held then return {} end
         return {'value', held}",
    );

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, CounterRecord>, _: Timestamp) -> Inspection {
        match record.get() {
            Some(count) => Inspection::new().with("value", count.0),
            None => Inspection::new(),
        }
    }

    fn reply(&self, wire: Wire) -> Result<Inspection> {
        Inspection::from_wire(wire)
    }
}

/// Reads a stored count. Bytes that no counter writes are a miss.
fn count(wire: Wire) -> Result<Option<i64>> {
    let text = match wire {
        Wire::Nil => return Ok(None),
        wire => wire.bytes()?,
    };
    let count = int(&text);
    if count.is_none() {
        count_poisoned(CounterRecord::KIND);
    }
    Ok(count)
}

/// The bounds that a counter has without others.
pub(crate) const WIDEST: Bounds = Bounds {
    low: -MAX_INT,
    high: MAX_INT,
};
