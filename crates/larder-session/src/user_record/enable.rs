use larder_store::program::prelude::*;

use super::UserRecord;

/// Lets the user of a disabled account sign in again. It does nothing if the account is not
/// disabled.
///
/// All sessions of a disabled account are revoked, so its record can go. So does a damaged one.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Enable;

impl Program for Enable {
    type Record = UserRecord;
    type Reply = ();

    const SCRIPT: &'static Script = &Script::new(
        "session-enable",
        Effect::Idempotent,
        concat!(include_str!("entry.lua"), include_str!("enable.lua")),
    )
    .runs_when_full();

    arguments!();

    fn step(&self, record: &mut Slot<'_, UserRecord>, _: Timestamp) {
        if record.get().is_some_and(|held| held.revocation.is_disabled) {
            record.remove();
        }
    }
}
