use bytes::Bytes;
use larder_store::count_poisoned;
use larder_store::program::prelude::*;

use super::registers::Registers;

/// The record of a unique count, for [`inspect`](larder_store::program::Programs#method.inspect).
///
/// On Redis it is a HyperLogLog, as `PFADD` stores it.
#[derive(Debug, Default)]
pub struct UniqueRecord(pub(super) Registers);

record! {
    UniqueRecord, Kind::record("unique").partitioned(), parts ["", "merged"];
    /// Shows people and tools whether there is a count.
    pub InspectUnique = "unique-inspect",
    "local magic = redis.call('GETRANGE', KEYS[1], 0, 3)
     return magic == 'HYLL' and {'format', magic} or {}",
    |_held, shown| shown.with("format", "HYLL"),
}

/// Adds elements, and returns whether the count may have changed.
#[derive(Clone, Debug)]
pub(crate) struct Add {
    pub(super) ttl: Ttl,
    pub(super) elements: Vec<Bytes>,
}

impl Program for Add {
    type Record = UniqueRecord;
    type Reply = bool;

    const SCRIPT: &'static Script = &Script::new(
        "unique-add",
        Effect::Once,
        "local changed = redis.call('PFADD', KEYS[1], unpack(ARGV, 2))
         ttl(KEYS[1], ARGV[1])
         return changed",
    );

    arguments!(ttl, elements);

    fn step(&self, record: &mut Slot<'_, UniqueRecord>, _: Timestamp) -> bool {
        let held = record.update_or(self.ttl, UniqueRecord::default);
        let elements = self.elements.iter();
        elements.fold(false, |changed, element| held.0.add(element) | changed)
    }
}

/// Estimates the number of distinct elements.
#[derive(Clone, Debug)]
pub(crate) struct Count;

impl Program for Count {
    type Record = UniqueRecord;
    type Reply = u64;

    // PFCOUNT caches its result next to the registers, so the server treats it as a write.
    const SCRIPT: &'static Script = &Script::new(
        "unique-count",
        Effect::Idempotent,
        "-- Fails for any other type, so that an error below means a string that is not a sketch.
         redis.call('STRLEN', KEYS[1])
         local count = redis.pcall('PFCOUNT', KEYS[1])
         local error = type(count) == 'table' and count.err or ''
         if string.find(error, '^WRONGTYPE') or string.find(error, '^INVALIDOBJ') then return false end
         return count",
    )
    .runs_when_full();

    fn args(&self, _: &mut Args) {}

    fn reply(&self, wire: Wire) -> Result<u64> {
        Ok(wire.read::<Option<u64>>()?.unwrap_or_else(|| {
            count_poisoned(UniqueRecord::KIND);
            0
        }))
    }

    fn step(&self, record: &mut Slot<'_, UniqueRecord>, _: Timestamp) -> u64 {
        record.get().map_or(0, |held| held.0.count())
    }
}

/// Reads the registers, to count a union: on Redis one GET.
#[derive(Clone, Debug)]
pub(crate) struct ReadRegisters;

impl Program for ReadRegisters {
    type Record = UniqueRecord;
    type Reply = Registers;

    const SCRIPT: &'static Script = &Script::new(
        "unique-registers",
        Effect::Read,
        "return redis.call('GET', KEYS[1])",
    )
    .as_command(&["GET"]);

    fn args(&self, _: &mut Args) {}

    fn reply(&self, wire: Wire) -> Result<Registers> {
        let Some(bytes) = wire.read::<Option<Bytes>>()? else {
            return Ok(Registers::default());
        };
        Ok(Registers::decode(&bytes).unwrap_or_else(|| {
            count_poisoned(UniqueRecord::KIND);
            Registers::default()
        }))
    }

    fn step(&self, record: &mut Slot<'_, UniqueRecord>, _: Timestamp) -> Registers {
        record.get().map(|held| held.0.clone()).unwrap_or_default()
    }
}

/// Adds the elements of another sketch.
#[derive(Clone, Debug)]
pub(crate) struct Merge {
    pub(super) ttl: Ttl,
    pub(super) registers: Registers,
}

impl Program for Merge {
    type Record = UniqueRecord;
    type Reply = ();

    const SCRIPT: &'static Script = &Script::new(
        "unique-merge",
        Effect::Idempotent,
        "put(KEYS[2], ARGV[2], ARGV[1])
         local merged = redis.pcall('PFMERGE', KEYS[1], KEYS[2])
         del(KEYS[2])
         if merged.err then return merged end
         ttl(KEYS[1], ARGV[1])",
    );

    fn args(&self, args: &mut Args) {
        self.ttl.write(args);
        args.bytes(&self.registers.encode());
    }

    fn reply(&self, wire: Wire) -> Result<()> {
        wire.read()
    }

    fn step(&self, record: &mut Slot<'_, UniqueRecord>, _: Timestamp) {
        let held = record.update_or(self.ttl, UniqueRecord::default);
        held.0.merge(&self.registers);
    }
}

/// Removes the count, and returns whether there was one.
#[derive(Clone, Debug)]
pub(crate) struct Clear;

impl Program for Clear {
    type Record = UniqueRecord;
    type Reply = bool;

    const SCRIPT: &'static Script = &Script::new(
        "unique-clear",
        Effect::Once,
        "local held = redis.call('GETRANGE', KEYS[1], 0, 0) ~= ''
         del(KEYS[1])
         return held and 1 or 0",
    )
    .runs_when_full();

    arguments!();

    fn step(&self, record: &mut Slot<'_, UniqueRecord>, _: Timestamp) -> bool {
        let held = record.get().is_some();
        record.remove();
        held
    }
}
