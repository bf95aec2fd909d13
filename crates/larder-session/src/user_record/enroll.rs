use std::collections::BTreeMap;

use larder_store::count_poisoned;
use larder_store::program::prelude::*;

use super::{Entry, RevocationState, SKEW, UserRecord, until};
use crate::session_record::Epoch;
use crate::token::DeviceId;

/// Adds a session to the user's list before a sign-in, and returns the epoch it must carry.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Enroll {
    pub(crate) session: DeviceId,
    /// The epoch for a user who has no sessions yet.
    pub(crate) epoch: Epoch,
    /// The time that the session may live, in microseconds.
    pub(crate) life: i64,
    /// The maximum number of sessions on the list, at least one.
    pub(crate) limit: i64,
    pub(crate) at_limit: AtLimit,
    /// The maximum number of evicted sessions that stay on the list: the latest. All are named once.
    pub(crate) max_evicted: i64,
    /// The sessions on the list that were looked up. Those that are dead leave it.
    pub(crate) seen: Vec<(DeviceId, Seen)>,
}

/// How long a session must have been listed to count as dead if it does not exist, in microseconds.
///
/// A sign-in lists its session first and creates it then.
pub(crate) const PENDING: i64 = 10_000_000;

/// A listed session, as the lookup found it. Its user may have signed in on it again since.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Seen {
    /// It does not exist, or belongs to another user.
    Absent,
    /// It belongs to the sign-in at this moment. It is dead if its epoch is outdated and it is not
    /// spared.
    Of(i64, Epoch),
    /// It belongs to the sign-in at this moment, and ended with the sessions of everyone.
    Dead(i64),
}

impl Seen {
    fn is_dead(&self, id: DeviceId, entry: Entry, revocation: &RevocationState, now: i64) -> bool {
        match self {
            Self::Absent => entry.added <= now - PENDING,
            Self::Of(since, epoch) => {
                let is_revoked = revocation.epoch != *epoch && revocation.spared != Some(id);
                entry.added <= *since && is_revoked
            }
            Self::Dead(since) => entry.added <= *since,
        }
    }
}

/// What was seen, as two arguments of a program.
impl Arg for Seen {
    fn write(&self, args: &mut Args) {
        match self {
            Self::Absent => (-1_i64, "").write(args),
            Self::Of(since, epoch) => (*since, *epoch).write(args),
            Self::Dead(since) => (*since, "").write(args),
        }
    }
}

/// The effect of a sign-in for which the list has no room.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum AtLimit {
    /// The oldest session leaves the list, and lives.
    Unlist = 0,
    /// The sign-in is refused.
    Refuse = 1,
    /// The oldest session is evicted: it stays on the list until the caller has ended it.
    EndOldest = 2,
}

impl Arg for AtLimit {
    fn write(&self, args: &mut Args) {
        args.int(*self as i64);
    }
}

/// The result of a sign-in in the user's record.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Enrolled {
    Done {
        epoch: Epoch,
        /// When the user signs in: later than each earlier sign-in of the user.
        since: i64,
        /// The sessions to end: those that this sign-in evicts, and those that an earlier one did not end.
        evicted: Vec<DeviceId>,
    },
    /// The account is disabled, or its state cannot be read, and nothing was changed.
    Disabled,
    /// The list has no room for the session, and nothing was changed. These are on it.
    Full(Vec<DeviceId>),
}

impl Program for Enroll {
    type Record = UserRecord;
    type Reply = Enrolled;

    const SCRIPT: &'static Script = &Script::new(
        "session-enroll",
        Effect::Once,
        concat!(include_str!("entry.lua"), include_str!("enroll.lua")),
    );

    fn args(&self, args: &mut Args) {
        (
            (self.session, self.epoch),
            ((self.life, self.limit), (self.at_limit, PENDING)),
        )
            .write(args);
        args.int(self.max_evicted);
        for (session, seen) in &self.seen {
            (session, seen).write(args);
        }
    }

    fn step(&self, record: &mut Slot<'_, UserRecord>, now: Timestamp) -> Enrolled {
        let now = now.as_micros();
        let ends = now + self.life;
        let held = record.get();
        let (revocation, latest, since) = match held {
            Some(held) if held.revocation.is_disabled => return Enrolled::Disabled,
            Some(held) => {
                // After a failover the clock may be behind the last sign-in, by little.
                let next = Some(held.since + 1).filter(|next| *next <= now + SKEW + 1);
                let since = next.map_or(now, |next| now.max(next));
                (held.revocation, held.latest.max(ends), since)
            }
            None => (RevocationState::new(self.epoch), ends, now),
        };
        let mut sessions = held.map(|held| held.live(now)).unwrap_or_default();
        sessions.remove(&self.session);
        for (id, seen) in &self.seen {
            let is_dead = |entry: &Entry| seen.is_dead(*id, *entry, &revocation, now);
            if sessions.get(id).is_some_and(is_dead) {
                sessions.remove(id);
            }
        }
        let mut order = oldest_first(&sessions, false);
        let limit = usize::try_from(self.limit).unwrap_or(1).max(1);
        let over = (order.len() + 1).saturating_sub(limit);
        if self.at_limit == AtLimit::Refuse && over > 0 {
            return Enrolled::full(sessions.into_keys().collect());
        }
        order.truncate(over);
        for id in &order {
            match self.at_limit {
                AtLimit::EndOldest => {
                    if let Some(entry) = sessions.get_mut(id) {
                        entry.is_evicted = true;
                    }
                }
                _ => drop(sessions.remove(id)),
            }
        }
        let evicted = oldest_first(&sessions, true);
        let most = usize::try_from(self.max_evicted).unwrap_or(0);
        for id in &evicted[..evicted.len().saturating_sub(most)] {
            sessions.remove(id);
        }
        let added = Entry {
            ends,
            added: since,
            is_evicted: false,
        };
        sessions.insert(self.session, added);
        let (ttl, latest) = until(latest, now);
        let marks = held.map(|held| held.marks.clone()).unwrap_or_default();
        let next = UserRecord {
            revocation,
            latest,
            since,
            sessions,
            marks,
        };
        record.put(next, ttl);
        Enrolled::Done {
            epoch: revocation.epoch,
            since,
            evicted,
        }
    }

    fn reply(&self, wire: Wire) -> Result<Enrolled> {
        let mut list = wire.list()?.into_iter();
        let mut next = || list.next().unwrap_or(Wire::Nil);
        Ok(match next().read::<i64>()? {
            0 => Enrolled::Done {
                epoch: next().read()?,
                since: next().read()?,
                evicted: next().read()?,
            },
            1 => {
                if next().read()? {
                    count_poisoned(UserRecord::KIND);
                }
                Enrolled::Disabled
            }
            2 => Enrolled::full(next().read()?),
            _ => return Err(Wire::unexpected("the result of a sign-in")),
        })
    }
}

/// Returns the sessions that are evicted, or those that are not, by their sign-in.
fn oldest_first(sessions: &BTreeMap<DeviceId, Entry>, evicted: bool) -> Vec<DeviceId> {
    let those = sessions.iter().filter(|(_, it)| it.is_evicted == evicted);
    let mut order: Vec<_> = those
        .map(|(&id, entry)| (entry.added, id.text(), id))
        .collect();
    order.sort_unstable();
    order.into_iter().map(|(.., id)| id).collect()
}

impl Enrolled {
    fn full(mut ids: Vec<DeviceId>) -> Self {
        ids.sort_unstable();
        Self::Full(ids)
    }
}

impl RevocationState {
    pub(super) fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            reason: None,
            is_disabled: false,
            spared: None,
        }
    }
}
