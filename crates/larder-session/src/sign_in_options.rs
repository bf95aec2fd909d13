use crate::{CookieExpiry, Lifetime};

/// What a sign-in chooses for its session in place of the app's settings.
///
/// By default nothing: the session lives by [`Sessions::with_lifetime`](crate::Sessions::with_lifetime),
/// and the cookie is as the layer's. Given to [`log_in_with`](crate::Session::log_in_with).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct SignInOptions {
    pub(crate) lifetime: Option<Lifetime>,
    pub(crate) expiry: Option<CookieExpiry>,
}

impl SignInOptions {
    /// The app's settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how long this session lives, idle and in all, with its own touch. At most what
    /// [`Sessions::with_max_lifetime`](crate::Sessions::with_max_lifetime) allows.
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
