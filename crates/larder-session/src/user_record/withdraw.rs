use larder_store::program::prelude::*;

use super::{UserRecord, until};
use crate::token::DeviceId;

/// Removes sessions that have ended from a user's list, if they have been on it for long enough.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Withdraw {
    /// How long ago they must have been added, in microseconds.
    pub(crate) age: i64,
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

    arguments!(age, sessions);

    fn step(&self, record: &mut Slot<'_, UserRecord>, now: Timestamp) {
        let now = now.as_micros();
        let Some(held) = record.get() else {
            return;
        };
        let (ttl, latest) = until(held.latest, now);
        if let Some(held) = record.update(ttl) {
            held.latest = latest;
            let is_old = |added: i64| self.age == 0 || added <= now - self.age;
            held.sessions
                .retain(|id, entry| !self.sessions.contains(id) || !is_old(entry.added));
        }
    }
}
