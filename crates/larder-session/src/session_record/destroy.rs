use std::sync::Arc;

use larder_store::program::prelude::*;

use super::{Epoch, Held, SessionRecord, Stored, Tombstone};
use crate::EndReason;
use crate::end_reason::code_of;

/// Ends a session, and returns whether it is gone now: `false` if it does not match `whose`.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Destroy {
    pub(crate) whose: Whose,
    /// The reason that its browser is given. None leaves nothing behind.
    pub(crate) reason: Option<EndReason>,
    /// The time for which the reason is kept.
    pub(crate) keep: Ttl,
}

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
    type Reply = bool;

    const SCRIPT: &'static Script = &Script::new(
        "session-destroy",
        Effect::Idempotent,
        concat!(include_str!("layout.lua"), include_str!("destroy.lua")),
    )
    .runs_when_full();

    fn args(&self, args: &mut Args) {
        args.int(code_of(self.reason).into());
        (self.keep, &self.whose).write(args);
    }

    fn step(&self, record: &mut Slot<'_, SessionRecord>, now: Timestamp) -> bool {
        let now = now.as_micros();
        let held = record.get().and_then(|held| held.live(now));
        if !held.is_none_or(|held| self.ends(held)) {
            return false;
        }
        match (self.reason, held.map(|held| held.hash)) {
            (None, _) => record.remove(),
            // The reason of an earlier end stays.
            (Some(_), None) => {}
            (reason, Some(hash)) => {
                let ended = Tombstone::new(hash, reason, now, self.keep);
                record.put(SessionRecord(Held::Ended(ended)), self.keep);
            }
        }
        true
    }

    fn reply(&self, wire: Wire) -> Result<bool> {
        wire.read()
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
