use bytes::Bytes;
use larder_store::count_poisoned;
use larder_store::program::prelude::*;

use super::{Choice, SessionRecord, SessionUser};
use crate::session_key::DEVICE;

/// Reads a session for a list of devices, without its secret.
///
/// None if the session is dead or has no user.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Peek;

/// The parts of a session that a list of devices shows.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct Peeked {
    pub(crate) user: SessionUser,
    pub(crate) created: i64,
    pub(crate) seen: i64,
    pub(crate) idle_at: i64,
    pub(crate) absolute_at: i64,
    pub(crate) choice: Choice,
    pub(crate) device: Option<Bytes>,
}

impl Program for Peek {
    type Record = SessionRecord;
    type Reply = Option<Peeked>;

    const SCRIPT: &'static Script = &Script::new(
        "session-peek",
        Effect::Read,
        concat!(include_str!("layout.lua"), include_str!("peek.lua")),
    );

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, SessionRecord>, now: Timestamp) -> Option<Peeked> {
        let held = record.get().and_then(|held| held.live(now.as_micros()))?;
        let metadata = &held.metadata;
        Some(Peeked {
            user: metadata.user.clone()?,
            created: metadata.created,
            seen: metadata.seen,
            idle_at: metadata.idle_at,
            absolute_at: metadata.absolute_at,
            choice: metadata.choice,
            device: held.fields.get(DEVICE.name()).map(Bytes::copy_from_slice),
        })
    }

    fn reply(&self, wire: Wire) -> Result<Option<Peeked>> {
        if matches!(wire, Wire::Nil) {
            return Ok(None);
        }
        // One damaged session must not hide the others.
        let peeked = read(wire).ok();
        if peeked.is_none() {
            count_poisoned(SessionRecord::KIND);
        }
        Ok(peeked)
    }
}

fn read(wire: Wire) -> Result<Peeked> {
    let [
        user,
        epoch,
        since,
        all,
        method,
        created,
        seen,
        idle_at,
        absolute_at,
        idle,
        touch,
        expiry,
        device,
    ] = wire.array()?;
    let choice = Choice::read(idle.read()?, touch.read()?, expiry.read()?);
    Ok(Peeked {
        user: SessionUser {
            id: user.read::<String>()?.into(),
            epoch: epoch.read()?,
            since: since.read()?,
            all: all.read()?,
            method: method.read::<Option<String>>()?.map(Into::into),
        },
        created: created.read()?,
        seen: seen.read()?,
        idle_at: idle_at.read()?,
        absolute_at: absolute_at.read()?,
        choice: choice.ok_or_else(|| Wire::unexpected("the choice of a sign-in"))?,
        device: device.read()?,
    })
}
