use std::sync::Arc;

use larder_store::program::prelude::*;

use super::{Epoch, SessionRecord};

/// Ends a session, and returns whether it is gone now: `false` if it does not match `whose`.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Destroy {
    pub(crate) whose: Whose,
}

/// Which session may be ended.
#[derive(Clone)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Whose {
    Anyone,
    Of(Arc<str>),
    /// A session of this user with another epoch than this, so without a later sign-in.
    OfBefore(Arc<str>, Epoch),
    /// Of this user, signed in before this moment of the user's record.
    SignedInBefore(Arc<str>, i64),
}

impl Arg for Whose {
    fn write(&self, args: &mut Args) {
        match self {
            Self::Anyone => {}
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

    arguments!(whose);

    fn step(&self, record: &mut Slot<'_, SessionRecord>, now: Timestamp) -> bool {
        let ends = |held: &SessionRecord| {
            let held = held.0.metadata.user.as_ref();
            match &self.whose {
                Whose::Anyone => true,
                Whose::Of(user) => held.is_some_and(|held| held.id == *user),
                Whose::OfBefore(user, epoch) => {
                    held.is_some_and(|held| held.id == *user && held.epoch != *epoch)
                }
                Whose::SignedInBefore(user, moment) => {
                    held.is_some_and(|held| held.id == *user && held.since < *moment)
                }
            }
        };
        let held = record.get().filter(|held| held.is_alive(now.as_micros()));
        if !held.is_none_or(ends) {
            return false;
        }
        record.remove();
        true
    }
}
