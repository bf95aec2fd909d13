use crate::{CookieExpiry, Lifetime};

/// The settings of one session, chosen at its sign-in.
///
/// By default the session has the lifetime of
/// [`Sessions::with_lifetime`](crate::Sessions::with_lifetime) and the layer's cookie. Pass them to
/// [`log_in_with`](crate::Session::log_in_with).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct SignInOptions {
    pub(crate) lifetime: Option<Lifetime>,
    pub(crate) expiry: Option<CookieExpiry>,
}

impl SignInOptions {
    /// Makes the settings of the app.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the lifetime of this session, with its own touch. It must not exceed
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
}
