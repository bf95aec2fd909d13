//! Who the session belongs to.

use std::sync::Arc;

use super::Session;
use super::state::{Outgoing, State};
use crate::record::{Choice, Fields, Secret, SignIn};
use crate::token::{DeviceId, OwnerTag, Token};
use crate::{Error, ErrorKind, Result, SignInOptions, UserId};

impl Session {
    /// Signs `user` in, at once: the session has a new id, and the one before is dead. To be called
    /// after the app has checked who it is, at each sign-in and re-authentication.
    ///
    /// What the visitor had in the session stays, unless another user was signed in: of another
    /// user's nothing stays. Where the session ended meanwhile, a new one begins with nothing of it.
    /// The absolute time begins again. A handler that fails after this does not undo it. Other sessions
    /// of users that the request came with cookies of are ended. Two round trips, one to read the session if it was not, and one where a session gives way to this one.
    ///
    /// # Errors
    /// As [all methods](Session) give them, and as [`UserId::new`] gives them.
    pub async fn log_in(&self, user: impl Into<Arc<str>> + Send) -> Result<()> {
        self.log_in_with(user, SignInOptions::new()).await
    }

    /// Signs `user` in as [`log_in`](Self::log_in) does, with a lifetime and a cookie of this session's
    /// own: "remember me". Both hold until the next sign-in, also after a [`rotate`](Self::rotate).
    ///
    /// ```
    /// use larder_session::{CookieExpiry, Lifetime, Result, Session, SignInOptions};
    ///
    /// async fn sign_in(session: Session, user: &str, remember: bool) -> Result<()> {
    ///     let mut options = SignInOptions::new();
    ///     if remember {
    ///         // As `Sessions::with_max_lifetime` allows it.
    ///         options = options
    ///             .with_lifetime(Lifetime::AAL1)
    ///             .with_cookie_expiry(CookieExpiry::WithTheSession);
    ///     }
    ///     session.log_in_with(user, options).await
    /// }
    /// ```
    ///
    /// # Errors
    /// As `log_in` gives them, and [`ErrorKind::Invalid`] where the lifetime is longer than
    /// [`Sessions::with_max_lifetime`](crate::Sessions::with_max_lifetime) allows.
    pub async fn log_in_with(
        &self,
        user: impl Into<Arc<str>> + Send,
        options: SignInOptions,
    ) -> Result<()> {
        let user = UserId::new(user)?;
        let user = user.shared();
        self.inner.config.sessions.check_lifetime(&options)?;
        let mut state = match self.act().await {
            // Whoever has just proved who it is needs nothing of the session that ended.
            Err(error) if error.kind() == ErrorKind::Gone => self.load().await?,
            state => state?,
        };
        self.end_rivals(&mut state).await?;
        let sessions = &self.inner.config.sessions;
        if let Some(current) = &state.current {
            let from = current.token;
            let owner = sessions.enroll(from.record, user, &options).await?;
            let to = Token::random(from.record, Some(OwnerTag::of(user)));
            let sign_in = SignIn {
                owner,
                absolute: sessions.absolute(&options),
                choice: Choice::of(&options),
            };
            if let Some(era) = sessions.rotate(&from, &to, Some(sign_in.clone())).await? {
                self.signed_in(&mut state, to, sign_in, era);
                return Ok(());
            }
            state.lose();
        }
        state.is_gone = false;
        self.begin_as(&mut state, user, &options).await
    }

    /// Signs out, at once: the session and all that it holds is gone, for every process, and no
    /// request that is under way brings it back. The visitor's cookie is removed. One round trip, and
    /// one to read the session if it was not.
    ///
    /// What is inserted after this in the same request begins a new session. Other sessions of users that
    /// the request came with cookies of are ended too.
    ///
    /// # Errors
    /// As [all methods](Session) give them.
    pub async fn log_out(&self) -> Result<()> {
        let mut state = match self.act().await {
            Err(error) if error.kind() == ErrorKind::Gone => return Ok(()),
            state => state?,
        };
        self.end_rivals(&mut state).await?;
        if let Some(current) = &state.current {
            let user = current.about.owner.as_ref().map(|owner| owner.user.clone());
            let sessions = &self.inner.config.sessions;
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
    /// nothing, nor where the request came with an id that is within its grace: another request has just
    /// done it. Whoever has to be kept out in spite of a grace signs in again with
    /// [`log_in`](Self::log_in). One round trip, and one to read the session if it was not.
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
        let sessions = &self.inner.config.sessions;
        if sessions.rotate(&from, &to, None).await?.is_none() {
            state.lose();
            return Err(Error::gone());
        }
        sessions.metrics.rotated.increment(1);
        current.token = to;
        state.give();
        Ok(())
    }

    /// A new session of `user`'s.
    async fn begin_as(
        &self,
        state: &mut State,
        user: &Arc<str>,
        options: &SignInOptions,
    ) -> Result<()> {
        let sessions = &self.inner.config.sessions;
        let token = Token::random(DeviceId::random(), Some(OwnerTag::of(user)));
        let owner = sessions.enroll(token.record, user, options).await?;
        let create = sessions.new_session(&token, Some(owner), options, Fields::new());
        let opened = sessions.create(&token, create).await?;
        sessions.metrics.signed_in.increment(1);
        state.begin(token, opened);
        state.give();
        Ok(())
    }

    /// Ends what else of users the visitor has cookies of, so that the one who signs in or out is not
    /// anybody else at the next request. One round trip, where there is anything.
    async fn end_rivals(&self, state: &mut State) -> Result<()> {
        let sessions = &self.inner.config.sessions;
        let rivals = std::mem::take(&mut state.rivals);
        let ends = rivals
            .iter()
            .map(|rival| sessions.end(rival.session, Some(&rival.user)));
        let ended = futures_util::future::try_join_all(ends).await;
        if ended.is_err() {
            state.rivals = rivals;
        }
        ended.map(drop)
    }

    fn signed_in(&self, state: &mut State, token: Token, sign_in: SignIn, era: i64) {
        self.inner.config.sessions.metrics.signed_in.increment(1);
        if state
            .owner()
            .is_some_and(|owner| owner.user != sign_in.owner.user)
        {
            state.fields = Arc::default();
            state.pending.clear();
        }
        if let Some(current) = &mut state.current {
            current.token = token;
            current.by = Secret::Current;
            current.about.era = era;
            current.about.absolute_at = current.about.seen + sign_in.absolute;
            current.about.choice = sign_in.choice;
            current.about.owner = Some(sign_in.owner);
        }
        state.give();
    }
}
