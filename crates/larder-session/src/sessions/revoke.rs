//! Revoking all sessions of a user.

use std::sync::Arc;

use super::Sessions;
use super::watch::Subject;
use crate::event::SessionEventKind;
use crate::session_record::{Epoch, SessionUser, Whose};
use crate::token::{DeviceId, random};
use crate::user_record::{Revocation, Revoke, UserRecord};
use crate::{EndReason, Result};

/// A revocation in force. Its sessions only take space.
#[must_use = "its sessions take space until they are swept"]
pub(crate) struct Revoked {
    user: Arc<str>,
    epoch: Epoch,
    reason: EndReason,
    sessions: Vec<DeviceId>,
}

impl Sessions {
    /// Revokes a user's sessions. None if the session that requested it was not allowed to.
    ///
    /// Disables the account too unless `disabled` is 0, for this many microseconds. In force after one round trip.
    /// [`sweep`](Self::sweep) it last: it may be dropped there.
    pub(crate) async fn revoke_by(
        &self,
        user: &Arc<str>,
        by: Option<(DeviceId, SessionUser)>,
        spared: Option<DeviceId>,
        reason: EndReason,
        disabled: i64,
    ) -> Result<Option<Revoked>> {
        let epoch = random();
        let revoke = Revoke {
            epoch,
            reason,
            disabled,
            spared,
            by,
        };
        let key = UserRecord::key(user);
        let sessions = match self.bounded(self.programs.run(&key, &revoke)).await? {
            Revocation::Gone => return Ok(None),
            Revocation::Done(sessions) => sessions,
        };
        self.metrics.revoked.increment(1);
        self.watch.publish(Some(Subject::user(user)));
        let (kind, events) = (SessionEventKind::UserRevoked, &self.settings.events);
        events.emit(kind, Some(user), None, Some(reason));
        Ok(Some(Revoked {
            user: user.clone(),
            epoch,
            reason,
            sessions,
        }))
    }

    /// Frees the space of revoked sessions. Two round trips if there are any.
    pub(crate) async fn sweep(&self, revoked: Revoked) {
        let Revoked {
            user,
            epoch,
            reason,
            sessions,
        } = revoked;
        if sessions.is_empty() {
            return;
        }
        // A session on which somebody has signed in again since is not revoked.
        let before = Whose::OfBefore(user.clone(), epoch);
        let gone = self.end_all(&sessions, &before, reason).await;
        let gone = gone.into_iter().map(|(session, _)| session).collect();
        self.withdraw(&user, gone).await;
    }
}
