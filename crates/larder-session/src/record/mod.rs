//! One session as a record, and its programs: the Lua beside the Rust.
//!
//! On Redis a session is one string, so that a request reads it by a GET: `layout.lua` says what
//! stands in it, and `stored.rs` reads it. Its idle deadline is the very moment at which the key ends,
//! so that whoever reads it needs to compare none.

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
mod touch;
pub(crate) mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use larder_store::{Kind, Record, Ttl};
use subtle::ConstantTimeEq;

use crate::token::SecretHash;

pub(crate) use apply::{Applied, Apply};
pub(crate) use change::Change;
pub(crate) use choice::Choice;
pub(crate) use create::Create;
pub(crate) use destroy::{Destroy, Whose};
pub use inspect::InspectSession;
pub(crate) use left::Left;
pub(crate) use peek::{Peek, Peeked};
pub(crate) use read::{Read, Stored};
pub(crate) use rotate::{Rotate, SignIn};
pub(crate) use touch::Touch;

/// The data of a session, by the names of its fields.
pub(crate) type Fields = BTreeMap<Box<str>, Bytes>;

/// Which state of a user's sessions is in force: random, so that it is never taken twice.
pub(crate) type Epoch = [u8; 16];

/// What is kept for one session, for [`inspect`](larder_store::Programs#method.inspect).
///
/// It holds the hash of the secret, never the secret.
pub struct SessionRecord(Stored);

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
    /// What the data weighs.
    pub(crate) bytes: i64,
    /// What the last sign-in chose for this session alone.
    pub(crate) choice: Choice,
}

/// Who is signed in.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct SessionUser {
    pub(crate) id: Arc<str>,
    pub(crate) epoch: Epoch,
    /// When the user signed in, by the clock of the user's record; later for each sign-in.
    pub(crate) since: i64,
}

impl Record for SessionRecord {
    const KIND: Kind = Kind::record("session");

    type Inspect = InspectSession;
}

impl SessionRecord {
    /// Whether one that is there is alive: it ends when it is idle for too long, and up to a
    /// millisecond after it is too old.
    fn is_alive(&self, now: i64) -> bool {
        now < self.0.metadata.absolute_at
    }
}

/// By which of its secrets a session was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secret {
    Current,
    /// The one before, within the grace that a rotation left it.
    Outdated,
}

impl Metadata {
    /// The session is seen at `now`, and may be idle for `idle` from here, unless its sign-in chose
    /// another idle time.
    fn touch(&mut self, now: i64, idle: i64) -> Ttl {
        let idle = self.choice.idle(idle);
        let ttl = Ttl::covering_micros(idle.min(self.absolute_at - now));
        self.seen = now;
        self.idle_at = now + ttl.as_micros();
        ttl
    }
}

/// Milliseconds, rounded up, as TTLs are.
fn millis(micros: i64) -> i64 {
    micros.div_euclid(1000) + i64::from(micros.rem_euclid(1000) > 0)
}

/// What a field weighs: its name, its value, and what a store takes beside them.
pub(crate) fn weight(name: &str, value: &Bytes) -> i64 {
    // Lengths in memory are far below 2^53.
    (32 + name.len() + value.len()) as i64
}

fn same(one: &SecretHash, other: &SecretHash) -> bool {
    one.ct_eq(other).into()
}
