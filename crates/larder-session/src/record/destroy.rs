use std::sync::Arc;

use larder_store::{Args, Effect, Program, Result, Script, Slot, Timestamp, Wire};

use super::SessionRecord;

/// Ends a session, and answers whether it is gone now: it is not where it is another user's.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Destroy {
    /// The user whose session it has to be; nothing where it may be anybody's.
    pub(crate) of: Option<Arc<str>>,
}

impl Program for Destroy {
    type Record = SessionRecord;
    type Reply = bool;

    const SCRIPT: &'static Script = &Script::new(
        "session-destroy",
        Effect::Idempotent,
        include_str!("destroy.lua"),
    )
    .runs_when_full();

    fn args(&self, args: &mut Args) {
        if let Some(user) = &self.of {
            args.text(user);
        }
    }

    fn step(&self, record: &mut Slot<'_, SessionRecord>, _: Timestamp) -> bool {
        if let (Some(user), Some(held)) = (&self.of, record.get()) {
            let owner = held.about.owner.as_ref();
            if owner.is_none_or(|owner| owner.user != *user) {
                return false;
            }
        }
        record.remove();
        true
    }

    fn reply(&self, wire: Wire) -> Result<bool> {
        Ok(wire.int()? == 1)
    }
}
