use bytes::Bytes;
use larder_store::count_poisoned;
use larder_store::program::prelude::*;

use super::{RevocationState, STATE, UserRecord};
use crate::EndReason;
use crate::token::DeviceId;

/// The length of an epoch, in bytes.
const EPOCH: usize = 16;

/// Returns the revocation state of a user: on Redis one GET.
///
/// None if no session of the user is in force. Bytes that cannot be read count as a disabled account.
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
    .as_command_on(STATE, &["GET"]);

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
        Ok(Some(revocation.unwrap_or(RevocationState::UNREADABLE)))
    }
}

/// Parses the epoch, the reason and whether the account is disabled, and the spared session after them.
pub(super) fn stored(bytes: &[u8]) -> Option<RevocationState> {
    let (epoch, rest) = bytes.split_at_checked(EPOCH)?;
    let [reason, disabled, spared @ ..] = rest else {
        return None;
    };
    let spared = match spared {
        [] => None,
        id => Some(DeviceId::parse(id)?),
    };
    Some(RevocationState {
        epoch: epoch.try_into().ok()?,
        reason: EndReason::of(*reason),
        is_disabled: *disabled != 0,
        spared,
    })
}
