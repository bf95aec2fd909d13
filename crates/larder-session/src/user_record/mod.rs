//! The record of one user: an epoch that all sessions of the user must carry, and the list of sessions.
//!
//! On Redis it is a hash and a string. The string is the *state*, which each request of a signed-in user
//! reads with one `GET`: the epoch, the reason of the last revocation, whether the account is disabled,
//! and the session that the last revocation spared, if any. In the hash, `x` is the latest end of any
//! session, `n` the time of the last sign-in, `r` the sessions that others are about to end, and `s:` with the
//! id of a session holds its latest end and when it was added. A session that a limit evicts has `e:` instead
//! until it has ended. All ends are a minute late, because the record of a session may expire by another
//! server's clock.

mod enable;
mod enroll;
mod inspect;
mod list;
mod mark;
mod revocation_state;
mod revoke;
mod withdraw;

use std::collections::BTreeMap;

use larder_store::program::Record;
use larder_store::{Key, Kind, Ttl};

use crate::EndReason;
use crate::session_record::{Epoch, SessionUser};
use crate::token::{DeviceId, UserTag};

pub(crate) use enable::Enable;
#[cfg(test)]
pub(crate) use enroll::PENDING;
pub(crate) use enroll::{AtLimit, Enroll, Enrolled, Seen};
pub use inspect::InspectUser;
pub(crate) use list::ListSessions;
pub(crate) use mark::{MARKED, Mark};
pub(crate) use revocation_state::ReadRevocationState;
pub(crate) use revoke::{Revocation, Revoke};
pub(crate) use withdraw::Withdraw;

/// The time that the user's record outlives its sessions, in microseconds.
pub(crate) const SKEW: i64 = 60_000_000;

/// The record of one user, for [`inspect`](larder_store::program::Programs#method.inspect).
pub struct UserRecord {
    revocation: RevocationState,
    latest: i64,
    /// The time of the last sign-in.
    since: i64,
    sessions: BTreeMap<DeviceId, Entry>,
    /// The sessions that others are about to end, the oldest mark first.
    marks: Vec<mark::Marked>,
}

impl std::fmt::Debug for UserRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserRecord").finish_non_exhaustive()
    }
}

/// A session on the list, in microseconds.
#[derive(Clone, Copy)]
struct Entry {
    /// When it ends at the latest.
    ends: i64,
    /// When it was added.
    added: i64,
    /// Whether a later sign-in ends it, and has not done so yet.
    is_evicted: bool,
}

/// Which of a user's sessions are revoked.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct RevocationState {
    epoch: Epoch,
    /// The reason of the last revocation.
    pub(crate) reason: Option<EndReason>,
    /// Whether the account is disabled, so that nobody signs in to it.
    pub(crate) is_disabled: bool,
    /// The one session of an older epoch that is still in force.
    spared: Option<DeviceId>,
}

impl RevocationState {
    /// The state of an account whose record cannot be read: it counts as disabled.
    const UNREADABLE: Self = Self {
        epoch: [0; 16],
        reason: None,
        is_disabled: true,
        spared: None,
    };

    /// Returns whether `session`, which claims to belong to `user`, is in force.
    pub(crate) fn covers(&self, session: DeviceId, user: &SessionUser) -> bool {
        !self.is_disabled && (self.epoch == user.epoch || self.spared == Some(session))
    }
}

impl Record for UserRecord {
    const KIND: Kind = Kind::record("session-user");

    const PARTS: &'static [&'static str] = &["", STATE];

    type Inspect = InspectUser;
}

/// The part that each request reads.
const STATE: &str = "state";

impl UserRecord {
    /// Returns the key of a user's record, to inspect it.
    pub fn key(user: &str) -> Key {
        Key::new(Self::KIND, UserTag::of(user))
    }

    fn live(&self, now: i64) -> BTreeMap<DeviceId, Entry> {
        let live = self.sessions.iter().filter(|(_, entry)| now < entry.ends);
        live.map(|(&id, &entry)| (id, entry)).collect()
    }
}

/// Returns the TTL at `now`, and the end that is exactly when the key then expires.
///
/// So a reader of the record need not compare it.
fn until(latest: i64, now: i64) -> (Ttl, i64) {
    let ttl = Ttl::covering_micros(latest - now);
    (ttl, now + ttl.as_micros())
}
