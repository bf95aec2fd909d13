use larder_store::program::{Args, Effect, Program, Script, Slot, Wire};
use larder_store::{Result, Timestamp};

use super::{UserRecord, until};
use crate::token::DeviceId;

/// Removes sessions that have ended from a user's list.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Withdraw(pub(crate) Vec<DeviceId>);

impl Program for Withdraw {
    type Record = UserRecord;
    type Reply = ();

    const SCRIPT: &'static Script = &Script::new(
        "session-withdraw",
        Effect::Idempotent,
        include_str!("withdraw.lua"),
    )
    .runs_when_full();

    fn args(&self, args: &mut Args) {
        for id in &self.0 {
            args.text(&id.text());
        }
    }

    fn step(&self, record: &mut Slot<'_, UserRecord>, now: Timestamp) {
        let now = now.as_micros();
        let Some(held) = record.get() else {
            return;
        };
        let (ttl, latest) = until(held.latest, now);
        if let Some(held) = record.update(ttl) {
            held.latest = latest;
            held.sessions.retain(|id, _| !self.0.contains(id));
        }
    }

    fn reply(&self, _: Wire) -> Result<()> {
        Ok(())
    }
}
