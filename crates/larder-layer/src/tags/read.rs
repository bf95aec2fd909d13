use larder_store::program::{Args, Effect, Inspection, Program, Script, Slot, Wire};
use larder_store::{Result, Timestamp};

use super::{TagRecord, TagState, state};

/// Reads a tag. None if it has no record.
#[derive(Clone, Copy, Debug)]
pub struct ReadTag;

impl Program for ReadTag {
    type Record = TagRecord;
    type Reply = Option<TagState>;

    const SCRIPT: &'static Script = &Script::new(
        "tag-read",
        Effect::Read,
        concat!(include_str!("tag.lua"), include_str!("read.lua")),
    );

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, TagRecord>, _: Timestamp) -> Option<TagState> {
        record.get().map(|tag| tag.state)
    }

    fn reply(&self, wire: Wire) -> Result<Option<TagState>> {
        match wire {
            Wire::Nil => Ok(None),
            wire => state(wire).map(Some),
        }
    }
}

/// Shows when a tag was last changed, and when its record expires.
#[derive(Clone, Copy, Debug, Default)]
pub struct InspectTag;

impl Program for InspectTag {
    type Record = TagRecord;
    type Reply = Inspection;

    const SCRIPT: &'static Script = &Script::new(
        "tag-inspect",
        Effect::Read,
        concat!(include_str!("tag.lua"), include_str!("inspect.lua")),
    );

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, TagRecord>, _: Timestamp) -> Inspection {
        match record.get() {
            Some(tag) => Inspection::new()
                .with("changed_us", tag.state.changed.as_micros())
                .with("until_us", tag.until),
            None => Inspection::new(),
        }
    }

    fn reply(&self, wire: Wire) -> Result<Inspection> {
        Inspection::from_wire(wire)
    }
}
