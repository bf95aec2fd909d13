use bytes::Bytes;
use larder_store::count_poisoned;
use larder_store::program::prelude::*;

use super::{RevocationState, UserRecord};
use crate::token::DeviceId;

/// The length of an epoch, in bytes.
const EPOCH: usize = 16;

/// Returns the revocation state of a user: on Redis one HGET.
///
/// None if no session of the user is in force.
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
        let Some(bytes) = wire.read::<Option<Bytes>>()? else {
            return Ok(None);
        };
        let revocation = stored(&bytes);
        if revocation.is_none() {
            count_poisoned(UserRecord::KIND);
        }
        Ok(revocation)
    }
}

/// Parses the epoch, and the spared session after it.
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
