use bytes::Bytes;
use larder_store::count_poisoned;
use larder_store::program::prelude::*;

use super::SessionRecord;
use super::stored::{self, Held};

/// Reads a session, or what is left of one: on Redis one GET. The caller checks the secret.
///
/// It compares no deadline: the key expires when the session ends.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Read;

impl Program for Read {
    type Record = SessionRecord;
    type Reply = Option<Held>;

    const SCRIPT: &'static Script =
        &Script::new("session-read", Effect::Read, include_str!("read.lua")).as_command(&["GET"]);

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, SessionRecord>, _: Timestamp) -> Option<Held> {
        record.get().map(|held| held.0.clone())
    }

    fn reply(&self, wire: Wire) -> Result<Option<Held>> {
        let Some(bytes) = wire.read::<Option<Bytes>>()? else {
            return Ok(None);
        };
        let stored = stored::read(&bytes);
        if stored.is_none() {
            count_poisoned(SessionRecord::KIND);
        }
        Ok(stored)
    }
}
