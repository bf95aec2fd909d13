/// Why a session ended before its time.
///
/// The browser's next request can [take](crate::Session::take_end_reason) it once, and
/// [`revoked`](crate::Session::revoked) returns it to streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// The user ended it from another session.
    SignedOutElsewhere,
    /// The user's password, or another way to sign in, was changed.
    PasswordChanged,
    /// The account was [disabled](crate::Sessions::disable).
    Disabled,
    /// The app or an administrator ended it.
    Administrator,
    /// The user had too many sessions: a later sign-in ended this one.
    TooManyDevices,
    /// The cookie belongs to no session, and no reason is known: it expired, or was signed out long ago.
    Expired,
    /// The session signed out, for streams that it had open.
    SignedOut,
}

impl EndReason {
    /// Returns the byte that stands for it in the store; 0 stands for no reason.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::SignedOutElsewhere => 1,
            Self::PasswordChanged => 2,
            Self::Disabled => 3,
            Self::Administrator => 4,
            Self::TooManyDevices => 5,
            Self::Expired => 6,
            Self::SignedOut => 7,
        }
    }

    /// Reads the byte. None for 0, and for a byte that a later version wrote.
    pub(crate) const fn of(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::SignedOutElsewhere,
            2 => Self::PasswordChanged,
            3 => Self::Disabled,
            4 => Self::Administrator,
            5 => Self::TooManyDevices,
            6 => Self::Expired,
            7 => Self::SignedOut,
            _ => return None,
        })
    }
}

/// Returns the byte of a reason, or 0.
pub(crate) fn code_of(reason: Option<EndReason>) -> u8 {
    reason.map_or(0, EndReason::code)
}
