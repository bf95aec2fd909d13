use larder_store::program::prelude::*;

use super::{TagRecord, TagState};

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

    arguments!();

    fn step(&self, record: &mut Slot<'_, TagRecord>, _: Timestamp) -> Option<TagState> {
        record.get().map(|tag| tag.state)
    }
}
