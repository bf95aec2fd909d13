use std::collections::BTreeMap;

use larder_store::program::prelude::*;

use crate::number::int_lua;

/// The record of bucketed counts, for [`inspect`](larder_store::program::Programs#method.inspect).
///
/// On Redis it is a hash: a field for each bucket, and one for the newest of each level and how many it has.
#[derive(Debug, Default)]
pub struct BucketsRecord {
    /// By the step of their level, in microseconds.
    levels: BTreeMap<i64, Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    newest: i64,
    buckets: BTreeMap<i64, i64>,
}

record! {
    BucketsRecord, Kind::record("buckets").partitioned();
    /// Shows people and tools the number of buckets.
    pub InspectBuckets = "buckets-inspect",
    "local fields, newest = redis.call('HLEN', KEYS[1]), 0
     if fields == 0 then return {} end
     for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
       if not string.find(field, ':', 1, true) then newest = newest + 1 end
     end
     return {'levels', newest, 'buckets', fields - newest}",
    |held, shown| shown
        .with("levels", held.levels.len())
        .with("buckets", held.levels.values().map(|it| it.buckets.len()).sum::<usize>()),
}

/// The length of a bucket in microseconds, and how many are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(super) step: i64,
    pub(super) keep: i64,
}

impl Arg for Step {
    fn write(&self, args: &mut Args) {
        (self.step, self.keep).write(args);
    }
}

/// Adds to the running bucket of each level. Returns false if one would be past 2^53: then none
/// changes.
#[derive(Clone, Debug)]
pub(crate) struct Add {
    pub(super) by: i64,
    pub(super) ttl: Ttl,
    pub(super) levels: Vec<Step>,
}

impl Program for Add {
    type Record = BucketsRecord;
    type Reply = bool;

    const SCRIPT: &'static Script = &Script::new(
        "buckets-add",
        Effect::Once,
        concat!(int_lua!(), include_str!("record.lua")),
    );

    arguments!(by, ttl, levels);

    fn step(&self, record: &mut Slot<'_, BucketsRecord>, now: Timestamp) -> bool {
        let now = now.as_micros();
        let count = |level: &Step| {
            let counts = record.get()?.levels.get(&level.step)?;
            counts.buckets.get(&now.div_euclid(level.step)).copied()
        };
        let is_past = |level: &Step| self.by > MAX_INT - count(level).unwrap_or(0);
        if self.levels.iter().any(is_past) {
            return false;
        }
        let held = record.update_or(self.ttl, BucketsRecord::default);
        for level in &self.levels {
            let bucket = now.div_euclid(level.step);
            let counts = held.levels.entry(level.step).or_default();
            if counts.buckets.is_empty() || bucket > counts.newest {
                counts.newest = bucket;
                counts.buckets.retain(|old, _| *old > bucket - level.keep);
            }
            if bucket > counts.newest - level.keep {
                *counts.buckets.entry(bucket).or_default() += self.by;
            }
        }
        true
    }
}

/// Reads the last buckets of a level: the number of the running one, and the counts, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(super) step: i64,
    pub(super) many: i64,
}

impl Program for Read {
    type Record = BucketsRecord;
    type Reply = (i64, Vec<i64>);

    const SCRIPT: &'static Script = &Script::new(
        "buckets-read",
        Effect::Read,
        concat!(
            int_lua!(),
            "local now, step, many = now(), tonumber(ARGV[1]), tonumber(ARGV[2])
             local running = (now - now % step) / step
             local fields, counts = {}, {}
             for i = 1, many do fields[i] = ARGV[1] .. ':' .. num(running - many + i) end
             for i, text in ipairs(redis.call('HMGET', KEYS[1], unpack(fields))) do
               counts[i] = num(int(text) or 0)
             end
             return {num(running), counts}",
        ),
    );

    arguments!(step, many);

    fn step(&self, record: &mut Slot<'_, BucketsRecord>, now: Timestamp) -> (i64, Vec<i64>) {
        let running = now.as_micros().div_euclid(self.step);
        let counts = record.get().and_then(|held| held.levels.get(&self.step));
        let count = |bucket: i64| counts?.buckets.get(&bucket).copied();
        let counts = running - self.many + 1..=running;
        (running, counts.map(|it| count(it).unwrap_or(0)).collect())
    }
}
