use std::collections::BTreeMap;

use larder_store::program::prelude::*;

use super::{RevocationState, UserRecord, until};
use crate::EndReason;
use crate::session_record::{Epoch, SessionUser};
use crate::token::DeviceId;

/// Revokes all sessions of a user in one step, whether they are on the list or not.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Revoke {
    /// The new epoch.
    pub(crate) epoch: Epoch,
    /// The reason that the browsers are given.
    pub(crate) reason: EndReason,
    /// How long nobody can sign in to the account, in microseconds. 0 leaves that unchanged.
    pub(crate) disabled: i64,
    /// The one session that stays in force.
    pub(crate) spared: Option<DeviceId>,
    /// The session that requests it, which must be in force itself and not be marked. None if the app requests it.
    pub(crate) by: Option<(DeviceId, SessionUser)>,
}

/// The result of a revocation.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Revocation {
    /// It is in force. These sessions were on the list, and can be deleted.
    Done(Vec<DeviceId>),
    /// Nothing was done: the requesting session was no longer in force.
    Gone,
}

impl Program for Revoke {
    type Record = UserRecord;
    type Reply = Revocation;

    const SCRIPT: &'static Script = &Script::new(
        "session-revoke",
        Effect::Idempotent,
        concat!(include_str!("entry.lua"), include_str!("revoke.lua")),
    )
    .runs_when_full();

    fn args(&self, args: &mut Args) {
        args.bytes(&self.epoch);
        args.int(self.reason.code().into());
        (self.disabled, self.spared).write(args);
        match &self.by {
            Some((session, user)) => (session, user.epoch).write(args),
            None => ("", "").write(args),
        }
    }

    fn step(&self, record: &mut Slot<'_, UserRecord>, now: Timestamp) -> Revocation {
        let now = now.as_micros();
        let held = record.get();
        let before = held.map(|held| &held.revocation);
        if before.is_none() && self.disabled == 0 {
            return match self.by {
                Some(_) => Revocation::Gone,
                None => Revocation::Done(Vec::new()),
            };
        }
        let ran = before.is_some_and(|before| before.epoch == self.epoch);
        let may = self.by.as_ref().is_none_or(|(session, user)| {
            let is_marked = held.is_some_and(|held| held.is_marked(*session, now));
            !is_marked && before.is_some_and(|before| before.covers(*session, user))
        });
        if !ran && !may {
            return Revocation::Gone;
        }
        let is_disabled = self.disabled > 0 || before.is_some_and(|before| before.is_disabled);
        let live = held.map(|held| held.live(now)).unwrap_or_default();
        let ids = live.into_keys().filter(|id| Some(*id) != self.spared);
        let ids = ids.collect();
        let mut latest = held.map_or(0, |held| held.latest);
        if self.disabled > 0 {
            latest = latest.max(now + self.disabled);
        }
        let (ttl, latest) = until(latest, now);
        let held = record.update_or(ttl, || UserRecord::empty(self.epoch));
        held.latest = latest;
        held.revocation = RevocationState {
            epoch: self.epoch,
            reason: Some(self.reason),
            is_disabled,
            spared: self.spared,
        };
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

impl UserRecord {
    /// Returns the record of a user who has never signed in.
    fn empty(epoch: Epoch) -> Self {
        Self {
            revocation: RevocationState::new(epoch),
            latest: 0,
            since: -1,
            sessions: BTreeMap::new(),
            marks: Vec::new(),
        }
    }
}
