use std::sync::Arc;

use larder_store::program::{Args, Effect, Program, Record, Script, Slot, Wire};
use larder_store::{Result, Timestamp, count_poisoned};

use super::{Fields, Metadata, Secret, SessionRecord, same, stored};
use crate::token::SecretHash;

/// Reads a stored session: on Redis one GET. The caller checks the secret.
///
/// It compares no deadline: the key expires when the session ends.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Read;

/// A session as it is stored.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct Stored {
    pub(super) hash: SecretHash,
    /// The previous hash, and until when it still opens the session.
    pub(super) outdated: Option<(SecretHash, i64)>,
    pub(crate) metadata: Metadata,
    pub(crate) fields: Arc<Fields>,
}

impl Stored {
    /// Returns which secret `hash` is at `now`, in constant time. None if it opens nothing.
    pub(crate) fn opens(&self, hash: &SecretHash, now: i64) -> Option<Secret> {
        if same(&self.hash, hash) {
            return Some(Secret::Current);
        }
        let (outdated, until) = self.outdated.as_ref()?;
        (same(outdated, hash) && now < *until).then_some(Secret::Outdated)
    }
}

impl Program for Read {
    type Record = SessionRecord;
    type Reply = Option<Stored>;

    const SCRIPT: &'static Script =
        &Script::new("session-read", Effect::Read, include_str!("read.lua")).as_command(&["GET"]);

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, SessionRecord>, _: Timestamp) -> Option<Stored> {
        record.get().map(|held| held.0.clone())
    }

    fn reply(&self, wire: Wire) -> Result<Option<Stored>> {
        let Wire::Bytes(bytes) = wire else {
            return super::wire::optional(wire, |_| Err(Wire::unexpected("text")));
        };
        let stored = stored::read(&bytes);
        if stored.is_none() {
            count_poisoned(SessionRecord::KIND);
        }
        Ok(stored)
    }
}
