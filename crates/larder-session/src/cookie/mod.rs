//! The cookie that carries a session's token.

mod builder;
mod check;
mod request;

use std::fmt::{self, Write};
use std::sync::Arc;

use http::HeaderValue;
use larder_store::Ttl;

use crate::token::Token;

pub use builder::{SameSite, SessionCookieBuilder};
pub(crate) use request::RequestCookies;

/// The cookie of a session: a name and attributes that browsers accept.
///
/// The default is `__Host-session` with `Secure`, `HttpOnly`, `SameSite=Lax` and `Path=/`, without
/// `Max-Age`: the browser forgets it when it closes. To change it, use the
/// [`builder`](Self::builder). The cookie is set and removed with the same attributes.
///
/// ```
/// use larder_session::{SameSite, SessionCookie};
///
/// let admin = SessionCookie::builder()
///     .with_name("__Host-admin")
///     .with_same_site(SameSite::Strict)
///     .build()?;
/// # Ok::<(), larder_session::SessionError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SessionCookie {
    name: Arc<str>,
    attributes: Arc<str>,
    /// The attributes that the cookie had before it got a domain or was partitioned.
    twins: Arc<[Box<str>]>,
    expiry: CookieExpiry,
}

/// When a browser forgets the cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CookieExpiry {
    /// When the browser closes: the cookie has no `Max-Age`. The default.
    #[default]
    OnBrowserClose,
    /// When the session reaches its absolute lifetime, which is the cookie's `Max-Age`.
    WithTheSession,
}

/// The `Max-Age` of a cookie that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MaxAge {
    /// The one that the layer's cookie declares, for a session with this many microseconds left.
    AsDeclared(i64),
    None,
    /// This many microseconds.
    Left(i64),
}

impl SessionCookie {
    /// Returns a builder that starts from the default cookie.
    pub fn builder() -> SessionCookieBuilder {
        SessionCookieBuilder::default()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the value of `Set-Cookie` that gives the visitor `token`. `Debug` does not show it.
    pub(crate) fn set(&self, token: &Token, max_age: MaxAge) -> Option<HeaderValue> {
        let mut text = format!("{}={}{}", self.name, token.encode(), self.attributes);
        let left = match (max_age, self.expiry) {
            (MaxAge::None, _) | (MaxAge::AsDeclared(_), CookieExpiry::OnBrowserClose) => None,
            (MaxAge::Left(left), _) | (MaxAge::AsDeclared(left), _) => Some(left),
        };
        if let Some(left) = left {
            let seconds = Ttl::covering_micros(left).as_millis().div_ceil(1000);
            // Writing to memory does not fail.
            let _ = write!(text, "; Max-Age={seconds}");
        }
        let mut value = HeaderValue::try_from(text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Returns the value of `Set-Cookie` that removes the cookie.
    pub(crate) fn remove(&self) -> Option<HeaderValue> {
        self.removal(&self.attributes)
    }

    /// Returns the values of `Set-Cookie` that remove cookies of the same name from before.
    ///
    /// Browsers keep a cookie without the domain, and one that is not partitioned, beside this one.
    pub(crate) fn remove_twins(&self) -> impl Iterator<Item = HeaderValue> {
        let twins = self.twins.iter();
        twins.filter_map(|attributes| self.removal(attributes))
    }

    /// Returns the header value. It is never `None`, since a built cookie is visible ASCII.
    fn removal(&self, attributes: &str) -> Option<HeaderValue> {
        let text = format!(
            "{}={attributes}; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            self.name
        );
        HeaderValue::try_from(text).ok()
    }
}

impl Default for SessionCookie {
    fn default() -> Self {
        Self::builder().build_unchecked()
    }
}

impl fmt::Debug for SessionCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCookie")
            .field("name", &self.name)
            .field("attributes", &self.attributes)
            .field("expiry", &self.expiry)
            .finish()
    }
}

#[cfg(test)]
mod tests;
