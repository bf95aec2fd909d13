//! The other sessions of the user.

use super::sent::Sent;
use super::state::{Outgoing, State};
use super::{Session, signed_out};
use crate::session_record::SessionUser;
use crate::sessions::Revoked;
use crate::token::DeviceId;
use crate::{Device, EndReason, Result, SessionError};

impl Session {
    /// Returns the living sessions of the signed-in user, the most recently used one first.
    ///
    /// Two round trips.
    ///
    /// # Errors
    /// Those of [all methods](Session), and [`SessionErrorKind::SignedOut`](crate::SessionErrorKind::SignedOut) if nobody
    /// is signed in.
    pub async fn devices(&self) -> Result<Vec<Device>> {
        let state = self.load().await?;
        let (current, user) = signed_in(&state)?;
        let sessions = &self.inner.config.sessions;
        sessions.devices_seen_by(&user.id, Some(current)).await
    }

    /// Ends one session of the signed-in user, and returns whether it is gone now.
    ///
    /// A session of another user stays, and the answer is `false`. It takes effect at the next request of any
    /// process. A session that was revoked during its request cannot revoke others, so of two that revoke each other
    /// at once one remains. Three round trips; the last one only frees space.
    ///
    /// # Errors
    /// Those of [`devices`](Self::devices).
    pub async fn revoke(&self, device: DeviceId) -> Result<bool> {
        let mut state = self.act().await?;
        let (current, user) = signed_in(&state)?;
        if device == current {
            drop(state);
            self.log_out().await?;
            return Ok(true);
        }
        let sessions = &self.inner.config.sessions;
        if !sessions.claim(current, &user, device).await? {
            state.lose();
            return Err(SessionError::gone());
        }
        let reason = Some(EndReason::SignedOutElsewhere);
        sessions.end_listed(device, &user.id, reason).await
    }

    /// Ends every session of the user except this one, including sessions that the list has lost.
    ///
    /// It takes effect at the next request to any process. Four round trips; the last two only free space.
    ///
    /// # Errors
    /// Those of [`devices`](Self::devices).
    pub async fn revoke_others(&self) -> Result<()> {
        self.revoke_others_because(EndReason::SignedOutElsewhere)
            .await
    }

    /// Ends every other session as [`revoke_others`](Self::revoke_others) does, and gives the browsers this
    /// reason, such as [`EndReason::PasswordChanged`].
    ///
    /// # Errors
    /// Those of [`devices`](Self::devices).
    pub async fn revoke_others_because(&self, reason: EndReason) -> Result<()> {
        let mut state = self.act().await?;
        let (current, user) = signed_in(&state)?;
        let revoked = self
            .revoke_but(&mut state, (current, user), Some(current), reason)
            .await?;
        self.inner.config.sessions.sweep(revoked).await;
        Ok(())
    }

    /// Ends every session of the user, including this one and sessions that the list has lost.
    ///
    /// It takes effect at the next request to any process. Four round trips; the last two only free space.
    ///
    /// # Errors
    /// Those of [`devices`](Self::devices).
    pub async fn revoke_all(&self) -> Result<()> {
        let mut state = self.act().await?;
        let (current, user) = signed_in(&state)?;
        let reason = EndReason::SignedOutElsewhere;
        let revoked = self
            .revoke_but(&mut state, (current, user), None, reason)
            .await?;
        state.clear();
        state.outgoing = Outgoing::Remove;
        state.is_signed_out = true;
        // Last, so that the request has signed out even if this is dropped.
        self.inner.config.sessions.sweep(revoked).await;
        Ok(())
    }

    async fn revoke_but(
        &self,
        state: &mut State,
        (current, user): (DeviceId, SessionUser),
        spared: Option<DeviceId>,
        reason: EndReason,
    ) -> Result<Revoked> {
        self.check_in_force(state, current, &user).await?;
        let sessions = &self.inner.config.sessions;
        let (user, by) = (user.id.clone(), Some((current, user)));
        let revoke = sessions.revoke_by(&user, by, spared, reason, 0);
        let revoked = match spared {
            // If this is dropped, or its answer is lost, the session itself may have ended.
            None => {
                let sent = Sent::by(state);
                sent.answered(revoke.await)
            }
            Some(_) => revoke.await,
        };
        let Some(revoked) = revoked? else {
            state.lose();
            return Err(SessionError::gone());
        };
        Ok(revoked)
    }

    /// Refuses if the session was revoked since the request read it.
    async fn check_in_force(
        &self,
        state: &mut State,
        current: DeviceId,
        user: &SessionUser,
    ) -> Result<()> {
        let sessions = &self.inner.config.sessions;
        if sessions.is_in_force(current, user).await? {
            return Ok(());
        }
        state.lose();
        Err(SessionError::gone())
    }
}

fn signed_in(state: &State) -> Result<(DeviceId, SessionUser)> {
    let current = state.current.as_ref().ok_or_else(signed_out)?;
    let user = current.metadata.user.clone().ok_or_else(signed_out)?;
    Ok((current.token.record, user))
}
