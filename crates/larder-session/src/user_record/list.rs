use larder_store::program::{Args, Effect, Program, Script, Slot, Wire};
use larder_store::{Result, Timestamp};

use super::UserRecord;
use super::enroll::id;
use crate::token::DeviceId;

/// Returns the sessions on a user's list, the one that ends first at the front. Some may be dead.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct ListSessions;

impl Program for ListSessions {
    type Record = UserRecord;
    type Reply = Vec<DeviceId>;

    const SCRIPT: &'static Script =
        &Script::new("session-list", Effect::Read, include_str!("list.lua"));

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, UserRecord>, now: Timestamp) -> Vec<DeviceId> {
        let live = record.get().map(|held| held.live(now.as_micros()));
        let live = live.unwrap_or_default().into_iter();
        sorted(live.map(|(id, ends)| (ends, id)).collect())
    }

    fn reply(&self, wire: Wire) -> Result<Vec<DeviceId>> {
        let mut live = Vec::new();
        let mut list = wire.list()?.into_iter();
        while let (Some(session), Some(ends)) = (list.next(), list.next()) {
            live.push((ends.int()?, id(session)?));
        }
        Ok(sorted(live))
    }
}

fn sorted(mut live: Vec<(i64, DeviceId)>) -> Vec<DeviceId> {
    live.sort_unstable();
    live.into_iter().map(|(_, id)| id).collect()
}
