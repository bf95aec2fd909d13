//! One session as a record, and its programs: the Lua beside the Rust.
//!
//! On Redis a session is one hash. Its own fields have names of one letter: `h` the hash of the
//! secret, `p` and `q` the hash before it and until when that still opens, `u` the user, `e` the
//! epoch of the user's at sign-in, `l` when that was, `g` the era, which changes with the user, `c`
//! created, `s` last seen, `i` and `a` the idle and the absolute deadline, `b` the bytes of the
//! data. The data stands under `d:` and the name of the field.

mod apply;
mod change;
mod create;
mod destroy;
mod inspect;
mod open;
mod peek;
mod rotate;
pub(crate) mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use larder_store::{Kind, Record, Ttl};
use subtle::ConstantTimeEq;

use crate::token::SecretHash;

pub(crate) use apply::{Applied, Apply};
pub(crate) use change::Change;
pub(crate) use create::Create;
pub(crate) use destroy::{Destroy, Whose};
pub use inspect::InspectSession;
pub(crate) use open::{Open, Opened};
pub(crate) use peek::{Peek, Peeked};
pub(crate) use rotate::{Rotate, SignIn};

/// The data of a session, by the names of its fields.
pub(crate) type Fields = BTreeMap<Box<str>, Bytes>;

/// Which state of a user's sessions is in force: random, so that it is never taken twice.
pub(crate) type Epoch = [u8; 16];

/// What is kept for one session, for [`inspect`](larder_store::Programs#method.inspect).
///
/// It holds the hash of the secret, never the secret.
pub struct SessionRecord {
    hash: SecretHash,
    /// The hash before, and until when it still opens.
    outdated: Option<(SecretHash, i64)>,
    about: About,
    fields: Arc<Fields>,
}

/// What is known of a session beside its data. All times are microseconds by the store's clock.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct About {
    pub(crate) owner: Option<Owner>,
    /// Which user the session belongs to, counted: it changes whenever the user does.
    pub(crate) era: i64,
    pub(crate) created: i64,
    pub(crate) seen: i64,
    pub(crate) idle_at: i64,
    pub(crate) absolute_at: i64,
    /// What the data weighs.
    pub(crate) bytes: i64,
}

/// Who is signed in.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct Owner {
    pub(crate) user: Arc<str>,
    pub(crate) epoch: Epoch,
    pub(crate) since: i64,
}

impl Record for SessionRecord {
    const KIND: Kind = Kind::record("session");

    type Inspect = InspectSession;
}

impl SessionRecord {
    fn is_alive(&self, now: i64) -> bool {
        now < self.about.idle_at
    }

    /// Whether `hash` opens it, and by which secret.
    fn opens(&self, hash: &SecretHash, now: i64) -> Option<Secret> {
        if same(&self.hash, hash) {
            return Some(Secret::Current);
        }
        let (outdated, until) = self.outdated.as_ref()?;
        (same(outdated, hash) && now < *until).then_some(Secret::Outdated)
    }
}

/// By which of its secrets a session was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secret {
    Current,
    /// The one before, within the grace that a rotation left it.
    Outdated,
}

impl About {
    /// The session is seen at `now`, and may be idle for `idle` from here.
    fn touch(&mut self, now: i64, idle: i64) -> Ttl {
        self.seen = now;
        self.idle_at = self.absolute_at.min(now + idle);
        self.ttl(now)
    }

    fn ttl(&self, now: i64) -> Ttl {
        Ttl::covering_micros(self.idle_at - now)
    }
}

/// What a field weighs: its name, its value, and what a store takes beside them.
pub(crate) fn weight(name: &str, value: &Bytes) -> i64 {
    // Lengths in memory are far below 2^53.
    (32 + name.len() + value.len()) as i64
}

fn same(one: &SecretHash, other: &SecretHash) -> bool {
    one.ct_eq(other).into()
}
