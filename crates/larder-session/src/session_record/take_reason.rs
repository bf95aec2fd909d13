use larder_store::program::prelude::*;

use super::{Held, SessionRecord, Tombstone, same};
use crate::token::SecretHash;

/// Takes the reason for which a session ended, once. Returns whether this call took it.
///
/// Only for a secret that opened the session. A session that it still opens is removed: it was seen to be revoked,
/// or nobody was given the secret.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct TakeReason {
    /// The hash of the secret that the request came with.
    pub(crate) hash: SecretHash,
    /// The time for which a taken reason is remembered.
    pub(crate) keep: Ttl,
}

impl Program for TakeReason {
    type Record = SessionRecord;
    type Reply = bool;

    const SCRIPT: &'static Script = &Script::new(
        "session-take-reason",
        Effect::Once,
        concat!(include_str!("layout.lua"), include_str!("take_reason.lua")),
    )
    .runs_when_full();

    arguments!(hash, keep);

    fn step(&self, record: &mut Slot<'_, SessionRecord>, now: Timestamp) -> bool {
        let Some(held) = record.get_mut() else {
            return false;
        };
        match &mut held.0 {
            Held::Ended(ended) => same(&ended.hash, &self.hash) && ended.reason.take().is_some(),
            Held::Live(stored) => {
                let is_same = same(&stored.hash, &self.hash);
                if is_same {
                    let ended =
                        Tombstone::new(self.hash, None, now.as_micros(), self.keep, [0; 16]);
                    record.put(SessionRecord(Held::Ended(ended)), self.keep);
                }
                is_same
            }
        }
    }
}
