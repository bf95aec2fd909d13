//! The other sessions of the user.

use super::state::{Outgoing, State};
use super::{Session, signed_out};
use crate::record::Owner;
use crate::token::DeviceId;
use crate::{Device, Error, Result};

impl Session {
    /// The sessions of the user who is signed in, the one seen last at the front. Two round trips.
    ///
    /// # Errors
    /// As [all methods](Session) give them; [`ErrorKind::SignedOut`](crate::ErrorKind::SignedOut)
    /// where nobody is signed in.
    pub async fn devices(&self) -> Result<Vec<Device>> {
        let state = self.load().await?;
        let (current, owner) = signed_in(&state)?;
        let sessions = &self.inner.config.sessions;
        sessions.devices_seen_by(&owner.user, Some(current)).await
    }

    /// Ends one session of the user who is signed in, and tells whether it is gone now: another
    /// user's stays. In force at the next request of any process. Two round trips: a session that was
    /// revoked itself while its request was under way revokes nothing.
    ///
    /// # Errors
    /// As [`devices`](Self::devices) gives them.
    pub async fn revoke(&self, device: DeviceId) -> Result<bool> {
        let mut state = self.act().await?;
        let (current, owner) = signed_in(&state)?;
        if device == current {
            drop(state);
            self.log_out().await?;
            return Ok(true);
        }
        self.check_in_force(&mut state, current, &owner).await?;
        let sessions = &self.inner.config.sessions;
        sessions.end(device, Some(&owner.user)).await
    }

    /// Ends every session of the user but this one, listed or not. In force at the next request of
    /// any process. Four round trips, of which the last two only give back room.
    ///
    /// # Errors
    /// As [`devices`](Self::devices) gives them.
    pub async fn revoke_others(&self) -> Result<()> {
        let mut state = self.act().await?;
        let (current, owner) = signed_in(&state)?;
        self.revoke_but(&mut state, current, owner, Some(current))
            .await
    }

    /// Ends every session of the user, this one too, listed or not. In force at the next request of
    /// any process. Four round trips, of which the last two only give back room.
    ///
    /// # Errors
    /// As [`devices`](Self::devices) gives them.
    pub async fn revoke_all(&self) -> Result<()> {
        let mut state = self.act().await?;
        let (current, owner) = signed_in(&state)?;
        self.revoke_but(&mut state, current, owner, None).await?;
        state.clear();
        state.outgoing = Outgoing::Remove;
        Ok(())
    }

    async fn revoke_but(
        &self,
        state: &mut State,
        current: DeviceId,
        owner: Owner,
        spared: Option<DeviceId>,
    ) -> Result<()> {
        self.check_in_force(state, current, &owner).await?;
        let sessions = &self.inner.config.sessions;
        let (user, by) = (owner.user.clone(), Some((current, owner)));
        if sessions.revoke_by(&user, by, spared).await? {
            return Ok(());
        }
        state.lose();
        Err(Error::gone())
    }

    /// What was revoked since the request read its session revokes nothing.
    async fn check_in_force(
        &self,
        state: &mut State,
        current: DeviceId,
        owner: &Owner,
    ) -> Result<()> {
        let sessions = &self.inner.config.sessions;
        if sessions.is_in_force(current, owner).await? {
            return Ok(());
        }
        state.lose();
        Err(Error::gone())
    }
}

fn signed_in(state: &State) -> Result<(DeviceId, Owner)> {
    let current = state.current.as_ref().ok_or_else(signed_out)?;
    let owner = current.about.owner.clone().ok_or_else(signed_out)?;
    Ok((current.token.record, owner))
}
