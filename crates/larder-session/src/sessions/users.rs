//! The store calls for all sessions of a user.

use std::sync::Arc;

use larder_store::Ttl;
use larder_store::program::Run;

use super::Sessions;
use super::watch::Subject;
use crate::event::SessionEventKind;
use crate::everyone_record::{EveryoneRecord, ReadEveryone};
use crate::session_record::{Destroyed, Peek, Peeked, SessionRecord, SessionUser, Whose};
use crate::token::{DeviceId, random};
use crate::user_record::{
    AtLimit, Enroll, Enrolled, ListSessions, SKEW, Seen, UserRecord, Withdraw,
};
use crate::{EndReason, Result, SessionError, SessionErrorKind, SignInOptions};

impl Sessions {
    /// Adds a session to a user's list, and ends those that it evicts.
    ///
    /// One round trip; two more if it finds the list full, and two more if it evicts any.
    pub(crate) async fn enroll(
        &self,
        session: DeviceId,
        user: &Arc<str>,
        options: &SignInOptions,
    ) -> Result<SessionUser> {
        let (limit, at_limit) = self.settings.devices.parts();
        let mut enroll = Enroll {
            session,
            epoch: random(),
            // No record lives longer than the longest TTL, on any store.
            life: Ttl::covering_micros(self.absolute(options) + SKEW).as_micros(),
            limit,
            // A full list may contain dead sessions, and no living session ends in their place.
            at_limit: match at_limit {
                AtLimit::EndOldest => AtLimit::Refuse,
                other => other,
            },
            max_evicted: Self::MAX_LISTED.into(),
            seen: Vec::new(),
        };
        let (mut enrolled, mut all) = self.enroll_once(user, &enroll).await?;
        let mut looked_up = Ok(());
        if let Enrolled::Full(listed) = enrolled {
            enroll.at_limit = at_limit;
            (enroll.seen, looked_up) = self.look_up(user, listed, all).await;
            (enrolled, all) = self.enroll_once(user, &enroll).await?;
        }
        let (epoch, since, evicted) = match enrolled {
            Enrolled::Done {
                epoch,
                since,
                evicted,
            } => (epoch, since, evicted),
            Enrolled::Disabled => {
                return Err(self.refuse(user, SessionErrorKind::Disabled, EndReason::Disabled));
            }
            Enrolled::Full(_) => {
                // One that could not be read may be dead.
                looked_up?;
                let (kind, why) = (SessionErrorKind::TooManyDevices, EndReason::TooManyDevices);
                return Err(self.refuse(user, kind, why));
            }
        };
        if !evicted.is_empty() {
            // If somebody has signed in on the session again since, it is back on the list, and stays.
            self.evict(&evicted, user, since).await;
        }
        Ok(SessionUser {
            id: user.clone(),
            epoch,
            since,
            all,
            method: options.method.map(Arc::from),
        })
    }

    /// Ends a session that a later sign-in evicted before it was made. Call it afterwards.
    ///
    /// No round trip without a limit that ends sessions, and otherwise one.
    pub(crate) async fn confirm(&self, session: DeviceId, user: &SessionUser) -> Result<()> {
        if self.settings.devices.parts().1 != AtLimit::EndOldest {
            return Ok(());
        }
        let key = UserRecord::key(&user.id);
        let list = ListSessions {
            with_evicted: false,
        };
        let listed = self.bounded(self.programs.run(&key, &list)).await?;
        if !listed.contains(&session) {
            self.evict(&[session], &user.id, user.since + 1).await;
        }
        Ok(())
    }

    /// Ends sessions of a user that were signed in before a moment of the user's record.
    ///
    /// One that could not be ended stays on the list, and the next sign-in ends it. So does one that is not there:
    /// it may be made yet.
    async fn evict(&self, sessions: &[DeviceId], user: &Arc<str>, before: i64) {
        let whose = Whose::SignedInBefore(user.clone(), before);
        let reason = EndReason::TooManyDevices;
        let ended = self.end_all(sessions, &whose, reason).await;
        let ended = ended.into_iter().filter(|(_, how)| how.has_ended());
        let ended: Vec<_> = ended.map(|(session, _)| session).collect();
        for session in &ended {
            let (user, session, reason) = (Some(user), Some(*session), Some(reason));
            let events = &self.settings.events;
            events.emit(SessionEventKind::Ended, user, session, reason);
        }
        self.watch.publish(Some(Subject::user(user)));
        if !ended.is_empty() {
            self.withdraw(user, ended).await;
        }
    }

    /// Returns the result, and the generation of all users' sessions.
    async fn enroll_once(&self, user: &str, enroll: &Enroll) -> Result<(Enrolled, i64)> {
        let (key, all) = (UserRecord::key(user), EveryoneRecord::key());
        let before = self.everyone.highest();
        let both = self.bounded(async {
            let (mut enrolled, mut everyone) = (Run::new(enroll), Run::new(&ReadEveryone));
            // Read before the session is listed: sessions that end in between end this one too.
            let calls = [(&all, &mut everyone as _), (&key, &mut enrolled as _)];
            let [first, second] = self.programs.run_each(calls).await;
            let everyone = self.everyone.readable(everyone.reply(first)?)?;
            Ok((everyone, enrolled.reply(second)?))
        });
        let (everyone, enrolled) = both.await?;
        self.everyone.note(everyone, before);
        Ok((enrolled, everyone))
    }

    fn refuse(&self, user: &Arc<str>, kind: SessionErrorKind, reason: EndReason) -> SessionError {
        let events = &self.settings.events;
        let refused = SessionEventKind::SignInRefused;
        events.emit(refused, Some(user), None, Some(reason));
        SessionError::new(
            kind,
            match kind {
                SessionErrorKind::Disabled => "the account is disabled: nobody can sign in to it",
                _ => "the user has as many sessions as allowed: sign out on another device first",
            },
        )
    }

    /// Looks up the sessions on a user's list, where `everyone` is the generation of all users' sessions.
    ///
    /// Leaves out those that cannot be read, which count as alive, and then returns an error too. One round trip.
    async fn look_up(
        &self,
        user: &str,
        listed: Vec<DeviceId>,
        everyone: i64,
    ) -> (Vec<(DeviceId, Seen)>, Result<()>) {
        let peeked = match self.peek_each(&listed).await {
            Ok(peeked) => peeked,
            Err(error) => return (Vec::new(), Err(error)),
        };
        let (mut seen, mut looked_up) = (Vec::new(), Ok(()));
        for (id, peeked) in listed.into_iter().zip(peeked) {
            let held = match self.answered(peeked) {
                Ok(peeked) => peeked.map(|peeked| peeked.user),
                Err(error) => {
                    looked_up = Err(error);
                    continue;
                }
            };
            let as_seen = match held.filter(|held| &*held.id == user) {
                None => Seen::Absent,
                Some(held) if held.all < everyone => Seen::Dead(held.since),
                Some(held) => Seen::Of(held.since, held.epoch),
            };
            seen.push((id, as_seen));
        }
        (seen, looked_up)
    }

    /// Reads sessions without their secrets. None for those that are dead. One round trip per node.
    pub(super) async fn peek(&self, sessions: &[DeviceId]) -> Result<Vec<Option<Peeked>>> {
        let peeked = self.peek_each(sessions).await?;
        peeked.into_iter().map(|one| self.answered(one)).collect()
    }

    /// Reads sessions as [`peek`](Self::peek) does, of which some may fail.
    async fn peek_each(
        &self,
        sessions: &[DeviceId],
    ) -> Result<Vec<larder_store::Result<Option<Peeked>>>> {
        let steps: Vec<_> = sessions
            .iter()
            .map(|id| (SessionRecord::key(*id), Peek))
            .collect();
        self.bounded(async { Ok(self.programs.run_many(&steps).await) })
            .await
    }

    /// Ends sessions, and returns those that are gone now, and how.
    ///
    /// A session that cannot be ended stays. One round trip per node.
    pub(super) async fn end_all(
        &self,
        sessions: &[DeviceId],
        whose: &Whose,
        reason: EndReason,
    ) -> Vec<(DeviceId, Destroyed)> {
        let destroy = |id: &DeviceId| {
            let destroy = self.destroy(whose.clone(), Some(reason));
            (SessionRecord::key(*id), destroy)
        };
        let steps: Vec<_> = sessions.iter().map(destroy).collect();
        let all = async { Ok(self.programs.run_many(&steps).await) };
        let answers = self.bounded(all).await.unwrap_or_default();
        let answers = sessions.iter().zip(answers);
        let gone = answers.filter_map(|(id, how)| Some((*id, how.ok()?)));
        let gone: Vec<_> = gone.filter(|(_, how)| how.is_gone()).collect();
        let ended = gone.iter().filter(|(_, how)| *how == Destroyed::Ended);
        self.metrics.ended.increment(ended.count() as u64);
        gone
    }

    /// Takes a session off a user's list again, because the sign-in that listed it did not succeed on it.
    ///
    /// Otherwise it would count at the limit until it is known to be dead. It stays if it is the user's by now,
    /// because another request has signed in on it. Two round trips.
    pub(crate) async fn unlist(&self, session: DeviceId, user: &str) {
        // The failure is logged and counted already.
        let Ok(peeked) = self.peek(&[session]).await else {
            return;
        };
        let is_users = |peeked: &Peeked| &*peeked.user.id == user;
        if !peeked.iter().flatten().any(is_users) {
            self.withdraw(user, vec![session]).await;
        }
    }

    /// Removes sessions from a user's list. A failure does no harm: readers check the sessions too.
    pub(crate) async fn withdraw(&self, user: &str, sessions: Vec<DeviceId>) {
        let (list, withdraw) = (UserRecord::key(user), Withdraw { sessions });
        let withdrawn = self.programs.run(&list, &withdraw);
        // The failure is logged and counted already.
        let _ = self.bounded(withdrawn).await;
    }
}
