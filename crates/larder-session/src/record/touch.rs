use larder_store::{Args, Effect, Program, Result, Script, Slot, Timestamp, Wire};

use super::SessionRecord;

/// Slides the idle deadline of a session, unless that was done a moment ago. It tells whether it did.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Touch {
    /// How long the session may be idle from here, in microseconds, unless its sign-in chose otherwise.
    pub(crate) idle: i64,
    /// For how long a session that was seen counts as seen just now, in microseconds.
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

    fn args(&self, args: &mut Args) {
        args.int(self.idle);
        args.int(self.touch);
    }

    fn step(&self, record: &mut Slot<'_, SessionRecord>, now: Timestamp) -> bool {
        let now = now.as_micros();
        let held = record.get().filter(|held| held.is_alive(now));
        let Some(held) = held else {
            return false;
        };
        let mut metadata = held.0.metadata.clone();
        if now - metadata.seen < metadata.choice.touch(self.touch) {
            return false;
        }
        let ttl = metadata.touch(now, self.idle);
        if let Some(held) = record.update(ttl) {
            held.0.metadata = metadata;
        }
        true
    }

    fn reply(&self, wire: Wire) -> Result<bool> {
        Ok(wire.int()? == 1)
    }
}
