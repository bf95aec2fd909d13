use std::sync::Arc;

use larder_store::program::prelude::*;

use super::{Epoch, Held, SessionRecord, Stored, Tombstone};
use crate::EndReason;
use crate::end_reason::code_of;

/// Ends a session.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Destroy {
    pub(crate) whose: Whose,
    /// The reason that its browser is given. None leaves nothing behind.
    pub(crate) reason: Option<EndReason>,
    /// The time for which the reason is kept.
    pub(crate) keep: Ttl,
    /// Tells this call from others. A store may run it again after a lost answer.
    pub(crate) call: CallId,
}

/// Random bytes, kept with the reason.
pub(crate) type CallId = [u8; 16];

/// Which session may be ended.
#[derive(Clone)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Whose {
    /// One to which nobody is signed in.
    Nobody,
    Of(Arc<str>),
    /// A session of this user with an epoch other than this, so one without a later sign-in.
    OfBefore(Arc<str>, Epoch),
    /// Of this user, signed in before this moment of the user's record.
    SignedInBefore(Arc<str>, i64),
}

/// The result of the end of a session.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Destroyed {
    /// It does not match `whose`, and lives.
    Refused,
    /// This call has ended it.
    Ended,
    /// An earlier call has ended it, for the same reason. Its answer may have been lost.
    EndedBefore,
    /// There is no such session.
    Absent,
}

impl Destroyed {
    pub(crate) fn is_gone(self) -> bool {
        self != Self::Refused
    }

    /// Returns whether it was there, and has ended for the reason of this call.
    pub(crate) fn has_ended(self) -> bool {
        [Self::Ended, Self::EndedBefore].contains(&self)
    }
}

impl Arg for Whose {
    fn write(&self, args: &mut Args) {
        match self {
            Self::Nobody => {}
            Self::Of(user) => user.write(args),
            Self::OfBefore(user, epoch) => (user, epoch).write(args),
            Self::SignedInBefore(user, moment) => ((user, ""), *moment).write(args),
        }
    }
}

impl Program for Destroy {
    type Record = SessionRecord;
    type Reply = Destroyed;

    const SCRIPT: &'static Script = &Script::new(
        "session-destroy",
        Effect::Idempotent,
        concat!(include_str!("layout.lua"), include_str!("destroy.lua")),
    )
    .runs_when_full();

    fn args(&self, args: &mut Args) {
        args.int(code_of(self.reason).into());
        ((self.keep, self.call), &self.whose).write(args);
    }

    fn step(&self, record: &mut Slot<'_, SessionRecord>, now: Timestamp) -> Destroyed {
        let now = now.as_micros();
        let held = record.get().and_then(|held| held.live(now));
        if !held.is_none_or(|held| self.ends(held)) {
            return Destroyed::Refused;
        }
        match (self.reason, held.map(|held| held.hash)) {
            (None, hash) => {
                record.remove();
                match hash {
                    Some(_) => Destroyed::Ended,
                    None => Destroyed::Absent,
                }
            }
            // The reason of an earlier end stays.
            (reason, None) => match record.get() {
                Some(SessionRecord(Held::Ended(ended))) if ended.reason == reason => {
                    match ended.call == self.call {
                        true => Destroyed::Ended,
                        false => Destroyed::EndedBefore,
                    }
                }
                _ => Destroyed::Absent,
            },
            (reason, Some(hash)) => {
                let ended = Tombstone::new(hash, reason, now, self.keep, self.call);
                record.put(SessionRecord(Held::Ended(ended)), self.keep);
                Destroyed::Ended
            }
        }
    }

    fn reply(&self, wire: Wire) -> Result<Destroyed> {
        match wire.read::<i64>()? {
            0 => Ok(Destroyed::Refused),
            1 => Ok(Destroyed::Ended),
            2 => Ok(Destroyed::EndedBefore),
            3 => Ok(Destroyed::Absent),
            _ => Err(Wire::unexpected("the end of a session")),
        }
    }
}

impl Destroy {
    fn ends(&self, held: &Stored) -> bool {
        let held = held.metadata.user.as_ref();
        match &self.whose {
            Whose::Nobody => held.is_none(),
            Whose::Of(user) => held.is_some_and(|held| held.id == *user),
            Whose::OfBefore(user, epoch) => {
                held.is_some_and(|held| held.id == *user && held.epoch != *epoch)
            }
            Whose::SignedInBefore(user, moment) => {
                held.is_some_and(|held| held.id == *user && held.since < *moment)
            }
        }
    }
}
