use larder_store::program::prelude::*;

use super::{Metadata, SessionRecord};

/// Extends the idle deadline, unless that was done recently. Returns whether it did.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Touch {
    /// The idle time from now on, in microseconds, unless the sign-in chose another.
    pub(crate) idle: i64,
    /// Activity is recorded at most once in this time, in microseconds.
    pub(crate) touch: i64,
}

impl Program for Touch {
    type Record = SessionRecord;
    type Reply = bool;

    const SCRIPT: &'static Script = &Script::new(
        "session-touch",
        Effect::Idempotent,
        concat!(include_str!("layout.lua"), include_str!("touch.lua")),
    )
    .runs_when_full();

    arguments!(idle, touch);

    fn step(&self, record: &mut Slot<'_, SessionRecord>, now: Timestamp) -> bool {
        let now = now.as_micros();
        let Some(held) = record.get().and_then(|held| held.live(now)) else {
            return false;
        };
        let mut metadata = Metadata::clone(&held.metadata);
        if now - metadata.seen < metadata.choice.touch(self.touch) {
            return false;
        }
        let ttl = metadata.touch(now, self.idle);
        if let Some(held) = record.update(ttl).and_then(SessionRecord::live_mut) {
            held.metadata = metadata.into();
        }
        true
    }
}
