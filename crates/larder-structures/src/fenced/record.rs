use bytes::Bytes;
use larder_store::program::prelude::*;

use crate::number::int_lua;

/// A value, and the newest fence that has written it.
///
/// On Redis it is one string: the fence, the end of the value, and the value.
#[derive(Clone, Debug)]
pub struct FencedValue {
    fence: i64,
    ends: i64,
    value: Bytes,
}

record! {
    FencedValue, Kind::record("fenced");
    /// Shows the newest fence, when the value ends, and its length.
    pub InspectFenced = "fenced-inspect",
    include_str!("inspect.lua"),
    |held, shown| shown
        .with("newest_fence", held.fence)
        .with("value_ends_us", held.ends)
        .with("bytes", held.value.len()),
}

/// Writes a value, unless a newer fence has written before.
#[derive(Clone, Debug)]
pub(crate) struct PutFenced {
    pub(crate) fence: i64,
    pub(crate) life_us: i64,
    /// How long the record lives: at least as long as the value.
    pub(crate) memory: Ttl,
    pub(crate) value: Bytes,
}

impl Program for PutFenced {
    type Record = FencedValue;
    /// Whether it was written, and the newest fence then.
    type Reply = (bool, i64);

    const SCRIPT: &'static Script = &Script::new(
        "fenced-put",
        Effect::Once,
        concat!(int_lua!(), include_str!("put.lua")),
    );

    arguments!(fence, life_us, memory, value);

    fn step(&self, record: &mut Slot<'_, FencedValue>, now: Timestamp) -> (bool, i64) {
        if let Some(held) = record.get().filter(|held| held.fence > self.fence) {
            return (false, held.fence);
        }
        let next = FencedValue {
            fence: self.fence,
            ends: now.as_micros() + self.life_us,
            value: self.value.clone(),
        };
        record.put(next, self.memory);
        (true, self.fence)
    }
}

/// Reads the value and the fence that wrote it.
#[derive(Clone, Debug)]
pub(crate) struct GetFenced;

impl Program for GetFenced {
    type Record = FencedValue;
    type Reply = Option<(i64, Bytes)>;

    const SCRIPT: &'static Script = &Script::new(
        "fenced-get",
        Effect::Read,
        concat!(int_lua!(), include_str!("get.lua")),
    );

    arguments!();

    fn step(&self, record: &mut Slot<'_, FencedValue>, now: Timestamp) -> Self::Reply {
        let held = record.get().filter(|held| held.ends > now.as_micros())?;
        Some((held.fence, held.value.clone()))
    }
}
