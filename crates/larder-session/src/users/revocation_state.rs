use larder_store::{
    Args, Effect, Program, Record, Result, Script, Slot, Timestamp, Wire, count_poisoned,
};

use super::{RevocationState, UserRecord};
use crate::record::wire as read;
use crate::token::DeviceId;

/// How long an epoch is, in bytes.
const EPOCH: usize = 16;

/// Answers which of a user's sessions are in force; nothing where none is. On Redis one HGET.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct ReadRevocationState;

impl Program for ReadRevocationState {
    type Record = UserRecord;
    type Reply = Option<RevocationState>;

    const SCRIPT: &'static Script = &Script::new(
        "session-revocation-state",
        Effect::Read,
        include_str!("revocation_state.lua"),
    )
    .as_command(&["HGET", "e"]);

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, UserRecord>, _: Timestamp) -> Option<RevocationState> {
        record.get().map(|held| held.revocation)
    }

    fn reply(&self, wire: Wire) -> Result<Option<RevocationState>> {
        read::optional(wire, |wire| {
            let revocation = stored(&wire.bytes()?);
            if revocation.is_none() {
                count_poisoned(UserRecord::KIND);
            }
            Ok(revocation)
        })
        .map(Option::flatten)
    }
}

/// The epoch, and behind it the session that is spared, if there is one.
fn stored(bytes: &[u8]) -> Option<RevocationState> {
    let (epoch, spared) = bytes.split_at_checked(EPOCH)?;
    let spared = match spared {
        [] => None,
        id => Some(DeviceId::parse(id)?),
    };
    Some(RevocationState {
        epoch: epoch.try_into().ok()?,
        spared,
    })
}
