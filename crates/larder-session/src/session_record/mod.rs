//! One session as a record, and its programs: the Lua beside the Rust.
//!
//! On Redis a session is one string, so a request reads it with a GET: `layout.lua` defines its layout,
//! and `stored.rs` reads it. The key expires at exactly the idle deadline, so a reader need not compare
//! it.

mod apply;
mod change;
mod choice;
mod create;
mod destroy;
mod inspect;
mod left;
mod peek;
mod read;
mod rotate;
mod stored;
mod stored_fields;
mod take_reason;
#[cfg(test)]
mod tests;
mod touch;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use larder_store::program::{Arg, Args, Record};
use larder_store::{Key, Kind, Ttl};
use subtle::ConstantTimeEq;

use crate::token::{DeviceId, SecretHash};

pub(crate) use apply::{Applied, Apply};
pub(crate) use change::Change;
pub(crate) use choice::Choice;
pub(crate) use create::Create;
pub(crate) use destroy::{Destroy, Destroyed, Whose};
pub use inspect::InspectSession;
pub(crate) use left::Left;
pub(crate) use peek::{Peek, Peeked};
pub(crate) use read::Read;
pub(crate) use rotate::{Rotate, SignIn};
pub(crate) use stored::{Held, Stored, Tombstone};
pub(crate) use stored_fields::StoredFields;
pub(crate) use take_reason::TakeReason;
pub(crate) use touch::Touch;

/// The data of a session that is to be created, by the names of its fields.
pub(crate) type Fields = BTreeMap<Box<str>, Bytes>;

/// Identifies one state of a user's sessions: random, so it never repeats.
pub(crate) type Epoch = [u8; 16];

/// The record of one session, for [`inspect`](larder_store::program::Programs#method.inspect).
///
/// It holds the hash of the secret, never the secret.
pub struct SessionRecord(Held);

impl std::fmt::Debug for SessionRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionRecord").finish_non_exhaustive()
    }
}

/// A session without its data. All times are microseconds by the store's clock.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct Metadata {
    pub(crate) user: Option<SessionUser>,
    /// Counts the users of the session: it changes whenever the user does.
    pub(crate) generation: i64,
    pub(crate) created: i64,
    pub(crate) seen: i64,
    pub(crate) idle_at: i64,
    pub(crate) absolute_at: i64,
    /// The weight of the data.
    pub(crate) bytes: i64,
    /// What the last sign-in chose for this session.
    pub(crate) choice: Choice,
}

/// The signed-in user of a session.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct SessionUser {
    pub(crate) id: Arc<str>,
    pub(crate) epoch: Epoch,
    /// When the user signed in, by the clock of the user's record; it rises with each sign-in.
    pub(crate) since: i64,
    /// The generation of all users' sessions at the sign-in.
    pub(crate) all: i64,
    /// How the user proved who they are, if the app says.
    pub(crate) method: Option<Arc<str>>,
}

/// The user as five arguments of a program.
impl Arg for SessionUser {
    fn write(&self, args: &mut Args) {
        ((&self.id, self.epoch), (self.since, self.all)).write(args);
        args.text(self.method.as_deref().unwrap_or_default());
    }
}

impl Record for SessionRecord {
    const KIND: Kind = Kind::record("session");

    type Inspect = InspectSession;
}

impl SessionRecord {
    /// Returns the key of a session.
    pub(crate) fn key(session: DeviceId) -> Key {
        Key::new(Self::KIND, session)
    }

    /// Returns the session, if it is alive at `now`.
    ///
    /// Its key expires at the idle deadline, but up to a millisecond after the absolute one.
    fn live(&self, now: i64) -> Option<&Stored> {
        match &self.0 {
            Held::Live(stored) => (now < stored.metadata.absolute_at).then_some(stored),
            Held::Ended(_) => None,
        }
    }

    /// Returns the session to change.
    fn live_mut(&mut self) -> Option<&mut Stored> {
        match &mut self.0 {
            Held::Live(stored) => Some(stored),
            Held::Ended(_) => None,
        }
    }
}

/// The secret that opened a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secret {
    Current,
    /// The previous one, within the grace after a rotation.
    Outdated,
}

impl Metadata {
    /// Records activity at `now`. A sign-in may have chosen another idle time than `idle`.
    fn touch(&mut self, now: i64, idle: i64) -> Ttl {
        let idle = self.choice.idle(idle);
        let ttl = Ttl::covering_micros(idle.min(self.absolute_at - now));
        self.seen = now;
        self.idle_at = now + ttl.as_micros();
        ttl
    }
}

/// Returns milliseconds, rounded up as TTLs are.
fn millis(micros: i64) -> i64 {
    micros.div_euclid(1000) + i64::from(micros.rem_euclid(1000) > 0)
}

/// Returns the weight of a field: its name, its value, and the overhead in a store.
pub(crate) fn weight(name: &str, value: &[u8]) -> i64 {
    // Lengths in memory are far below 2^53.
    (32 + name.len() + value.len()) as i64
}

/// Compares in constant time, by words: comparing bytes takes eight times as many steps.
fn same(one: &SecretHash, other: &SecretHash) -> bool {
    let words = |hash: &SecretHash| -> [u64; 4] {
        let (words, _) = hash.as_chunks();
        std::array::from_fn(|at| u64::from_ne_bytes(words[at]))
    };
    words(one).ct_eq(&words(other)).into()
}
