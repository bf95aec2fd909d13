use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::token::DeviceId;
use crate::{EndReason, UserId};

/// Something that happened to sessions, for an audit log.
///
/// It contains no secret, and nobody can open a session with it. See
/// [`Sessions::with_events`](crate::Sessions::with_events).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionEvent {
    /// What happened.
    pub kind: SessionEventKind,
    /// The user, as the app knows them. `Debug` hides the id.
    pub user: Option<UserId>,
    /// The session. None if the event is about all sessions of a user, or of everyone.
    pub session: Option<SessionHash>,
    /// Why sessions ended, or a sign-in was refused.
    pub reason: Option<EndReason>,
}

/// What happened to sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SessionEventKind {
    /// A user signed in.
    SignedIn,
    /// A sign-in was refused, though the app had accepted the user.
    SignInRefused,
    /// A session signed out.
    SignedOut,
    /// A session got a new id.
    Rotated,
    /// One session was ended by another, by the app or by a later sign-in, or because nobody got the new id that a
    /// sign-in or a rotation gave it.
    ///
    /// Several sign-ins at a [limit](crate::Sessions::with_device_limit) may each report the end of the same session.
    Ended,
    /// All sessions of a user were ended, or all but one.
    UserRevoked,
    /// The sessions of all users were ended.
    EveryoneRevoked,
    /// An account was disabled.
    Disabled,
    /// A disabled account was enabled.
    Enabled,
    /// A request came with the cookie of a session that was ended.
    RevokedCookieUsed,
}

/// A hash that identifies a session in a log: 64 bits of a SHA-256 of its [`DeviceId`].
///
/// `Display` shows 16 hexadecimal digits. Neither the id nor the cookie can be computed from it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionHash([u8; 8]);

impl From<DeviceId> for SessionHash {
    fn from(id: DeviceId) -> Self {
        let digest = Sha256::new()
            .chain_update(b"larder-session-event:")
            .chain_update(id.text())
            .finalize();
        let mut hash = [0; 8];
        hash.copy_from_slice(&digest[..8]);
        Self(hash)
    }
}

impl fmt::Display for SessionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SessionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionHash({self})")
    }
}

/// The app's function for events, if any.
#[derive(Clone, Default)]
pub(crate) struct Events(Option<Arc<Observer>>);

type Observer = dyn Fn(&SessionEvent) + Send + Sync;

impl Events {
    pub(crate) fn to(function: impl Fn(&SessionEvent) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(function)))
    }

    /// Passes an event on. Without a function this costs one comparison.
    pub(crate) fn emit(
        &self,
        kind: SessionEventKind,
        user: Option<&Arc<str>>,
        session: Option<DeviceId>,
        reason: Option<EndReason>,
    ) {
        if let Some(function) = &self.0 {
            function(&SessionEvent {
                kind,
                user: user.map(UserId::read),
                session: session.map(SessionHash::from),
                reason,
            });
        }
    }
}
