use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use larder_store::program::prelude::*;

use crate::number::{add, int, int_lua};

/// The record of a struct by its fields, for [`inspect`](larder_store::program::Programs#method.inspect).
///
/// On Redis it is a hash of JSON texts.
#[derive(Debug, Default)]
pub struct FieldsRecord(Fields);

/// Values by the names of their fields.
pub(super) type Fields = BTreeMap<Arc<str>, Bytes>;

record! {
    FieldsRecord, Kind::record("record").partitioned();
    /// Shows people and tools the number of fields. It shows none of them.
    pub InspectFields = "record-inspect",
    "local fields = redis.call('HLEN', KEYS[1])
     return fields > 0 and {'fields', fields} or {}",
    |held, shown| shown.with("fields", held.0.len()),
}

/// When fields are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Always, replacing the whole record.
    Instead,
    /// If there is no record.
    Absent,
    /// If there is one, beside its other fields.
    Present,
}

impl Arg for When {
    fn write(&self, args: &mut Args) {
        args.text(match self {
            Self::Instead => "instead",
            Self::Absent => "absent",
            Self::Present => "present",
        });
    }
}

/// The outcome of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// The record exists, or does not, contrary to the condition.
    Unmet,
    /// The record would have too many fields.
    Full,
    /// The number would be past 2^53.
    Past,
    /// The field has another value.
    Other,
}

impl FromWire for Outcome {
    fn from_wire(wire: Wire) -> Result<Self> {
        Ok(match &*wire.bytes()? {
            b"done" => Self::Done,
            b"unmet" => Self::Unmet,
            b"full" => Self::Full,
            b"past" => Self::Past,
            b"other" => Self::Other,
            _ => return Err(Wire::unexpected("an outcome of a record")),
        })
    }
}

/// Sets fields.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(super) ttl: Ttl,
    pub(super) max_fields: u32,
    pub(super) when: When,
    pub(super) fields: Vec<(Arc<str>, Bytes)>,
}

impl Program for Set {
    type Record = FieldsRecord;
    type Reply = Outcome;

    const SCRIPT: &'static Script = &Script::new(
        "record-set",
        Effect::Once,
        "local held = redis.call('HLEN', KEYS[1])
         if ARGV[3] == 'absent' and held > 0 or ARGV[3] == 'present' and held == 0 then
           return 'unmet'
         end
         local sum = ARGV[3] == 'instead' and 0 or held
         for i = 4, #ARGV, 2 do
           if ARGV[3] == 'instead' or redis.call('HEXISTS', KEYS[1], ARGV[i]) == 0 then sum = sum + 1 end
         end
         if sum > tonumber(ARGV[2]) then return 'full' end
         if ARGV[3] == 'instead' then del(KEYS[1]) end
         for i = 4, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
         ttl(KEYS[1], ARGV[1])
         return 'done'",
    );

    arguments!(ttl, max_fields, when, fields);

    fn step(&self, record: &mut Slot<'_, FieldsRecord>, _: Timestamp) -> Outcome {
        let empty = Fields::new();
        let held = record.get().map_or(&empty, |held| &held.0);
        match (self.when, held.is_empty()) {
            (When::Absent, false) | (When::Present, true) => return Outcome::Unmet,
            _ => {}
        }
        let keeps = self.when != When::Instead;
        let is_new = |field: &&(Arc<str>, Bytes)| !keeps || !held.contains_key(&field.0);
        let new = self.fields.iter().filter(is_new).count();
        let sum = new + if keeps { held.len() } else { 0 };
        if sum > self.max_fields as usize {
            return Outcome::Full;
        }
        let held = record.update_or(self.ttl, FieldsRecord::default);
        if !keeps {
            held.0.clear();
        }
        held.0.extend(self.fields.iter().cloned());
        Outcome::Done
    }
}

/// Reads some fields, or all if none is named. None if there is no record.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(super) fields: Vec<Arc<str>>,
}

/// The fields of an existing record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found(pub(super) Fields);

impl FromWire for Found {
    fn from_wire(wire: Wire) -> Result<Self> {
        let pairs = wire.pairs::<String, Bytes>()?.into_iter();
        let pairs = pairs.map(|(name, value)| (Arc::from(name), value));
        Ok(Self(pairs.collect()))
    }
}

impl Program for Read {
    type Record = FieldsRecord;
    type Reply = Option<Found>;

    const SCRIPT: &'static Script = &Script::new(
        "record-read",
        Effect::Read,
        "if redis.call('HLEN', KEYS[1]) == 0 then return false end
         if #ARGV == 0 then return redis.call('HGETALL', KEYS[1]) end
         local found = {}
         for i, value in ipairs(redis.call('HMGET', KEYS[1], unpack(ARGV))) do
           if value then
             found[#found + 1] = ARGV[i]
             found[#found + 1] = value
           end
         end
         return found",
    );

    arguments!(fields);

    fn step(&self, record: &mut Slot<'_, FieldsRecord>, _: Timestamp) -> Option<Found> {
        let held = record.get()?;
        let is_asked = |name: &Arc<str>| self.fields.is_empty() || self.fields.contains(name);
        let found = held.0.iter().filter(|(name, _)| is_asked(name));
        Some(Found(
            found
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        ))
    }
}

/// Adds to a number in a field of an existing record.
#[derive(Clone, Debug)]
pub(crate) struct Increment {
    pub(super) ttl: Ttl,
    pub(super) max_fields: u32,
    pub(super) field: Arc<str>,
    pub(super) by: i64,
}

impl Program for Increment {
    type Record = FieldsRecord;
    /// The outcome, and the number now.
    type Reply = (Outcome, i64);

    const SCRIPT: &'static Script = &Script::new(
        "record-increment",
        Effect::Once,
        concat!(
            int_lua!(),
            "local fields, by = redis.call('HLEN', KEYS[1]), tonumber(ARGV[4])
             if fields == 0 then return {'unmet', 0} end
             local text = redis.call('HGET', KEYS[1], ARGV[3])
             if not text and fields >= tonumber(ARGV[2]) then return {'full', 0} end
             local held = int(text or '0')
             if not held then return {'other', 0} end
             local limit = 9007199254740992
             if by > 0 and held > limit - by or by < 0 and held < -limit - by then
               return {'past', num(held)}
             end
             redis.call('HSET', KEYS[1], ARGV[3], num(held + by))
             ttl(KEYS[1], ARGV[1])
             return {'done', num(held + by)}",
        ),
    );

    arguments!(ttl, max_fields, field, by);

    fn step(&self, record: &mut Slot<'_, FieldsRecord>, _: Timestamp) -> (Outcome, i64) {
        let Some(fields) = record.get() else {
            return (Outcome::Unmet, 0);
        };
        let text = fields.0.get(&self.field);
        if text.is_none() && fields.0.len() >= self.max_fields as usize {
            return (Outcome::Full, 0);
        }
        let Some(held) = text.map_or(Some(0), |text| int(text)) else {
            return (Outcome::Other, 0);
        };
        let Some(sum) = add(held, self.by) else {
            return (Outcome::Past, held);
        };
        let text = Bytes::from(sum.to_string());
        let fields = record.update_or(self.ttl, FieldsRecord::default);
        fields.0.insert(self.field.clone(), text);
        (Outcome::Done, sum)
    }
}

/// Changes a field if it has the expected value.
#[derive(Clone, Debug)]
pub(crate) struct CompareAndSet {
    pub(super) ttl: Ttl,
    pub(super) max_fields: u32,
    pub(super) field: Arc<str>,
    /// None if the field must be absent.
    pub(super) expected: Option<Bytes>,
    /// None to remove the field.
    pub(super) new: Option<Bytes>,
}

impl Program for CompareAndSet {
    type Record = FieldsRecord;
    /// The outcome, and the value that the field had.
    type Reply = (Outcome, Option<Bytes>);

    const SCRIPT: &'static Script = &Script::new(
        "record-compare-and-set",
        Effect::Once,
        "local fields = redis.call('HLEN', KEYS[1])
         if fields == 0 then return {'unmet', false} end
         local held = redis.call('HGET', KEYS[1], ARGV[3])
         local expected = ARGV[4] == '1' and ARGV[5]
         if held ~= expected then return {'other', held} end
         if ARGV[6] == '1' then
           if not held and fields >= tonumber(ARGV[2]) then return {'full', false} end
           redis.call('HSET', KEYS[1], ARGV[3], ARGV[7])
         else
           redis.call('HDEL', KEYS[1], ARGV[3])
         end
         ttl(KEYS[1], ARGV[1])
         return {'done', held}",
    );

    fn args(&self, args: &mut Args) {
        (self.ttl, self.max_fields).write(args);
        self.field.write(args);
        for value in [&self.expected, &self.new] {
            (value.is_some(), value.as_deref().unwrap_or_default()).write(args);
        }
    }

    fn reply(&self, wire: Wire) -> Result<Self::Reply> {
        wire.read()
    }

    fn step(&self, record: &mut Slot<'_, FieldsRecord>, _: Timestamp) -> Self::Reply {
        let Some(fields) = record.get() else {
            return (Outcome::Unmet, None);
        };
        let (many, held) = (fields.0.len(), fields.0.get(&self.field).cloned());
        if held != self.expected {
            return (Outcome::Other, held);
        }
        if held.is_none() && self.new.is_some() && many >= self.max_fields as usize {
            return (Outcome::Full, None);
        }
        let fields = record.update_or(self.ttl, FieldsRecord::default);
        match &self.new {
            Some(new) => fields.0.insert(self.field.clone(), new.clone()),
            None => fields.0.remove(&self.field),
        };
        if fields.0.is_empty() {
            record.remove();
        }
        (Outcome::Done, held)
    }
}

/// Removes the record, and returns whether there was one.
#[derive(Clone, Debug)]
pub(crate) struct Remove;

impl Program for Remove {
    type Record = FieldsRecord;
    type Reply = bool;

    const SCRIPT: &'static Script = &Script::new(
        "record-remove",
        Effect::Once,
        "local held = redis.call('HLEN', KEYS[1]) > 0
         del(KEYS[1])
         return held and 1 or 0",
    )
    .runs_when_full();

    arguments!();

    fn step(&self, record: &mut Slot<'_, FieldsRecord>, _: Timestamp) -> bool {
        let held = record.get().is_some();
        record.remove();
        held
    }
}
