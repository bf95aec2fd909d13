use larder_store::program::prelude::*;

use super::{Generation, TagRecord, TagState};

/// Reads a tag for a value that is about to be stored, and makes its record if there is none.
///
/// A new tag counts as never changed. The record stays for at least `keep`, and up to twice as long,
/// so that most loads do not write it.
#[derive(Clone, Copy, Debug)]
pub struct NoteTag {
    /// The generation of a new tag.
    pub generation: Generation,
    /// How long a value that carries the tag may live, in microseconds.
    pub keep: i64,
}

impl Program for NoteTag {
    type Record = TagRecord;
    type Reply = TagState;

    const SCRIPT: &'static Script = &Script::new(
        "tag-note",
        Effect::Once,
        concat!(include_str!("tag.lua"), include_str!("note.lua")),
    );

    arguments!(generation, keep);

    fn step(&self, record: &mut Slot<'_, TagRecord>, now: Timestamp) -> TagState {
        let now = now.as_micros();
        let held = record.get().copied();
        let state = held.map_or(
            TagState {
                generation: self.generation,
                changed: Timestamp::from_micros(0),
            },
            |held| held.state,
        );
        if held.is_none_or(|held| held.until - now < self.keep) {
            let noted = TagRecord {
                state,
                until: now + 2 * self.keep,
            };
            record.put(noted, noted.ttl(now));
        }
        state
    }
}
