use larder_store::program::prelude::*;

use super::SessionRecord;

/// Returns how many milliseconds the record of a session has left, rounded up; negative if there is none.
///
/// On Redis one PTTL. Next to a [`Read`](super::Read) it gives the time of the store.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Left;

const NONE: i64 = -2;

impl Program for Left {
    type Record = SessionRecord;
    type Reply = i64;

    const SCRIPT: &'static Script =
        &Script::new("session-left", Effect::Read, include_str!("left.lua")).as_command(&["PTTL"]);

    arguments!();

    fn step(&self, record: &mut Slot<'_, SessionRecord>, now: Timestamp) -> i64 {
        let Some(held) = record.get() else {
            return NONE;
        };
        super::millis(held.0.ends() - now.as_micros())
    }
}
