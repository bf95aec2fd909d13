//! The store calls for all sessions of a user.

use std::sync::Arc;

use larder_store::program::Run;

use super::Sessions;
use crate::session_record::{Destroy, Peek, SessionRecord, SessionUser, Whose};
use crate::token::{DeviceId, random};
use crate::user_record::{
    Enroll, Enrolled, ReadRevocationState, Revocation, Revoke, SKEW, UserRecord, Withdraw,
};
use crate::{Result, SignInOptions};

impl Sessions {
    /// Adds a session to a user's list, and ends those that it evicts.
    ///
    /// One round trip, and one more if it evicts any.
    pub(crate) async fn enroll(
        &self,
        session: DeviceId,
        user: &Arc<str>,
        options: &SignInOptions,
    ) -> Result<SessionUser> {
        let enroll = Enroll {
            session,
            epoch: random(),
            life: self.absolute(options) + SKEW,
            cap: self.settings.max_devices,
        };
        let key = UserRecord::key(user);
        let enrolled = self.bounded(self.programs.run(&key, &enroll)).await?;
        let Enrolled {
            epoch,
            since,
            evicted,
        } = enrolled;
        if !evicted.is_empty() {
            // A session that somebody signed in on again since is on the list again, and stays.
            let before = Whose::SignedInBefore(user.clone(), since);
            self.end_all(&evicted, &before).await;
        }
        Ok(SessionUser {
            id: user.clone(),
            epoch,
            since,
        })
    }

    /// Ends sessions, and returns those that are gone now.
    ///
    /// A session that cannot be ended stays until its deadline. One round trip per node.
    async fn end_all(&self, sessions: &[DeviceId], whose: &Whose) -> Vec<DeviceId> {
        let destroy = |id: &DeviceId| {
            let whose = whose.clone();
            (SessionRecord::key(*id), Destroy { whose })
        };
        let steps: Vec<_> = sessions.iter().map(destroy).collect();
        let all = async { Ok(self.programs.run_many(&steps).await) };
        let answers = self.bounded(all).await.unwrap_or_default();
        let answers = sessions.iter().zip(answers);
        let ended = answers.filter(|(_, gone)| matches!(gone, Ok(true)));
        let ended: Vec<_> = ended.map(|(id, _)| *id).collect();
        self.metrics.ended.increment(ended.len() as u64);
        ended
    }

    /// Removes sessions from a user's list. A failure does no harm: readers check the sessions too.
    async fn withdraw(&self, user: &str, sessions: Vec<DeviceId>) {
        let (list, withdraw) = (UserRecord::key(user), Withdraw(sessions));
        let withdrawn = self.programs.run(&list, &withdraw);
        // The failure is logged and counted already.
        let _ = self.bounded(withdrawn).await;
    }

    /// Returns whether a session is alive, belongs to `user` and is not revoked. One round trip.
    pub(crate) async fn is_in_force(&self, session: DeviceId, user: &SessionUser) -> Result<bool> {
        let (own, list) = (SessionRecord::key(session), UserRecord::key(&user.id));
        let both = self.bounded(async {
            let (mut peek, mut revocation) = (Run::new(&Peek), Run::new(&ReadRevocationState));
            let calls = [(&own, &mut peek as _), (&list, &mut revocation as _)];
            let [first, second] = self.programs.run_each(calls).await;
            Ok((peek.reply(first)?, revocation.reply(second)?))
        });
        let (Some(peeked), Some(revocation)) = both.await? else {
            return Ok(false);
        };
        let is_same = peeked.user.id == user.id;
        Ok(is_same && revocation.covers(session, &peeked.user))
    }

    /// Revokes a user's sessions, and returns whether the asking session was allowed to.
    ///
    /// In force after one round trip; two more free space.
    pub(crate) async fn revoke_by(
        &self,
        user: &Arc<str>,
        by: Option<(DeviceId, SessionUser)>,
        spared: Option<DeviceId>,
    ) -> Result<bool> {
        let epoch = random();
        let revoke = Revoke { epoch, spared, by };
        let key = UserRecord::key(user);
        match self.bounded(self.programs.run(&key, &revoke)).await? {
            Revocation::Gone => Ok(false),
            Revocation::Done(sessions) => {
                self.metrics.revoked.increment(1);
                if !sessions.is_empty() {
                    // They are revoked already, and only take space. A session that somebody signed in on
                    // again since is not.
                    let before = Whose::OfBefore(user.clone(), epoch);
                    let ended = self.end_all(&sessions, &before).await;
                    self.withdraw(user, ended).await;
                }
                Ok(true)
            }
        }
    }
}
