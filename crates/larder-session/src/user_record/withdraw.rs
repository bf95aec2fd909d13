use larder_store::program::prelude::*;

use super::{UserRecord, until};
use crate::token::DeviceId;

/// Removes sessions that have ended from a user's list.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Withdraw {
    pub(crate) sessions: Vec<DeviceId>,
}

impl Program for Withdraw {
    type Record = UserRecord;
    type Reply = ();

    const SCRIPT: &'static Script = &Script::new(
        "session-withdraw",
        Effect::Idempotent,
        concat!(include_str!("entry.lua"), include_str!("withdraw.lua")),
    )
    .runs_when_full();

    arguments!(sessions);

    fn step(&self, record: &mut Slot<'_, UserRecord>, now: Timestamp) {
        let now = now.as_micros();
        let Some(held) = record.get() else {
            return;
        };
        let (ttl, latest) = until(held.latest, now);
        if let Some(held) = record.update(ttl) {
            held.latest = latest;
            held.sessions.retain(|id, _| !self.sessions.contains(id));
        }
    }
}
