//! The record of one user: an epoch that all sessions of the user must carry, and the list of sessions.
//!
//! On Redis it is one hash. `e` is the epoch, followed by the session that the last revocation spared,
//! if any, so that one HGET reads both. `x` is the latest end of any session, and `n` the time of the
//! last sign-in. `s:` and the id of a session hold its latest end. All ends are a minute late, because
//! the record of a session may expire by another server's clock.

mod enroll;
mod inspect;
mod list;
mod revocation_state;
mod revoke;
mod withdraw;

use std::collections::BTreeMap;

use larder_store::program::Record;
use larder_store::{Key, Kind, Ttl};

use crate::session_record::{Epoch, SessionUser};
use crate::token::{DeviceId, UserTag};

pub(crate) use enroll::{Enroll, Enrolled};
pub use inspect::InspectUser;
pub(crate) use list::ListSessions;
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
    sessions: BTreeMap<DeviceId, i64>,
}

/// Which of a user's sessions are revoked.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct RevocationState {
    epoch: Epoch,
    /// The one session of an older epoch that is still in force.
    spared: Option<DeviceId>,
}

impl RevocationState {
    /// Returns whether `session`, which claims to belong to `user`, is in force.
    pub(crate) fn covers(&self, session: DeviceId, user: &SessionUser) -> bool {
        self.epoch == user.epoch || self.spared == Some(session)
    }
}

impl Record for UserRecord {
    const KIND: Kind = Kind::record("session-user");

    type Inspect = InspectUser;
}

impl UserRecord {
    /// Returns the key of a user's record.
    pub(crate) fn key(user: &str) -> Key {
        Key::new(Self::KIND, UserTag::of(user))
    }
}

/// Returns the TTL at `now`, and the end that is exactly when the key then expires.
///
/// So a reader of the record need not compare it.
fn until(latest: i64, now: i64) -> (Ttl, i64) {
    let ttl = Ttl::covering_micros(latest - now);
    (ttl, now + ttl.as_micros())
}
