//! Signing in, and rotating the id.

use std::sync::Arc;

use super::sent::{Sent, is_settled};
use super::state::{Current, State};
use super::{Session, abandoned};
use crate::event::SessionEventKind;
use crate::session_record::{Choice, Fields, Secret, SessionUser, SignIn};
use crate::sessions::Subject;
use crate::token::{DeviceId, Token, UserTag};
use crate::{Result, SessionError, SessionErrorKind, SignInOptions, UserId};

impl Session {
    /// Signs `user` in at once: the session gets a new id, and the old id stops working.
    ///
    /// Call it at each sign-in and each re-authentication, after the app has checked who the user is. The
    /// visitor's fields stay, unless another user was signed in: no field of another user stays. If the session
    /// ended in the meantime, a new and empty one begins. The absolute time begins again. If the handler fails
    /// later, the user stays signed in. If the request came with cookies of other signed-in sessions, those are
    /// ended.
    ///
    /// Two round trips, and one more to read the session if it was not read yet. With a
    /// [device limit](crate::Sessions::with_device_limit), two more if the user already has as many sessions as
    /// allowed; with [`DeviceLimit::EndOldest`](crate::DeviceLimit::EndOldest), also one more at every sign-in, and
    /// two more if a session is ended. Four more if the session ended in the meantime, and two more if other sessions
    /// whose cookies came with the request are ended.
    ///
    /// # Errors
    /// Those of [all methods](Session) and of [`UserId::new`]; [`SessionErrorKind::Disabled`] if the account is
    /// [disabled](crate::Sessions::disable), and [`SessionErrorKind::TooManyDevices`] at a
    /// [limit that refuses](crate::DeviceLimit::Refuse). The session then stays as it was; other signed-in sessions
    /// whose cookies came with the request have been ended by then.
    pub async fn log_in(&self, user: impl Into<Arc<str>> + Send) -> Result<()> {
        self.log_in_with(user, SignInOptions::new()).await
    }

    /// Signs `user` in as [`log_in`](Self::log_in) does, with settings for this session: "remember me".
    ///
    /// They apply until the next sign-in, including after a [`rotate`](Self::rotate).
    ///
    /// ```
    /// use larder_session::{CookieExpiry, Lifetime, Result, Session, SignInOptions};
    ///
    /// async fn sign_in(session: Session, user: &str, remember: bool) -> Result<()> {
    ///     let mut options = SignInOptions::new();
    ///     if remember {
    ///         // The app allows it with `Sessions::with_max_lifetime`.
    ///         options = options
    ///             .with_lifetime(Lifetime::AAL1)
    ///             .with_cookie_expiry(CookieExpiry::WithTheSession);
    ///     }
    ///     session.log_in_with(user, options).await
    /// }
    /// ```
    ///
    /// # Errors
    /// Those of `log_in`, and [`SessionErrorKind::Invalid`] if the lifetime exceeds
    /// [`Sessions::with_max_lifetime`](crate::Sessions::with_max_lifetime).
    pub async fn log_in_with(
        &self,
        user: impl Into<Arc<str>> + Send,
        options: SignInOptions,
    ) -> Result<()> {
        let user = UserId::new(user)?;
        let user = user.shared();
        self.inner.config.sessions.check_lifetime(&options)?;
        options.check_method()?;
        let mut state = match self.act().await {
            // A user who has just signed in needs nothing from the session that ended.
            Err(error) if error.kind() == SessionErrorKind::Gone => self.load().await?,
            state => state?,
        };
        if self.is_abandoned() {
            return Err(abandoned());
        }
        self.end_rivals(&mut state).await?;
        let sessions = &self.inner.config.sessions;
        if let Some(current) = &state.current {
            let from = current.token;
            let enrolled = sessions.enroll(from.record, user, &options).await?;
            let to = Token::random(from.record, Some(UserTag::of(user)));
            let sign_in = SignIn {
                user: enrolled,
                absolute: sessions.absolute(&options),
                choice: Choice::of(&options),
            };
            let sent = Sent::making(sessions, &mut state, to, Some(user.clone()));
            let rotated = sessions.rotate(&from, &to, Some(sign_in.clone())).await;
            let rotated = sent.answered(rotated);
            if let Ok(Some(generation)) = rotated {
                let user = sign_in.user.clone();
                self.signed_in(&mut state, to, sign_in, generation);
                return self.confirm(&mut state, to, &user).await;
            }
            if is_settled(&rotated) {
                sessions.unlist(to.record, user).await;
            }
            rotated?;
            state.lose();
        }
        state.is_gone = false;
        self.begin_as(&mut state, user, &options).await
    }

    /// Gives the session a new id at once. Call it when the user's privileges change.
    ///
    /// The old id stops working, after the [grace period](crate::Sessions::with_grace) if there is one. It does nothing
    /// without a session, or if the request came with an id in its grace period, because another request has just
    /// rotated. To lock out everyone who has the old id, even during the grace period, sign in again with
    /// [`log_in`](Self::log_in). One round trip, and one more to read the session if it was not read yet.
    ///
    /// # Errors
    /// Those of [all methods](Session). If it is unknown whether the id was replaced, the session of a user ends.
    pub async fn rotate(&self) -> Result<()> {
        let mut state = self.act().await?;
        if self.is_abandoned() {
            return Err(abandoned());
        }
        let Some(current) = &state.current else {
            return Ok(());
        };
        let is_outdated = current.by == Secret::Outdated;
        let from = current.token;
        let to = Token::random(from.record, from.user);
        let user = state.session_user().map(|user| user.id.clone());
        let sessions = &self.inner.config.sessions;
        let sent = Sent::making(sessions, &mut state, to, user);
        let rotated = sessions.rotate(&from, &to, None).await;
        if sent.answered(rotated)?.is_none() {
            if is_outdated {
                // Another request has just done it, and that was not undone.
                return Ok(());
            }
            state.lose();
            return Err(SessionError::gone());
        }
        if let Some(current) = &mut state.current {
            self.note_rotated(current, to);
        }
        state.give();
        Ok(())
    }

    /// Creates a session that belongs to `user`.
    async fn begin_as(
        &self,
        state: &mut State,
        user: &Arc<str>,
        options: &SignInOptions,
    ) -> Result<()> {
        let sessions = &self.inner.config.sessions;
        let token = Token::random(state.id(), Some(UserTag::of(user)));
        let enrolled = sessions.enroll(token.record, user, options).await?;
        let create = sessions.new_session(&token, Some(enrolled.clone()), options, Fields::new());
        let created = self.create(state, token, create).await;
        if created.is_err() && is_settled(&created) {
            sessions.unlist(token.record, user).await;
        }
        created?;
        self.note_signed_in(user, token.record);
        self.confirm(state, token, &enrolled).await
    }

    /// Confirms a sign-in that was carried out. If this is dropped, nobody is given its secret.
    async fn confirm(&self, state: &mut State, token: Token, user: &SessionUser) -> Result<()> {
        let sessions = &self.inner.config.sessions;
        let sent = Sent::making(sessions, state, token, Some(user.id.clone()));
        let confirmed = sessions.confirm(token.record, user).await;
        sent.delivered();
        confirmed
    }

    /// Gives the session its new id.
    pub(super) fn note_rotated(&self, current: &mut Current, to: Token) {
        let sessions = &self.inner.config.sessions;
        sessions.metrics.rotated.increment(1);
        let user = current.metadata.user.as_ref().map(|user| &user.id);
        let (kind, session) = (SessionEventKind::Rotated, Some(to.record));
        sessions.settings.events.emit(kind, user, session, None);
        current.token = to;
    }

    fn note_signed_in(&self, user: &Arc<str>, session: DeviceId) {
        let sessions = &self.inner.config.sessions;
        sessions.metrics.signed_in.increment(1);
        let (kind, session) = (SessionEventKind::SignedIn, Some(session));
        sessions
            .settings
            .events
            .emit(kind, Some(user), session, None);
    }

    fn signed_in(&self, state: &mut State, token: Token, sign_in: SignIn, generation: i64) {
        self.note_signed_in(&sign_in.user.id, token.record);
        let sessions = &self.inner.config.sessions;
        match state.session_user() {
            Some(before) if before.id != sign_in.user.id => {
                sessions.tell(Subject::user(&before.id));
                state.stored = None;
                state.pending.clear();
            }
            Some(_) => {}
            // From now on its streams wait for the end of the user's session.
            None => sessions.tell(Subject::of(token.record, None)),
        }
        if let Some(current) = &mut state.current {
            current.token = token;
            current.by = Secret::Current;
            current.seen = current.seen.max(sign_in.user.since);
            let metadata = Arc::make_mut(&mut current.metadata);
            metadata.generation = generation;
            metadata.absolute_at = current.seen + sign_in.absolute;
            metadata.choice = sign_in.choice;
            metadata.user = Some(sign_in.user);
        }
        state.give();
    }
}
