use larder_store::program::prelude::*;

use super::{Choice, Held, Metadata, SessionRecord, SessionUser, Stored, StoredFields, same};
use crate::token::SecretHash;

/// Gives a session a new secret, and a user at a sign-in. Returns the generation.
///
/// None, and no change, if the session is gone or has another secret by now. A sign-in may also use the
/// previous secret within its grace: then neither of the two opens the session any more.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Rotate {
    /// The hash of the secret that the request came with.
    pub(crate) from: SecretHash,
    /// The hash of the new secret.
    pub(crate) to: SecretHash,
    /// The idle time from now on, in microseconds.
    pub(crate) idle: i64,
    /// The time that the previous secret still opens the session, in microseconds; 0 at a sign-in.
    pub(crate) grace: i64,
    pub(crate) sign_in: Option<SignIn>,
}

/// The user and the lifetime that a sign-in gives a session.
#[derive(Clone)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct SignIn {
    /// The user, as the user's record gave it just before.
    pub(crate) user: SessionUser,
    /// The absolute time from now on, in microseconds.
    pub(crate) absolute: i64,
    pub(crate) choice: Choice,
}

impl Program for Rotate {
    type Record = SessionRecord;
    type Reply = Option<i64>;

    const SCRIPT: &'static Script = &Script::new(
        "session-rotate",
        Effect::Idempotent,
        concat!(include_str!("layout.lua"), include_str!("rotate.lua")),
    );

    fn args(&self, args: &mut Args) {
        ((self.from, self.to), (self.idle, self.grace)).write(args);
        if let Some(sign_in) = &self.sign_in {
            sign_in.user.write(args);
            (sign_in.absolute, sign_in.choice).write(args);
        }
    }

    fn step(&self, record: &mut Slot<'_, SessionRecord>, now: Timestamp) -> Option<i64> {
        let now = now.as_micros();
        let held = record.get().and_then(|held| held.live(now))?;
        if same(&held.hash, &self.to) {
            return Some(held.metadata.generation);
        }
        if !same(&held.hash, &self.from) && !self.signs_in_by_outdated(held) {
            return None;
        }
        let mut metadata = Metadata::clone(&held.metadata);
        let mut fields = held.fields.clone();
        if let Some(sign_in) = &self.sign_in {
            let before = metadata.user.replace(sign_in.user.clone());
            let before = before.map(|user| user.id);
            if before.as_ref() != Some(&sign_in.user.id) {
                metadata.generation += 1;
                if before.is_some() {
                    // Nothing that belongs to another user may stay.
                    fields = StoredFields::default();
                    metadata.bytes = 0;
                }
            }
            metadata.absolute_at = now + sign_in.absolute;
            metadata.choice = sign_in.choice;
        }
        let ttl = metadata.touch(now, self.idle);
        let generation = metadata.generation;
        let session = Stored {
            hash: self.to,
            rotated: if self.sign_in.is_none() { now } else { 0 },
            outdated: (self.grace > 0).then(|| Box::new((self.from, now + self.grace))),
            metadata: metadata.into(),
            fields,
        };
        record.put(SessionRecord(Held::Live(session)), ttl);
        Some(generation)
    }

    fn reply(&self, wire: Wire) -> Result<Option<i64>> {
        wire.read()
    }
}

impl Rotate {
    /// Returns whether this is a sign-in by the previous secret.
    ///
    /// The request was accepted within the grace; it does not matter how long it took since.
    fn signs_in_by_outdated(&self, held: &Stored) -> bool {
        let outdated = held.outdated.as_ref();
        self.sign_in.is_some() && outdated.is_some_and(|outdated| same(&outdated.0, &self.from))
    }
}
