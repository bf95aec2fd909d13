use bytes::Bytes;
use larder_store::program::prelude::*;

use super::filter::{self, HEADER, Shape};

/// The record of a filter, for [`inspect`](larder_store::program::Programs#method.inspect).
///
/// On Redis it is one string; in process it is the same string.
#[derive(Debug, Default)]
pub struct FilterRecord(Vec<u8>);

record! {
    FilterRecord, Kind::record("filter").partitioned();
    /// Shows people and tools the parameters of a filter and its number of set bits.
    pub InspectFilter = "filter-inspect",
    "local header = redis.call('GETRANGE', KEYS[1], 0, 46)
     if header == '' then return {} end
     return {'header', header, 'bits', redis.call('BITCOUNT', KEYS[1], 48, -1)}",
    |held, shown| shown
        .with("header", String::from_utf8_lossy(&held.0[..HEADER - 1]))
        .with("bits", held.set_bits()),
}

impl FilterRecord {
    fn set_bits(&self) -> u64 {
        let bits = self.0.get(HEADER..).unwrap_or_default();
        bits.iter().map(|byte| u64::from(byte.count_ones())).sum()
    }
}

/// Adds elements, and returns for each whether it is certainly new. None if the filter has another
/// shape.
#[derive(Clone, Debug)]
pub(crate) struct Add {
    pub(super) shape: Shape,
    pub(super) ttl: Ttl,
    pub(super) elements: Vec<Bytes>,
}

impl Program for Add {
    type Record = FilterRecord;
    type Reply = Option<Vec<bool>>;

    const SCRIPT: &'static Script = &Script::new(
        "filter-add",
        Effect::Once,
        "local held = redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1)
         if held == '' then
           put(KEYS[1], ARGV[1], ARGV[3])
         elseif held ~= ARGV[1] then
           return false
         end
         local hashes, new = tonumber(ARGV[2]), {}
         for i = 4, #ARGV, hashes do
           local before = 0
           for j = i, i + hashes - 1 do
             before = before + redis.call('SETBIT', KEYS[1], ARGV[j], 1)
           end
           new[#new + 1] = before < hashes and 1 or 0
         end
         ttl(KEYS[1], ARGV[3])
         return new",
    );

    fn args(&self, args: &mut Args) {
        args.bytes(&self.shape.header());
        (self.shape.hashes, self.ttl).write(args);
        positions(self.shape, &self.elements, args);
    }

    fn reply(&self, wire: Wire) -> Result<Self::Reply> {
        wire.read()
    }

    fn step(&self, record: &mut Slot<'_, FilterRecord>, _: Timestamp) -> Self::Reply {
        let header = self.shape.header();
        if record.get().is_some_and(|held| held.0[..HEADER] != header) {
            return None;
        }
        let held = record.update_or(self.ttl, || FilterRecord(header.to_vec()));
        let elements = self.elements.iter();
        let add = |element: &Bytes| {
            let positions = self.shape.positions(element);
            positions.fold(false, |is_new, position| {
                !filter::set(&mut held.0, position) | is_new
            })
        };
        Some(elements.map(add).collect())
    }
}

/// Returns for each element whether it may be in the filter. None if the filter has another shape.
#[derive(Clone, Debug)]
pub(crate) struct Contains {
    pub(super) shape: Shape,
    pub(super) elements: Vec<Bytes>,
}

impl Program for Contains {
    type Record = FilterRecord;
    type Reply = Option<Vec<bool>>;

    const SCRIPT: &'static Script = &Script::new(
        "filter-contains",
        Effect::Read,
        "local held = redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1)
         if held ~= '' and held ~= ARGV[1] then return false end
         local hashes, found = tonumber(ARGV[2]), {}
         for i = 3, #ARGV, hashes do
           local is_in = 1
           for j = i, i + hashes - 1 do
             if redis.call('GETBIT', KEYS[1], ARGV[j]) == 0 then
               is_in = 0
               break
             end
           end
           found[#found + 1] = is_in
         end
         return found",
    );

    fn args(&self, args: &mut Args) {
        args.bytes(&self.shape.header());
        self.shape.hashes.write(args);
        positions(self.shape, &self.elements, args);
    }

    fn reply(&self, wire: Wire) -> Result<Self::Reply> {
        wire.read()
    }

    fn step(&self, record: &mut Slot<'_, FilterRecord>, _: Timestamp) -> Self::Reply {
        let held = record.get().map(|held| &held.0[..]).unwrap_or_default();
        if !held.is_empty() && held[..HEADER] != self.shape.header() {
            return None;
        }
        let is_in = |element: &Bytes| {
            let mut positions = self.shape.positions(element);
            positions.all(|position| filter::get(held, position))
        };
        Some(self.elements.iter().map(is_in).collect())
    }
}

fn positions(shape: Shape, elements: &[Bytes], args: &mut Args) {
    for element in elements {
        for position in shape.positions(element) {
            position.write(args);
        }
    }
}

/// Counts the set bits. None if the filter has another shape.
#[derive(Clone, Debug)]
pub(crate) struct CountBits {
    pub(super) shape: Shape,
}

impl Program for CountBits {
    type Record = FilterRecord;
    type Reply = Option<u64>;

    const SCRIPT: &'static Script = &Script::new(
        "filter-count-bits",
        Effect::Read,
        "local held = redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1)
         if held ~= '' and held ~= ARGV[1] then return false end
         return redis.call('BITCOUNT', KEYS[1], #ARGV[1], -1)",
    );

    fn args(&self, args: &mut Args) {
        args.bytes(&self.shape.header());
    }

    fn reply(&self, wire: Wire) -> Result<Option<u64>> {
        wire.read()
    }

    fn step(&self, record: &mut Slot<'_, FilterRecord>, _: Timestamp) -> Option<u64> {
        match record.get() {
            Some(held) if held.0[..HEADER] != self.shape.header() => None,
            Some(held) => Some(held.set_bits()),
            None => Some(0),
        }
    }
}

/// Removes the filter, and returns whether there was one.
#[derive(Clone, Debug)]
pub(crate) struct Clear;

impl Program for Clear {
    type Record = FilterRecord;
    type Reply = bool;

    const SCRIPT: &'static Script = &Script::new(
        "filter-clear",
        Effect::Once,
        "local held = redis.call('GETRANGE', KEYS[1], 0, 0) ~= ''
         del(KEYS[1])
         return held and 1 or 0",
    )
    .runs_when_full();

    arguments!();

    fn step(&self, record: &mut Slot<'_, FilterRecord>, _: Timestamp) -> bool {
        let held = record.get().is_some();
        record.remove();
        held
    }
}

/// Reads the string of a filter, for the traces.
#[cfg(test)]
#[derive(Clone, Debug)]
pub(crate) struct ReadString;

#[cfg(test)]
impl Program for ReadString {
    type Record = FilterRecord;
    type Reply = Option<Bytes>;

    const SCRIPT: &'static Script = &Script::new(
        "filter-string",
        Effect::Read,
        "return redis.call('GET', KEYS[1])",
    );

    arguments!();

    fn step(&self, record: &mut Slot<'_, FilterRecord>, _: Timestamp) -> Option<Bytes> {
        record.get().map(|held| Bytes::from(held.0.clone()))
    }
}
