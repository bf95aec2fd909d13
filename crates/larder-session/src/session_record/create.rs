use larder_store::program::prelude::*;

use super::{
    Choice, Fields, Held, Metadata, SessionRecord, SessionUser, Stored, StoredFields, same, weight,
};
use crate::token::SecretHash;

/// Creates a session under a random id, and returns whether it is there now.
///
/// Only for a request that came without a session.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Create {
    pub(crate) hash: SecretHash,
    /// The idle time, in microseconds.
    pub(crate) idle: i64,
    /// The absolute time, in microseconds.
    pub(crate) absolute: i64,
    /// The user, if the session begins signed in.
    pub(crate) user: Option<SessionUser>,
    /// What the sign-in chose, if there is one.
    pub(crate) choice: Choice,
    pub(crate) fields: Fields,
}

/// The generation of a new session.
pub(crate) const FIRST_GENERATION: i64 = 1;

impl Create {
    pub(crate) fn bytes(&self) -> i64 {
        self.fields
            .iter()
            .map(|(name, value)| weight(name, value))
            .sum()
    }

    /// Returns the metadata of the session if it is created at `now`.
    pub(crate) fn metadata(&self, now: i64) -> Metadata {
        let absolute_at = now + self.absolute;
        Metadata {
            user: self.user.clone(),
            generation: FIRST_GENERATION,
            created: now,
            seen: now,
            idle_at: absolute_at.min(now + self.choice.idle(self.idle)),
            absolute_at,
            bytes: self.bytes(),
            choice: self.choice,
        }
    }
}

impl Program for Create {
    type Record = SessionRecord;
    type Reply = bool;

    const SCRIPT: &'static Script = &Script::new(
        "session-create",
        Effect::Idempotent,
        concat!(include_str!("layout.lua"), include_str!("create.lua")),
    );

    fn args(&self, args: &mut Args) {
        args.bytes(&self.hash);
        args.int(self.idle);
        args.int(self.absolute);
        args.int(self.bytes());
        match &self.user {
            Some(user) => user.write(args),
            None => (("", ""), ((0_i64, 0_i64), "")).write(args),
        }
        self.choice.write(args);
        for (name, value) in &self.fields {
            args.text(name);
            args.bytes(value);
        }
    }

    fn step(&self, record: &mut Slot<'_, SessionRecord>, now: Timestamp) -> bool {
        let now = now.as_micros();
        if let Some(held) = record.get().and_then(|held| held.live(now)) {
            return same(&held.hash, &self.hash);
        }
        let mut metadata = self.metadata(now);
        let ttl = metadata.touch(now, self.idle);
        let session = Stored {
            hash: self.hash,
            outdated: None,
            rotated: 0,
            metadata: metadata.into(),
            fields: StoredFields::of(&self.fields),
        };
        record.put(SessionRecord(Held::Live(session)), ttl);
        true
    }

    fn reply(&self, wire: Wire) -> Result<bool> {
        wire.read()
    }
}
