//! What is asked of the store about all sessions of a user's.

use std::sync::Arc;

use super::Sessions;
use super::steps::{owner_key, session_key};
use crate::Result;
use crate::owner::{Enroll, Enrolled, Revocation, Revoke, SKEW, Withdraw};
use crate::record::{Destroy, Epoch, Owner, Whose};
use crate::token::{DeviceId, random};

impl Sessions {
    /// Puts a session on a user's list, and ends those that give way to it. One round trip, and one
    /// more where one gives way.
    pub(crate) async fn enroll(&self, session: DeviceId, user: &Arc<str>) -> Result<Epoch> {
        let enroll = Enroll {
            session,
            epoch: random(),
            life: self.absolute() + SKEW,
            cap: self.settings.max_devices,
        };
        let key = owner_key(user);
        let Enrolled { epoch, evicted } = self.bounded(self.programs.run(&key, &enroll)).await?;
        if !evicted.is_empty() {
            self.end_all(&evicted, &Whose::Of(user.clone())).await;
        }
        Ok(epoch)
    }

    /// Ends sessions, and tells which of them are gone now. One that cannot be ended stays until its
    /// deadline. One round trip for each node.
    async fn end_all(&self, sessions: &[DeviceId], whose: &Whose) -> Vec<DeviceId> {
        let destroy = |id: &DeviceId| {
            let whose = whose.clone();
            (session_key(*id), Destroy { whose })
        };
        let steps: Vec<_> = sessions.iter().map(destroy).collect();
        let all = async { Ok(self.programs.run_many(&steps).await) };
        let answers = self.bounded(all).await.unwrap_or_default();
        let answers = sessions.iter().zip(answers);
        let ended = answers.filter(|(_, gone)| matches!(gone, Ok(true)));
        let ended: Vec<_> = ended.map(|(id, _)| *id).collect();
        self.meter.ended.increment(ended.len() as u64);
        ended
    }

    /// Takes sessions off a user's list. A failure changes nothing but that: who reads the list looks
    /// at the sessions too.
    async fn withdraw(&self, user: &str, sessions: Vec<DeviceId>) {
        let (list, withdraw) = (owner_key(user), Withdraw(sessions));
        let withdrawn = self.programs.run(&list, &withdraw);
        // It was counted, and told once.
        let _ = self.bounded(withdrawn).await;
    }

    /// Takes a user's sessions out of force: in force after one round trip, and cleared up in two
    /// more. It tells whether whoever asked could.
    pub(crate) async fn revoke_by(
        &self,
        user: &Arc<str>,
        by: Option<(DeviceId, Owner)>,
        spared: Option<DeviceId>,
    ) -> Result<bool> {
        let epoch = random();
        let revoke = Revoke { epoch, spared, by };
        let key = owner_key(user);
        match self.bounded(self.programs.run(&key, &revoke)).await? {
            Revocation::Gone => Ok(false),
            Revocation::Done(sessions) => {
                self.meter.revoked.increment(1);
                if !sessions.is_empty() {
                    // They are out of force already, and only take room. What somebody has signed in
                    // on since is not.
                    let before = Whose::OfBefore(user.clone(), epoch);
                    let ended = self.end_all(&sessions, &before).await;
                    self.withdraw(user, ended).await;
                }
                Ok(true)
            }
        }
    }
}
