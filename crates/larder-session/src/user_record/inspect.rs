use std::collections::BTreeMap;

use bytes::Bytes;
use larder_store::program::prelude::*;

use super::revocation_state::stored;
use super::{RevocationState, UserRecord};
use crate::token::DeviceId;

/// Shows the sessions on a user's list, when each ends at the latest, in microseconds, and what was
/// revoked.
#[derive(Clone, Copy, Debug, Default)]
pub struct InspectUser;

impl Program for InspectUser {
    type Record = UserRecord;
    type Reply = Inspection;

    const SCRIPT: &'static Script = &Script::new(
        "session-user-inspect",
        Effect::Read,
        concat!(include_str!("entry.lua"), include_str!("inspect.lua")),
    );

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, UserRecord>, _: Timestamp) -> Inspection {
        let Some(held) = record.get() else {
            return Inspection::new();
        };
        let sessions = held.sessions.iter().map(|(&id, entry)| (id, entry.ends));
        show(held.latest, Some(held.revocation), &sessions.collect())
    }

    fn reply(&self, wire: Wire) -> Result<Inspection> {
        let (latest, state, ids): (_, Option<Bytes>, Wire) = wire.read()?;
        let state = state.and_then(|state| stored(&state));
        Ok(match latest {
            Some(latest) => show(latest, state, &ids.pairs()?.into_iter().collect()),
            None => Inspection::new(),
        })
    }
}

fn show(
    latest: i64,
    state: Option<RevocationState>,
    sessions: &BTreeMap<DeviceId, i64>,
) -> Inspection {
    let mut shown = Inspection::new().with("ends_us", latest);
    if let Some(state) = state {
        if state.is_disabled {
            shown = shown.with("disabled", "yes");
        }
        if let Some(reason) = state.reason {
            shown = shown.with("revoked", format!("{reason:?}"));
        }
        if let Some(spared) = state.spared {
            shown = shown.with("spared", spared);
        }
    }
    for (id, ends) in sessions {
        shown = shown.with(format!("session {id}"), ends);
    }
    shown
}
