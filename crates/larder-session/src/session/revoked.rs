//! Waiting for the end of the session, for streams.

use super::Session;
use crate::sessions::Watched;
use crate::{EndReason, Result};

impl Session {
    /// Waits until this session has ended, and returns why: for work that outlives its request, such as
    /// server-sent events and WebSockets.
    ///
    /// It resolves when the session signs out, is revoked or expires, when its account is disabled, and when
    /// another user signs in on it, in any process. A new id by [`rotate`](Self::rotate) does not end it. If a
    /// user signs in on an anonymous session, it waits for the end of the user's session. Waiting does not count as
    /// use: the session can still expire. Without a session it resolves at once, with [`EndReason::SignedOut`].
    ///
    /// A revocation is published, and all streams of a process share one subscription. If a message is lost,
    /// a stream ends after the [interval](crate::Sessions::with_watch_interval), at which each checks its
    /// session; after a gap all check again. While the store fails a stream goes on, at most until its
    /// session would have expired.
    ///
    /// ```
    /// use larder_session::{Result, Session};
    ///
    /// async fn stream(session: Session) -> Result<()> {
    ///     let ended = session.revoked();
    ///     tokio::select! {
    ///         reason = ended => { reason?; }
    ///         () = send_events() => {}
    ///     }
    ///     Ok(())
    /// }
    ///
    /// async fn send_events() {}
    /// ```
    ///
    /// # Errors
    /// Those of [all methods](Session), if the session was not read yet.
    ///
    /// # Cancellation
    /// Dropping it ends the wait.
    pub async fn revoked(&self) -> Result<EndReason> {
        let watched = {
            let state = self.load().await?;
            let Some(current) = &state.current else {
                return Ok(EndReason::SignedOut);
            };
            Watched {
                session: current.token.record,
                user: state.session_user().map(|user| user.id.clone()),
                left: current.metadata.idle_at - current.seen,
            }
        };
        let sessions = &self.inner.config.sessions;
        // Boxed, since it is kept for long and large.
        Ok(Box::pin(sessions.ended(watched)).await)
    }
}
