use larder_store::{
    Args, Effect, Program, Record, Result, Script, Slot, Timestamp, Wire, count_poisoned,
};

use super::{OwnerRecord, Standing};
use crate::record::wire as read;
use crate::token::DeviceId;

/// How long an epoch is, in bytes.
const EPOCH: usize = 16;

/// Answers which of a user's sessions are in force; nothing where none is. On Redis one HGET.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct ReadStanding;

impl Program for ReadStanding {
    type Record = OwnerRecord;
    type Reply = Option<Standing>;

    const SCRIPT: &'static Script = &Script::new(
        "session-standing",
        Effect::Read,
        include_str!("standing.lua"),
    )
    .as_command(&["HGET", "e"]);

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, OwnerRecord>, _: Timestamp) -> Option<Standing> {
        record.get().map(|held| held.standing)
    }

    fn reply(&self, wire: Wire) -> Result<Option<Standing>> {
        read::optional(wire, |wire| {
            let standing = stored(&wire.bytes()?);
            if standing.is_none() {
                count_poisoned(OwnerRecord::KIND);
            }
            Ok(standing)
        })
        .map(Option::flatten)
    }
}

/// The epoch, and behind it the session that is spared, if there is one.
fn stored(bytes: &[u8]) -> Option<Standing> {
    let (epoch, spared) = bytes.split_at_checked(EPOCH)?;
    let spared = match spared {
        [] => None,
        id => Some(DeviceId::parse(id)?),
    };
    Some(Standing {
        epoch: epoch.try_into().ok()?,
        spared,
    })
}
