//! Who the session belongs to.

use std::sync::Arc;

use super::Session;
use super::state::{Outgoing, State};
use crate::record::{Epoch, Fields, Secret};
use crate::token::{DeviceId, OwnerTag, Token};
use crate::{Error, ErrorKind, Result, UserId};

impl Session {
    /// Signs `user` in, at once: the session has a new id, and the one before is dead. To be called
    /// after the app has checked who it is, at each sign-in and re-authentication.
    ///
    /// What the visitor had in the session stays, unless another user was signed in: of another
    /// user's nothing stays. Where the session ended meanwhile, a new one begins with nothing of it.
    /// The absolute time begins again. A handler that fails after this does not undo it. Two round
    /// trips, one to read the session if it was not, and one where a session gives way to this one.
    ///
    /// # Errors
    /// As [all methods](Session) give them, and as [`UserId::new`] gives them.
    pub async fn log_in(&self, user: impl Into<Arc<str>> + Send) -> Result<()> {
        let user = UserId::new(user)?;
        let user = user.shared();
        let mut state = match self.act().await {
            // Whoever has just proved who it is needs nothing of the session that ended.
            Err(error) if error.kind() == ErrorKind::Gone => self.load().await?,
            state => state?,
        };
        let sessions = &self.inner.layer.sessions;
        if let Some(current) = &state.current {
            let from = current.token;
            let epoch = sessions.enroll(from.record, user).await?;
            let to = Token::random(from.record, Some(OwnerTag::of(user)));
            let owner = (user.clone(), epoch);
            if let Some(era) = sessions.rotate(&from, &to, Some(owner)).await? {
                self.signed_in(&mut state, to, user, epoch, era);
                return Ok(());
            }
            state.lose();
        }
        state.is_gone = false;
        self.begin_as(&mut state, user).await
    }

    /// Signs out, at once: the session and all that it holds is gone, for every process, and no
    /// request that is under way brings it back. The visitor's cookie is removed. One round trip, and
    /// one to read the session if it was not.
    ///
    /// What is inserted after this in the same request begins a new session.
    ///
    /// # Errors
    /// As [all methods](Session) give them.
    pub async fn log_out(&self) -> Result<()> {
        let mut state = match self.act().await {
            Err(error) if error.kind() == ErrorKind::Gone => return Ok(()),
            state => state?,
        };
        if let Some(current) = &state.current {
            let user = current.about.owner.as_ref().map(|owner| owner.user.clone());
            let sessions = &self.inner.layer.sessions;
            // By now it may be another user's: that one did not ask for this.
            if !sessions.end(current.token.record, user.as_ref()).await? {
                state.lose();
                return Ok(());
            }
        }
        state.clear();
        state.outgoing = Outgoing::Remove;
        Ok(())
    }

    /// Gives the session a new id, at once: for a change of what its user may do. The one before is
    /// dead, after the [grace](crate::Sessions::with_grace) if there is one. Without a session it does
    /// nothing. One round trip, and one to read the session if it was not.
    ///
    /// # Errors
    /// As [all methods](Session) give them.
    pub async fn rotate(&self) -> Result<()> {
        let mut state = self.act().await?;
        let Some(current) = &mut state.current else {
            return Ok(());
        };
        if current.by == Secret::Outdated {
            // Another request has just done it.
            return Ok(());
        }
        let from = current.token;
        let to = Token::random(from.record, from.owner);
        let sessions = &self.inner.layer.sessions;
        if sessions.rotate(&from, &to, None).await?.is_none() {
            state.lose();
            return Err(Error::gone());
        }
        sessions.meter.rotated.increment(1);
        current.token = to;
        state.outgoing = Outgoing::Set(to);
        Ok(())
    }

    /// A new session of `user`'s.
    async fn begin_as(&self, state: &mut State, user: &Arc<str>) -> Result<()> {
        let sessions = &self.inner.layer.sessions;
        let token = Token::random(DeviceId::random(), Some(OwnerTag::of(user)));
        let epoch = sessions.enroll(token.record, user).await?;
        let owner = Some((user.clone(), epoch));
        let opened = sessions.create(&token, owner, Fields::new()).await?;
        sessions.meter.signed_in.increment(1);
        state.begin(token, opened);
        state.outgoing = Outgoing::Set(token);
        Ok(())
    }

    fn signed_in(&self, state: &mut State, token: Token, user: &Arc<str>, epoch: Epoch, era: i64) {
        self.inner.layer.sessions.meter.signed_in.increment(1);
        if state.owner().is_some_and(|owner| owner.user != *user) {
            state.fields = Arc::default();
            state.pending.clear();
        }
        if let Some(current) = &mut state.current {
            current.token = token;
            current.by = Secret::Current;
            current.about.era = era;
            current.about.owner = Some(crate::record::Owner {
                user: user.clone(),
                epoch,
                since: current.about.seen,
            });
        }
        state.outgoing = Outgoing::Set(token);
    }
}
