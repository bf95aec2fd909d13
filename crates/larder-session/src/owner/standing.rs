use larder_store::{Args, Effect, Program, Result, Script, Slot, Timestamp, Wire};

use super::enroll::id;
use super::{OwnerRecord, Standing};
use crate::record::wire as read;

/// Answers which of a user's sessions are in force; nothing where none is.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct ReadStanding;

impl Program for ReadStanding {
    type Record = OwnerRecord;
    type Reply = Option<Standing>;

    const SCRIPT: &'static Script = &Script::new(
        "session-standing",
        Effect::Read,
        include_str!("standing.lua"),
    );

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, OwnerRecord>, now: Timestamp) -> Option<Standing> {
        let held = record.get()?;
        (now.as_micros() < held.latest).then_some(held.standing)
    }

    fn reply(&self, wire: Wire) -> Result<Option<Standing>> {
        read::optional(wire, |wire| {
            let [epoch, spared] = wire.array()?;
            Ok(Standing {
                epoch: read::epoch(&epoch.bytes()?)?,
                spared: read::optional(spared, id)?,
            })
        })
    }
}
