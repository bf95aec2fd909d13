use crate::{CookieExpiry, Lifetime, Result, SessionError};

/// The settings of one session, chosen at its sign-in.
///
/// Pass them to [`log_in_with`](crate::Session::log_in_with). By default the session has the lifetime of
/// [`Sessions::with_lifetime`](crate::Sessions::with_lifetime) and the layer's cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct SignInOptions {
    pub(crate) lifetime: Option<Lifetime>,
    pub(crate) expiry: Option<CookieExpiry>,
    pub(crate) method: Option<&'static str>,
}

/// The limit of a method, in bytes.
const MAX_METHOD: usize = 32;

impl SignInOptions {
    /// Makes options that keep the app's settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the lifetime of this session, with its own touch interval. It must not exceed
    /// [`Sessions::with_max_lifetime`](crate::Sessions::with_max_lifetime).
    pub fn with_lifetime(mut self, lifetime: Lifetime) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Sets when the browser forgets the cookie of this session.
    pub fn with_cookie_expiry(mut self, expiry: CookieExpiry) -> Self {
        self.expiry = Some(expiry);
        self
    }

    /// Sets how the user proved who they are, such as `password` or `passkey`: 1 to 32 bytes.
    ///
    /// [`authentication`](crate::Session::authentication) and [`devices`](crate::Session::devices) return
    /// it.
    pub fn with_method(mut self, method: &'static str) -> Self {
        self.method = Some(method);
        self
    }

    pub(crate) fn check_method(&self) -> Result<()> {
        let is_right = |method: &str| (1..=MAX_METHOD).contains(&method.len());
        if self.method.is_none_or(is_right) {
            return Ok(());
        }
        Err(SessionError::invalid(
            "the method of a sign-in must have 1 to 32 bytes, such as 'password'",
        ))
    }
}
