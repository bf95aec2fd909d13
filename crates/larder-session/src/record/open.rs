use std::sync::Arc;

use larder_store::{Args, Effect, Program, Result, Script, Slot, Timestamp, Wire};

use super::{About, Fields, Secret, SessionRecord, wire};
use crate::token::SecretHash;

/// Reads a session, if it is alive and the secret opens it. It slides the idle deadline, unless
/// that was done a moment ago.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Open {
    pub(crate) hash: SecretHash,
    /// How long the session may be idle from here, in microseconds.
    pub(crate) idle: i64,
    /// For how long a session that was seen counts as seen just now, in microseconds.
    pub(crate) touch: i64,
}

/// A session as it is.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct Opened {
    pub(crate) about: About,
    pub(crate) fields: Arc<Fields>,
    pub(crate) by: Secret,
}

impl Program for Open {
    type Record = SessionRecord;
    type Reply = Option<Opened>;

    const SCRIPT: &'static Script =
        &Script::new("session-open", Effect::Idempotent, include_str!("open.lua")).runs_when_full();

    fn args(&self, args: &mut Args) {
        args.bytes(&self.hash);
        args.int(self.idle);
        args.int(self.touch);
    }

    fn step(&self, record: &mut Slot<'_, SessionRecord>, now: Timestamp) -> Option<Opened> {
        let now = now.as_micros();
        let held = record.get().filter(|held| held.is_alive(now))?;
        let by = held.opens(&self.hash, now)?;
        let mut about = held.about.clone();
        let fields = held.fields.clone();
        if now - about.seen >= self.touch {
            let ttl = about.touch(now, self.idle);
            if let Some(held) = record.update(ttl) {
                held.about.seen = about.seen;
                held.about.idle_at = about.idle_at;
            }
        }
        Some(Opened { about, fields, by })
    }

    fn reply(&self, wire: Wire) -> Result<Option<Opened>> {
        wire::optional(wire, |wire| {
            let [outdated, all] = wire.array()?;
            let (about, fields) = wire::session(all)?;
            let by = match outdated.int()? {
                0 => Secret::Current,
                _ => Secret::Outdated,
            };
            Ok(Opened {
                about,
                fields: Arc::new(fields),
                by,
            })
        })
    }
}
