use larder_store::program::{Args, Effect, Inspection, Program, Record, Script, Slot, Wire};
use larder_store::{Kind, Result, Timestamp, Ttl};

/// A count with an upper limit. On Redis a string.
#[derive(Debug)]
pub struct Tally(pub(super) i64);

impl Record for Tally {
    const KIND: Kind = Kind::record("law-tally");
    type Inspect = InspectTally;
}

/// Adds to a tally, and returns the sum.
///
/// Returns None, and changes nothing, if the sum would exceed the limit.
#[derive(Clone, Copy, Debug)]
pub struct Add {
    /// The number to add.
    pub by: i64,
    /// The maximum of the sum.
    pub limit: i64,
    /// The TTL of the tally from now on.
    pub ttl: Ttl,
}

impl Program for Add {
    type Record = Tally;
    type Reply = Option<i64>;

    // `limit - by`, because `held + by` may exceed 2^53, where Lua would round it.
    const SCRIPT: &'static Script = &Script::new(
        "law-add",
        Effect::Once,
        "local held = tonumber(redis.call('GET', KEYS[1]) or '0')
         local by = tonumber(ARGV[1])
         if held > tonumber(ARGV[2]) - by then return false end
         put(KEYS[1], num(held + by), tonumber(ARGV[3]))
         return num(held + by)",
    );

    fn args(&self, args: &mut Args) {
        args.int(self.by);
        args.int(self.limit);
        args.int(self.ttl.as_millis() as i64);
    }

    fn step(&self, record: &mut Slot<'_, Tally>, _: Timestamp) -> Option<i64> {
        let held = record.get().map_or(0, |tally| tally.0);
        if held > self.limit - self.by {
            return None;
        }
        record.put(Tally(held + self.by), self.ttl);
        Some(held + self.by)
    }

    fn reply(&self, wire: Wire) -> Result<Option<i64>> {
        wire.optional_int()
    }
}

/// Returns the count, or None if there is no tally.
#[derive(Clone, Copy, Debug)]
pub struct ReadTally;

impl Program for ReadTally {
    type Record = Tally;
    type Reply = Option<i64>;

    const SCRIPT: &'static Script = &Script::new(
        "law-read-tally",
        Effect::Read,
        "return redis.call('GET', KEYS[1])",
    );

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, Tally>, _: Timestamp) -> Option<i64> {
        record.get().map(|tally| tally.0)
    }

    fn reply(&self, wire: Wire) -> Result<Option<i64>> {
        wire.optional_int()
    }
}

/// Removes a tally, and returns whether there was one.
#[derive(Clone, Copy, Debug)]
pub struct ClearTally;

impl Program for ClearTally {
    type Record = Tally;
    type Reply = bool;

    const SCRIPT: &'static Script = &Script::new(
        "law-clear-tally",
        Effect::Once,
        // GET, because EXISTS does not check the type of the key.
        "local held = redis.call('GET', KEYS[1])
         del(KEYS[1])
         return held and 1 or 0",
    )
    .runs_when_full();

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, Tally>, _: Timestamp) -> bool {
        let there = record.get().is_some();
        record.remove();
        there
    }

    fn reply(&self, wire: Wire) -> Result<bool> {
        Ok(wire.int()? == 1)
    }
}

/// Returns the time of the store's clock.
///
/// It neither reads nor makes a record.
#[derive(Clone, Copy, Debug)]
pub struct TellTime;

impl Program for TellTime {
    type Record = Tally;
    type Reply = Timestamp;

    const SCRIPT: &'static Script =
        &Script::new("law-tell-time", Effect::Read, "return num(now())");

    fn args(&self, _: &mut Args) {}

    fn step(&self, _: &mut Slot<'_, Tally>, now: Timestamp) -> Timestamp {
        now
    }

    fn reply(&self, wire: Wire) -> Result<Timestamp> {
        wire.int().map(Timestamp::from_micros)
    }
}

/// Shows the count.
#[derive(Clone, Copy, Debug, Default)]
pub struct InspectTally;

impl Program for InspectTally {
    type Record = Tally;
    type Reply = Inspection;

    const SCRIPT: &'static Script = &Script::new(
        "law-inspect-tally",
        Effect::Read,
        "local held = redis.call('GET', KEYS[1])
         if not held then return {} end
         return {'count', held}",
    );

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, Tally>, _: Timestamp) -> Inspection {
        match record.get() {
            Some(tally) => Inspection::new().with("count", tally.0),
            None => Inspection::new(),
        }
    }

    fn reply(&self, wire: Wire) -> Result<Inspection> {
        Inspection::from_wire(wire)
    }
}
