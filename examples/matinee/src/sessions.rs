//! Sessions: their lifetime and their cookie.

use std::sync::Arc;

use larder::Store;
use larder::session::{CookieExpiry, Lifetime, Result, SessionCookie, SessionLayer, Sessions};

use crate::config::{Config, Transport};

/// A week idle, and a month at most: people go to the cinema now and then.
pub(crate) fn sessions(store: Arc<dyn Store>) -> Result<Sessions> {
    Ok(Sessions::new(store)?.with_lifetime(Lifetime::AAL1))
}

/// Returns the name of the session cookie.
pub(crate) fn cookie_name(config: &Config) -> &'static str {
    match config.transport() {
        Transport::Https => "__Host-session",
        Transport::PlainHttp => "matinee-session",
    }
}

/// While the store fails, a page that needs the session answers 503; the others are still shown.
pub(crate) fn layer(config: &Config, sessions: Sessions) -> Result<SessionLayer> {
    let cookie = SessionCookie::builder()
        .with_name(cookie_name(config))
        .with_expiry(CookieExpiry::WithTheSession);
    let cookie = match config.transport() {
        Transport::Https => cookie,
        Transport::PlainHttp => cookie.insecure_over_plain_http(),
    };
    Ok(SessionLayer::new(sessions).with_cookie(cookie.build()?))
}
