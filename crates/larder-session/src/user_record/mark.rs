use larder_store::program::prelude::*;

use super::UserRecord;
use crate::session_record::SessionUser;
use crate::token::DeviceId;

/// Marks a session that another one is about to end, and returns whether that one may.
///
/// A marked session can end no other, so of two that end each other at once only the first may. On the user's
/// record this is one step; the sessions are records of their own.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Mark {
    /// The session that asks, which must be in force and not marked itself.
    pub(crate) by: (DeviceId, SessionUser),
    /// The session that it ends, on the list or not.
    pub(crate) session: DeviceId,
    /// How long the mark holds, in microseconds. 0 takes back that of an earlier call.
    pub(crate) span: i64,
}

/// How long a mark holds, in microseconds: a minute.
///
/// Until then the session has ended, or the request that ends it has failed.
pub(crate) const MARKED: i64 = 60_000_000;

/// The number of marks that are kept: the oldest ones go first.
pub(super) const MAX: usize = 32;

/// A session that another one is about to end.
#[derive(Clone, Copy)]
pub(super) struct Marked {
    session: DeviceId,
    by: DeviceId,
    until: i64,
}

impl Program for Mark {
    type Record = UserRecord;
    type Reply = bool;

    const SCRIPT: &'static Script = &Script::new(
        "session-mark",
        Effect::Once,
        concat!(include_str!("entry.lua"), include_str!("mark.lua")),
    )
    .runs_when_full();

    fn args(&self, args: &mut Args) {
        let (by, user) = &self.by;
        ((by, user.epoch), (self.session, self.span)).write(args);
        args.int(MAX as i64);
    }

    fn step(&self, record: &mut Slot<'_, UserRecord>, now: Timestamp) -> bool {
        let now = now.as_micros();
        let (by, user) = &self.by;
        let Some(held) = record.get_mut() else {
            return false;
        };
        let may_end = held.revocation.covers(*by, user) && !held.is_marked(*by, now);
        if self.span > 0 && !may_end {
            return false;
        }
        held.marks.retain(|mark| {
            let is_this = (mark.session, mark.by) == (self.session, *by);
            now < mark.until && !is_this
        });
        if self.span > 0 {
            let over = (held.marks.len() + 1).saturating_sub(MAX);
            held.marks.drain(..over);
            held.marks.push(Marked {
                session: self.session,
                by: *by,
                until: now + self.span,
            });
        }
        true
    }

    fn reply(&self, wire: Wire) -> Result<bool> {
        wire.read()
    }
}

impl UserRecord {
    /// Returns whether another session is about to end this one.
    pub(super) fn is_marked(&self, session: DeviceId, now: i64) -> bool {
        let mut marks = self.marks.iter();
        marks.any(|mark| mark.session == session && now < mark.until)
    }
}
