use std::collections::BTreeMap;

use larder_store::program::prelude::*;

use super::{RevocationState, UserRecord, until};
use crate::session_record::Epoch;
use crate::token::DeviceId;

/// Adds a session to the user's list before a sign-in, and returns the epoch it must carry.
///
/// If there are too many, the sessions that end first are evicted.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Enroll {
    pub(crate) session: DeviceId,
    /// The epoch for a user who has no sessions yet.
    pub(crate) epoch: Epoch,
    /// The time that the session may live, in microseconds.
    pub(crate) life: i64,
    /// The maximum number of sessions of the user, at least one.
    pub(crate) cap: i64,
}

/// The epoch and the time of a sign-in, and the sessions that it evicts.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct Enrolled {
    pub(crate) epoch: Epoch,
    /// When the user signs in: later than each earlier sign-in of the user.
    pub(crate) since: i64,
    /// The sessions to end.
    pub(crate) evicted: Vec<DeviceId>,
}

impl Program for Enroll {
    type Record = UserRecord;
    type Reply = Enrolled;

    const SCRIPT: &'static Script =
        &Script::new("session-enroll", Effect::Once, include_str!("enroll.lua"));

    arguments!(session, epoch, life, cap);

    fn step(&self, record: &mut Slot<'_, UserRecord>, now: Timestamp) -> Enrolled {
        let now = now.as_micros();
        let ends = now + self.life;
        let held = record.get();
        let (revocation, latest, since) = match held {
            Some(held) => (
                held.revocation,
                held.latest.max(ends),
                now.max(held.since + 1),
            ),
            None => (RevocationState::new(self.epoch), ends, now),
        };
        let mut sessions = match held {
            Some(held) => held.live(now),
            None => BTreeMap::new(),
        };
        sessions.remove(&self.session);
        let evicted = self.evict(&mut sessions);
        sessions.insert(self.session, ends);
        let (ttl, latest) = until(latest, now);
        let next = UserRecord {
            revocation,
            latest,
            since,
            sessions,
        };
        record.put(next, ttl);
        Enrolled {
            epoch: revocation.epoch,
            since,
            evicted,
        }
    }
}

impl FromWire for Enrolled {
    fn from_wire(wire: Wire) -> Result<Self> {
        let (epoch, since, evicted) = wire.read()?;
        Ok(Self {
            epoch,
            since,
            evicted,
        })
    }
}

impl Enroll {
    fn evict(&self, sessions: &mut BTreeMap<DeviceId, i64>) -> Vec<DeviceId> {
        let mut order: Vec<_> = sessions
            .iter()
            .map(|(&id, &ends)| (ends, id.text(), id))
            .collect();
        order.sort_unstable();
        let cap = usize::try_from(self.cap).unwrap_or(1).max(1);
        order.truncate((order.len() + 1).saturating_sub(cap));
        let evicted: Vec<_> = order.into_iter().map(|(.., id)| id).collect();
        for id in &evicted {
            sessions.remove(id);
        }
        evicted
    }
}

impl RevocationState {
    fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            spared: None,
        }
    }
}

impl UserRecord {
    pub(super) fn live(&self, now: i64) -> BTreeMap<DeviceId, i64> {
        let live = self.sessions.iter().filter(|(_, ends)| now < **ends);
        live.map(|(&id, &ends)| (id, ends)).collect()
    }
}
