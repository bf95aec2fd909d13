//! The session of one request.

mod data;
mod devices;
mod finish;
mod key;
mod pending;
mod save;
mod sign_in;
mod state;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::request::Parts;
use http::{Extensions, HeaderMap};
use tokio::sync::{Mutex, MutexGuard};

use crate::cookie::RequestCookies;
use crate::sessions::Found;
use crate::{Error, ErrorKind, OnFailure, Result, SessionCookie, Sessions, UserId};

pub(crate) use finish::{Answer, Verdict};
pub(crate) use key::DEVICE;
pub use key::SessionKey;
pub(crate) use state::Outgoing;
use state::{Phase, State};

/// The session of one request: what a handler is given, whatever the store.
///
/// It is lazy. Until it is first used nothing is read, and the request costs no store call. The first
/// use reads all of it, in one round trip; without a cookie there is nothing to read. Changes are kept
/// until the response is there, and then written by one step, unless the response is a server error
/// (5xx): `insert`, `remove`, `increment`, `take` and `name_device`. What has to hold whatever comes
/// after is written at once: `log_in`, `log_in_with`, `log_out`, `rotate`, `update`, `save` and the
/// revocations.
///
/// Clones are the same session. Its methods take turns.
///
/// # Errors
/// Of every method, as [`ErrorKind`] tells them:
/// - `Unavailable` where the store fails. Declared as [`OnFailure::Anonymous`], reading then finds
///   nothing, and deferred changes are dropped; signing in and out and what is written at once fail.
/// - `Gone` where a change finds that the session ended while this request was under way. The session
///   is then empty, and stays so for the rest of the request.
/// - `Late` where a change comes after the response has gone out.
///
/// # Cancellation
/// A dropped read may be repeated. A dropped change may or may not have been written; a sign-in or a
/// rotation that is dropped may have replaced the id without the visitor learning the new one, who
/// then has to sign in again.
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

/// What all requests of one layer share.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) sessions: Sessions,
    pub(crate) cookie: SessionCookie,
    pub(crate) on_failure: OnFailure,
}

struct Inner {
    config: Arc<Config>,
    cookies: RequestCookies,
    is_used: AtomicBool,
    /// The response has gone out, or is about to.
    is_late: AtomicBool,
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
                state: Mutex::new(State::default()),
            }),
        }
    }

    /// The session of a request, from its parts: for a middleware, or a function that makes the key of a
    /// rate limit. None without a [`SessionLayer`](crate::SessionLayer) outside of it.
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

    /// The session among the extensions of a request, as [`from_parts`](Self::from_parts) finds it.
    pub fn from_extensions(extensions: &Extensions) -> Option<Self> {
        extensions.get().cloned()
    }

    /// Who is signed in, if anybody is.
    ///
    /// # Errors
    /// As [all methods](Self) give them.
    pub async fn user(&self) -> Result<Option<UserId>> {
        let state = self.read().await?;
        Ok(state.user())
    }

    /// Who is signed in, for what only a user may do: a failing store never lets anybody through,
    /// whatever was declared.
    ///
    /// # Errors
    /// [`ErrorKind::SignedOut`] where nobody is, [`ErrorKind::Unavailable`] where the store does not
    /// say.
    pub async fn require_user(&self) -> Result<UserId> {
        let state = self.load().await?;
        state.user().ok_or_else(signed_out)
    }

    /// The session, read if it was not yet.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] where the store fails or failed in this request before: it is asked
    /// once.
    async fn load(&self) -> Result<MutexGuard<'_, State>> {
        let mut state = self.inner.state.lock().await;
        // Of this and the end of the request, one sees what the other did.
        self.inner.is_used.store(true, Ordering::SeqCst);
        if state.phase == Phase::Unread {
            let sessions = &self.inner.config.sessions;
            let tokens = self.inner.cookies.tokens(self.inner.config.cookie.name());
            let found = match &*tokens {
                [] => Ok(Found::default()),
                [token] => sessions.open(token).await.map(|opened| Found {
                    chosen: opened.map(|opened| (*token, opened)),
                    rivals: Vec::new(),
                }),
                // Boxed, since it is rare and large.
                several => Box::pin(sessions.find_one_of(several)).await,
            };
            match found {
                Ok(found) => {
                    state.phase = Phase::Read;
                    state.find(found);
                }
                Err(error) => {
                    state.phase = Phase::Failed;
                    return Err(error);
                }
            }
        }
        match state.phase {
            Phase::Failed => Err(Error::new(
                ErrorKind::Unavailable,
                "the store of the session failed",
            )),
            _ => Ok(state),
        }
    }

    /// The session for reading: an empty one where the store fails and that is declared as anonymous.
    async fn read(&self) -> Result<MutexGuard<'_, State>> {
        match self.load().await {
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                match self.inner.config.on_failure {
                    OnFailure::Anonymous => Ok(self.inner.state.lock().await),
                    OnFailure::Unavailable => Err(error),
                }
            }
            read => read,
        }
    }

    /// The session for changes that are kept until the end.
    async fn change(&self) -> Result<MutexGuard<'_, State>> {
        self.checked(self.read().await?)
    }

    /// The session for what is written at once.
    async fn act(&self) -> Result<MutexGuard<'_, State>> {
        self.checked(self.load().await?)
    }

    /// Refuses to change what cannot be changed any more.
    fn checked<'a>(&self, state: MutexGuard<'a, State>) -> Result<MutexGuard<'a, State>> {
        if self.inner.is_late.load(Ordering::SeqCst) {
            return Err(Error::new(
                ErrorKind::Late,
                "the response has gone out: change the session before it is returned",
            ));
        }
        if state.is_gone {
            return Err(Error::gone());
        }
        Ok(state)
    }
}

fn signed_out() -> Error {
    Error::new(ErrorKind::SignedOut, "nobody is signed in")
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
