use bytes::Bytes;
use larder_store::program::prelude::*;

use super::change::Refused;
use super::{Change, Metadata, SessionRecord, weight};

/// Changes fields of a session, all or none. It never creates a session.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Apply {
    /// The generation of the session when the request read it.
    pub(crate) generation: i64,
    /// The idle time from now on, in microseconds.
    pub(crate) idle: i64,
    /// The limit of the data's weight.
    pub(crate) max_weight: i64,
    /// The changes, each of another field.
    pub(crate) changes: Vec<(Box<str>, Change)>,
}

/// The result of the changes.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Applied {
    /// They were made.
    Done,
    /// The session is gone, or belongs to another user.
    Gone,
    /// The field of a swap has this value by now.
    Conflict(Option<Bytes>),
    /// The field of a sum is not an integer, or the sum would be beyond 2^53.
    NotAnInteger,
    /// The data would weigh too much.
    TooLarge,
}

impl Program for Apply {
    type Record = SessionRecord;
    type Reply = Applied;

    const SCRIPT: &'static Script = &Script::new(
        "session-apply",
        Effect::Once,
        concat!(include_str!("layout.lua"), include_str!("apply.lua")),
    );

    fn args(&self, args: &mut Args) {
        args.int(self.generation);
        args.int(self.idle);
        args.int(self.max_weight);
        for (name, change) in &self.changes {
            change.args(name, args);
        }
    }

    fn step(&self, record: &mut Slot<'_, SessionRecord>, now: Timestamp) -> Applied {
        let now = now.as_micros();
        let held = record.get().and_then(|held| held.live(now));
        let held = held.filter(|held| held.metadata.generation == self.generation);
        let Some(held) = held else {
            return Applied::Gone;
        };
        let mut metadata = Metadata::clone(&held.metadata);
        let mut values = Vec::with_capacity(self.changes.len());
        for (name, change) in &self.changes {
            let old = held.fields.get(name).map(Bytes::copy_from_slice);
            let new = match change.of(old.as_ref()) {
                Ok(new) => new,
                Err(Refused::Conflict(held)) => return Applied::Conflict(held),
                Err(Refused::NotAnInteger) => return Applied::NotAnInteger,
            };
            metadata.bytes -= old.map_or(0, |old| weight(name, &old));
            metadata.bytes += new.as_ref().map_or(0, |new| weight(name, new));
            values.push((&**name, new));
        }
        if metadata.bytes > self.max_weight && metadata.bytes > held.metadata.bytes {
            return Applied::TooLarge;
        }
        let ttl = metadata.touch(now, self.idle);
        if let Some(held) = record.update(ttl).and_then(SessionRecord::live_mut) {
            held.metadata = metadata.into();
            let values = values.iter();
            held.fields = (held.fields).with(values.map(|(name, value)| (*name, value.as_deref())));
        }
        Applied::Done
    }

    fn reply(&self, wire: Wire) -> Result<Applied> {
        let mut list = wire.list()?.into_iter();
        let code: i64 = list.next().unwrap_or(Wire::Nil).read()?;
        Ok(match code {
            0 => Applied::Done,
            1 => Applied::Gone,
            2 => Applied::Conflict(list.next().unwrap_or(Wire::Nil).read()?),
            3 => Applied::NotAnInteger,
            4 => Applied::TooLarge,
            _ => return Err(Wire::unexpected("the result of the changes")),
        })
    }
}
