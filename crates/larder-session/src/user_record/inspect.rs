use std::collections::BTreeMap;

use larder_store::program::prelude::*;

use super::UserRecord;
use crate::token::DeviceId;

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
        let (latest, spared, ids): (_, _, Wire) = wire.read()?;
        Ok(match latest {
            Some(latest) => show(latest, spared, &ids.pairs()?.into_iter().collect()),
            None => Inspection::new(),
        })
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
