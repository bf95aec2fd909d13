use larder_store::program::prelude::*;

use super::{RevocationState, UserRecord, until};
use crate::session_record::{Epoch, SessionUser};
use crate::token::DeviceId;

/// Revokes all sessions of a user in one step, whether they are on the list or not.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Revoke {
    /// The new epoch.
    pub(crate) epoch: Epoch,
    /// The one session that stays in force.
    pub(crate) spared: Option<DeviceId>,
    /// The session that asks, which must be in force itself. None if the app asks.
    pub(crate) by: Option<(DeviceId, SessionUser)>,
}

/// The result of a revocation.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Revocation {
    /// It is in force. These sessions were on the list, and can be deleted.
    Done(Vec<DeviceId>),
    /// Nothing was done: the session that asked was not in force any more.
    Gone,
}

impl Program for Revoke {
    type Record = UserRecord;
    type Reply = Revocation;

    const SCRIPT: &'static Script = &Script::new(
        "session-revoke",
        Effect::Idempotent,
        include_str!("revoke.lua"),
    )
    .runs_when_full();

    fn args(&self, args: &mut Args) {
        (self.epoch, self.spared).write(args);
        match &self.by {
            Some((session, user)) => (session, user.epoch).write(args),
            None => ("", "").write(args),
        }
    }

    fn step(&self, record: &mut Slot<'_, UserRecord>, now: Timestamp) -> Revocation {
        let now = now.as_micros();
        let Some(held) = record.get() else {
            return match self.by {
                Some(_) => Revocation::Gone,
                None => Revocation::Done(Vec::new()),
            };
        };
        let may =
            |(session, user): &(DeviceId, SessionUser)| held.revocation.covers(*session, user);
        if held.revocation.epoch != self.epoch && !self.by.as_ref().is_none_or(may) {
            return Revocation::Gone;
        }
        let live = held.live(now).into_keys();
        let ids = live.filter(|id| Some(*id) != self.spared).collect();
        let (ttl, latest) = until(held.latest, now);
        if let Some(held) = record.update(ttl) {
            held.latest = latest;
            held.revocation = RevocationState {
                epoch: self.epoch,
                spared: self.spared,
            };
        }
        Revocation::Done(ids)
    }

    fn reply(&self, wire: Wire) -> Result<Revocation> {
        let (is_gone, mut ids): (bool, Vec<_>) = wire.read()?;
        if is_gone {
            return Ok(Revocation::Gone);
        }
        ids.sort_unstable();
        Ok(Revocation::Done(ids))
    }
}
