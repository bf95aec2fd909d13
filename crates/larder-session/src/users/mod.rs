//! What is kept for one user: the epoch that every session of the user's has to be of, and which
//! sessions there are.
//!
//! On Redis one hash: `e` the epoch, and behind its 16 bytes the session that the last revocation
//! spared, if it spared one, so that both are read by one HGET; `x` when the
//! last session ends at the latest, `n` when the user signed in last, and `s:` with the id of a session,
//! its latest end. Each is kept a minute longer than the session, whose record may live by another
//! server's clock.

mod enroll;
mod inspect;
mod list;
mod revocation_state;
mod revoke;
mod withdraw;

use std::collections::BTreeMap;

use larder_store::{Kind, Record, Ttl};

use crate::record::{Epoch, SessionUser};
use crate::token::DeviceId;

pub(crate) use enroll::{Enroll, Enrolled};
pub use inspect::InspectUser;
pub(crate) use list::ListSessions;
pub(crate) use revocation_state::ReadRevocationState;
pub(crate) use revoke::{Revocation, Revoke};
pub(crate) use withdraw::Withdraw;

/// How long the user's record outlives its sessions, in microseconds.
pub(crate) const SKEW: i64 = 60_000_000;

/// What is kept for one user, for [`inspect`](larder_store::Programs#method.inspect).
pub struct UserRecord {
    revocation: RevocationState,
    latest: i64,
    /// When the user signed in last.
    since: i64,
    sessions: BTreeMap<DeviceId, i64>,
}

/// Which of a user's sessions are in force.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct RevocationState {
    epoch: Epoch,
    /// The one session of an older epoch that is in force all the same.
    spared: Option<DeviceId>,
}

impl RevocationState {
    /// Whether `session`, which says it is `owner`'s, is in force.
    pub(crate) fn covers(&self, session: DeviceId, user: &SessionUser) -> bool {
        self.epoch == user.epoch || self.spared == Some(session)
    }
}

impl Record for UserRecord {
    const KIND: Kind = Kind::record("session-user");

    type Inspect = InspectUser;
}

/// What is left at `now`, in milliseconds, and the latest end as the very moment at which the key then
/// ends: so whoever reads a user's record needs to compare none.
fn until(latest: i64, now: i64) -> (Ttl, i64) {
    let ttl = Ttl::covering_micros(latest - now);
    (ttl, now + ttl.as_micros())
}
