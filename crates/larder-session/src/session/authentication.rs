//! When and how the user last proved who they are.

use std::sync::atomic::Ordering;
use std::time::Duration;

use larder_store::Timestamp;

use super::{Session, signed_out};
use crate::user_record::SKEW;
use crate::{EndReason, Result, SessionError, SessionErrorKind, UserId};

/// When and how the user of a session last proved who they are: the last [`log_in`](Session::log_in).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Authentication {
    /// The user.
    pub user: UserId,
    /// When the user signed in, by the store's clock.
    pub at: Timestamp,
    /// How long ago that was: when the request read its session, or now if the response was already sent, as
    /// in a stream. On a cluster it may be off by the difference between two servers' clocks.
    pub age: Duration,
    /// How, if [the app said](crate::SignInOptions::with_method).
    pub method: Option<String>,
}

impl Session {
    /// Returns when and how the user last proved who they are. None if nobody is signed in.
    ///
    /// # Errors
    /// Those of [all methods](Session).
    pub async fn authentication(&self) -> Result<Option<Authentication>> {
        let state = self.read().await?;
        let Some(current) = &state.current else {
            return Ok(None);
        };
        let Some(user) = &current.metadata.user else {
            return Ok(None);
        };
        // After the response, for example in a stream, the session may have been read long ago.
        let now = match self.inner.is_late.load(Ordering::SeqCst) {
            true => self.inner.config.sessions.now_at_least(current.seen),
            false => current.seen,
        };
        let age = match now - user.since {
            // The clocks of two servers differ a little; a sign-in that is further in the future is damaged.
            age if age < -SKEW => i64::MAX,
            age => age.max(0),
        };
        Ok(Some(Authentication {
            user: UserId::read(&user.id),
            at: Timestamp::from_micros(user.since),
            age: Duration::from_micros(age.unsigned_abs()),
            method: user.method.as_deref().map(str::to_owned),
        }))
    }

    /// Returns the user if they proved who they are within this time: a step-up for sensitive actions.
    ///
    /// Otherwise let the user sign in again: [`log_in`](Self::log_in) for the same user keeps the fields of
    /// the session and issues a new id. A failing store never counts as a recent sign-in.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use larder_session::{Result, Session};
    ///
    /// async fn change_email(session: Session) -> Result<()> {
    ///     let user = session.recent_auth(Duration::from_secs(300)).await?;
    ///     // Someone who finds the browser open an hour later does not get this far.
    ///     # let _ = user;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`SessionErrorKind::SignedOut`] if nobody is signed in,
    /// [`SessionErrorKind::ReauthenticationRequired`] if the sign-in was earlier, and
    /// [`SessionErrorKind::Unavailable`] if the store fails.
    pub async fn recent_auth(&self, within: Duration) -> Result<UserId> {
        self.require_user().await?;
        let authentication = self.authentication().await?.ok_or_else(signed_out)?;
        if authentication.age <= within {
            return Ok(authentication.user);
        }
        Err(SessionError::new(
            SessionErrorKind::ReauthenticationRequired,
            "the sign-in is not recent enough for this: the user has to sign in again",
        ))
    }

    /// Returns, once, why the previous session of this browser ended.
    ///
    /// Only a request with the cookie of that very session gets the reason; of several at once, one does.
    /// For the cookie of a signed-in session that the store does not know, because it was idle for too
    /// long or is made up, it returns [`EndReason::Expired`], each time. It returns None if the session
    /// lives, if the request has no such cookie, and if the reason was taken. The reason is kept for [a
    /// day](crate::Sessions::with_end_reason_ttl). One round trip if there is a reason.
    ///
    /// # Errors
    /// Those of [all methods](Session).
    ///
    /// # Cancellation
    /// The reason may have been taken.
    pub async fn take_end_reason(&self) -> Result<Option<EndReason>> {
        let mut state = self.read().await?;
        let Some((token, reason)) = state.ended.take() else {
            return Ok(None);
        };
        if reason == EndReason::Expired {
            return Ok(Some(reason));
        }
        let sessions = &self.inner.config.sessions;
        Ok(sessions.take_end_reason(&token).await?.then_some(reason))
    }
}
