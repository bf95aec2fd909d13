use std::collections::BTreeMap;

use larder_store::program::{Args, Effect, Inspection, Program, Script, Slot, Wire};
use larder_store::{Result, Timestamp};

use super::UserRecord;
use super::enroll::id;
use crate::token::DeviceId;
use crate::wire as read;

/// Shows the sessions on a user's list, and when each ends at the latest, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct InspectUser;

impl Program for InspectUser {
    type Record = UserRecord;
    type Reply = Inspection;

    const SCRIPT: &'static Script = &Script::new(
        "session-user-inspect",
        Effect::Read,
        include_str!("inspect.lua"),
    );

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, UserRecord>, _: Timestamp) -> Inspection {
        match record.get() {
            Some(held) => show(held.latest, held.revocation.spared, &held.sessions),
            None => Inspection::new(),
        }
    }

    fn reply(&self, wire: Wire) -> Result<Inspection> {
        let [latest, spared, ids] = wire.array()?;
        let Some(latest) = latest.optional_int()? else {
            return Ok(Inspection::new());
        };
        let mut sessions = BTreeMap::new();
        let mut list = ids.list()?.into_iter();
        while let (Some(session), Some(ends)) = (list.next(), list.next()) {
            sessions.insert(id(session)?, ends.int()?);
        }
        Ok(show(latest, read::optional(spared, id)?, &sessions))
    }
}

fn show(latest: i64, spared: Option<DeviceId>, sessions: &BTreeMap<DeviceId, i64>) -> Inspection {
    let mut shown = Inspection::new().with("ends_us", latest);
    if let Some(spared) = spared {
        shown = shown.with("spared", spared);
    }
    for (id, ends) in sessions {
        shown = shown.with(format!("session {id}"), ends);
    }
    shown
}
