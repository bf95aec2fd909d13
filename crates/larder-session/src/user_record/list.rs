use larder_store::program::prelude::*;

use super::UserRecord;
use crate::token::DeviceId;

/// Returns the sessions on a user's list, the one that ends first at the front. Some may be dead.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct ListSessions {
    /// Whether to return those too that a later sign-in ends.
    pub(crate) with_evicted: bool,
}

impl Program for ListSessions {
    type Record = UserRecord;
    type Reply = Vec<DeviceId>;

    const SCRIPT: &'static Script = &Script::new(
        "session-list",
        Effect::Read,
        concat!(include_str!("entry.lua"), include_str!("list.lua")),
    );

    fn args(&self, args: &mut Args) {
        self.with_evicted.write(args);
    }

    fn step(&self, record: &mut Slot<'_, UserRecord>, now: Timestamp) -> Vec<DeviceId> {
        let live = record.get().map(|held| held.live(now.as_micros()));
        let live = live.unwrap_or_default().into_iter();
        let live = live.filter(|(_, entry)| self.with_evicted || !entry.is_evicted);
        sorted(live.map(|(id, entry)| (id, entry.ends)).collect())
    }

    fn reply(&self, wire: Wire) -> Result<Vec<DeviceId>> {
        Ok(sorted(wire.pairs()?))
    }
}

fn sorted(mut live: Vec<(DeviceId, i64)>) -> Vec<DeviceId> {
    live.sort_unstable_by_key(|&(id, ends)| (ends, id));
    live.into_iter().map(|(id, _)| id).collect()
}
