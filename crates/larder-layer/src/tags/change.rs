use larder_store::program::prelude::*;

use super::{Generation, TagRecord, TagState};

/// The effect of a change of a tag on the values that carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagChange {
    /// It removes them.
    Remove,
    /// It makes them stale. They may still be served where stale values are allowed.
    Expire,
}

impl Arg for TagChange {
    fn write(&self, args: &mut Args) {
        (*self == Self::Expire).write(args);
    }
}

/// Changes a tag, and so every value that carries it.
///
/// Afterwards the tag has a record for at least `keep`, so that running loads see the change.
#[derive(Clone, Copy, Debug)]
pub struct ChangeTag {
    /// The effect on the values.
    pub change: TagChange,
    /// A new generation. Never send the same one twice.
    pub generation: Generation,
    /// How long a load may run, in microseconds.
    pub keep: i64,
}

impl Program for ChangeTag {
    type Record = TagRecord;
    type Reply = TagState;

    const SCRIPT: &'static Script = &Script::new(
        "tag-change",
        Effect::Once,
        concat!(include_str!("tag.lua"), include_str!("change.lua")),
    )
    .runs_when_full();

    arguments!(generation, keep, change);

    fn step(&self, record: &mut Slot<'_, TagRecord>, now: Timestamp) -> TagState {
        let micros = now.as_micros();
        let held = record.get().copied();
        let generation = match (self.change, held) {
            (TagChange::Expire, Some(held)) => held.state.generation.expired_by(self.generation),
            _ => self.generation,
        };
        let changed = held.map_or(now, |held| held.state.changed.max(now));
        let until = held.map_or(0, |held| held.until).max(micros + self.keep);
        let tag = TagRecord {
            state: TagState {
                generation,
                changed,
            },
            until,
        };
        record.put(tag, tag.ttl(micros));
        tag.state
    }
}
