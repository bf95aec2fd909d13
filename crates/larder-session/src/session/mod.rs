//! The session of one request, without tower.

mod authentication;
mod data;
mod devices;
mod finish;
mod flash;
mod pending;
mod revoked;
mod save;
mod sent;
mod sign_in;
mod sign_out;
mod state;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use futures_util::lock::{Mutex, MutexGuard};
use http::request::Parts;
use http::{Extensions, HeaderMap};
use larder_store::Identity;

use crate::cookie::RequestCookies;
use crate::site_data::ClearSiteData;
use crate::{OnFailure, Result, SessionCookie, SessionError, SessionErrorKind, Sessions, UserId};

pub use authentication::Authentication;
pub(crate) use finish::{Answer, Verdict};
pub use flash::{Flash, FlashLevel};
pub(crate) use state::Outgoing;
use state::{Phase, State};

/// The session of one request, which a handler takes as an argument.
///
/// It is lazy: an unused session costs no store call. The first use reads all fields in one round
/// trip, and without a cookie there is nothing to read. Most changes (`insert`, `remove`,
/// `increment`, `take`, `name_device`) are collected and written together when the handler returns,
/// unless the response is a server error (5xx). Changes that must hold in any case are written at
/// once: `log_in`, `log_in_with`, `log_out`, `rotate`, `update`, `change_value`, `take_now`, `save`, the
/// flash messages and the revocations.
///
/// Clones share one session. Its methods run one at a time.
///
/// ```
/// use larder_session::{Result, Session, SessionKey};
///
/// const VISITS: SessionKey<u32> = SessionKey::new("visits");
///
/// async fn home(session: Session) -> Result<String> {
///     let visits = session.increment(VISITS, 1).await?;
///     Ok(match session.user().await? {
///         Some(user) => format!("welcome back, {}: visit {visits}", user.as_str()),
///         None => format!("visit {visits}"),
///     })
/// }
/// ```
///
/// # Errors
/// Every method may return these [kinds](SessionErrorKind):
/// - `Unavailable` if the store fails. With [`OnFailure::Anonymous`], reads then find nothing and the
///   collected changes are dropped; signing in or out and immediate writes still fail.
/// - `Gone` if a change finds that the session ended during this request. The session is then empty
///   for the rest of the request.
/// - `Late` for a change after the response was sent. If the request ended without a response, because its
///   client has left or the inner service failed, also for a change that needs a response: a collected change, a
///   sign-in, a new id or a new session. Immediate writes to an existing session are still made, and a sign-out
///   still ends it.
///
/// # Cancellation
/// You can repeat a read that was dropped. A change that was dropped may or may not have been written; after a
/// dropped write the rest of the request is treated as if the session could not be read, but it can still sign out.
/// A sign-in or a rotation that was dropped may have replaced the id without giving the visitor the new one. A task then
/// ends the session if it belongs to a user, and the visitor has to sign in again.
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

/// The settings that all requests of one layer share.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) sessions: Sessions,
    pub(crate) cookie: SessionCookie,
    pub(crate) on_failure: OnFailure,
    pub(crate) clear_site_data: Option<ClearSiteData>,
}

struct Inner {
    config: Arc<Config>,
    cookies: RequestCookies,
    is_used: AtomicBool,
    /// The response was sent, or is about to be.
    is_late: AtomicBool,
    /// The request has ended, with or without a response.
    is_over: AtomicBool,
    state: Mutex<State>,
}

impl Session {
    pub(crate) fn new(config: Arc<Config>, headers: &HeaderMap) -> Self {
        Self {
            inner: Arc::new(Inner {
                config,
                cookies: RequestCookies::of(headers),
                is_used: AtomicBool::new(false),
                is_late: AtomicBool::new(false),
                is_over: AtomicBool::new(false),
                state: Mutex::new(State::default()),
            }),
        }
    }

    pub(crate) fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Returns the session of a request, for a middleware or the key function of a rate limit.
    ///
    /// Returns `None` without a [`SessionLayer`](crate::SessionLayer) around the caller.
    ///
    /// ```
    /// use http::request::Parts;
    /// use larder_session::{Result, Session, UserId};
    ///
    /// async fn user_of(parts: &Parts) -> Result<Option<UserId>> {
    ///     match Session::from_parts(parts) {
    ///         Some(session) => session.user().await,
    ///         None => Ok(None),
    ///     }
    /// }
    /// ```
    pub fn from_parts(parts: &Parts) -> Option<Self> {
        Self::from_extensions(&parts.extensions)
    }

    /// Returns the session in the extensions of a request, as [`from_parts`](Self::from_parts) does.
    pub fn from_extensions(extensions: &Extensions) -> Option<Self> {
        extensions.get().cloned()
    }

    /// Returns the signed-in user. None if nobody is signed in.
    ///
    /// # Errors
    /// Those of [all methods](Self).
    pub async fn user(&self) -> Result<Option<UserId>> {
        let state = self.read().await?;
        Ok(state.user())
    }

    /// Returns the signed-in user, for actions that need one.
    ///
    /// A failing store never counts as signed in, whatever [`OnFailure`] says.
    ///
    /// # Errors
    /// [`SessionErrorKind::SignedOut`] if nobody is signed in, [`SessionErrorKind::Unavailable`] if the store fails.
    pub async fn require_user(&self) -> Result<UserId> {
        let state = self.load().await?;
        state.user().ok_or_else(signed_out)
    }

    /// Notes that the request has ended, with or without a response.
    pub(crate) fn end_request(&self) {
        self.inner.is_over.store(true, Ordering::SeqCst);
    }

    /// Returns whether the request has ended without a response.
    fn is_abandoned(&self) -> bool {
        self.inner.is_over.load(Ordering::SeqCst) && !self.inner.is_late.load(Ordering::SeqCst)
    }

    /// Locks the state, and reads the session at its first use.
    ///
    /// # Errors
    /// [`SessionErrorKind::Unavailable`] if the store fails, or failed before in this request: it is called only
    /// once.
    async fn load(&self) -> Result<MutexGuard<'_, State>> {
        let mut state = self.inner.state.lock().await;
        if !self.inner.is_used.load(Ordering::Relaxed) {
            // Ordered with `is_late`: either this or the end of the request sees the other.
            self.inner.is_used.store(true, Ordering::SeqCst);
        }
        if state.phase == Phase::Unread {
            let sessions = &self.inner.config.sessions;
            let tokens = self.inner.cookies.tokens(self.inner.config.cookie.name());
            let found = match &*tokens {
                [] => Ok(()),
                [token] => {
                    let opening = match sessions.open_now(token) {
                        Poll::Ready(opening) => opening,
                        Poll::Pending => sessions.open_later(token).await,
                    };
                    opening.map(|opening| state.find_one(*token, opening))
                }
                // Boxed, since it is rare and large.
                several => {
                    let found = Box::pin(sessions.find_one_of(several)).await;
                    found.map(|found| state.find(found))
                }
            };
            state.phase = match found {
                Ok(()) => Phase::Read,
                Err(_) => Phase::Failed,
            };
            found?;
        }
        match state.phase {
            Phase::Failed => Err(SessionError::new(
                SessionErrorKind::Unavailable,
                "the session cannot be used any more in this request: its store failed, or a write was dropped",
            )),
            _ => Ok(state),
        }
    }

    /// Locks the state for a read; with `Anonymous`, a failing store yields an empty session.
    async fn read(&self) -> Result<MutexGuard<'_, State>> {
        match self.load().await {
            Err(error) if error.kind() == SessionErrorKind::Unavailable => {
                match self.inner.config.on_failure {
                    OnFailure::Anonymous => Ok(self.inner.state.lock().await),
                    OnFailure::Unavailable => Err(error),
                }
            }
            read => read,
        }
    }

    /// Locks the state for a change that is written when the handler returns.
    async fn change(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.checked(self.read().await?)?;
        match self.is_abandoned() {
            true => Err(abandoned()),
            false => Ok(state),
        }
    }

    /// Locks the state for a change that is written at once.
    async fn act(&self) -> Result<MutexGuard<'_, State>> {
        self.checked(self.load().await?)
    }

    /// Refuses a change after the response, or to a session that ended.
    fn checked<'a>(&self, state: MutexGuard<'a, State>) -> Result<MutexGuard<'a, State>> {
        if self.inner.is_late.load(Ordering::SeqCst) {
            return Err(SessionError::new(
                SessionErrorKind::Late,
                "the response has already been sent: change the session before the handler returns",
            ));
        }
        if state.is_gone {
            return Err(SessionError::gone());
        }
        Ok(state)
    }
}

fn abandoned() -> SessionError {
    SessionError::new(
        SessionErrorKind::Late,
        "the request has ended without a response, which this change needs: an existing session can be changed at \
         once, with `Session::update`",
    )
}

fn signed_out() -> SessionError {
    SessionError::new(SessionErrorKind::SignedOut, "nobody is signed in")
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// Gives the signed-in user to inner layers, such as a rate limit.
///
/// It reads the session. While the store fails, there is no user.
impl Identity for Session {
    type User = Arc<str>;

    async fn identify(&self) -> Option<Arc<str>> {
        let user = self.user().await.ok()??;
        Some(user.shared().clone())
    }
}
