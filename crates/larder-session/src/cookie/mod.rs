//! The cookie that a visitor keeps the session by.

mod check;
mod presented;

use std::fmt::Write;
use std::sync::Arc;

use http::HeaderValue;
use larder_store::Ttl;

use crate::token::Token;
use crate::{Error, Result};

use check::check;
pub(crate) use presented::Presented;

/// The cookie of a session: its name and its attributes, the same when it is set and when it is
/// removed.
///
/// By default `__Host-session`, `Secure`, `HttpOnly`, `SameSite=Lax`, `Path=/`, and no `Max-Age`: the
/// browser forgets it when it is closed. It is always `HttpOnly`. What cannot be together is an error
/// when the layer is built.
///
/// ```
/// use larder_session::{SameSite, SessionCookie};
///
/// let admin = SessionCookie::default()
///     .with_name("__Host-admin")
///     .with_same_site(SameSite::Strict);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct SessionCookie {
    name: String,
    domain: Option<String>,
    path: String,
    same_site: SameSite,
    transport: Transport,
    expiry: CookieExpiry,
}

/// From which pages a browser sends the cookie (RFC 6265bis, section 5.6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameSite {
    /// From the same site, and with a link that a visitor follows. The default.
    #[default]
    Lax,
    /// From the same site only.
    Strict,
    /// From everywhere, as for a page that stands in a frame of another site. Forged requests then
    /// come with the session: guard against them otherwise.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Secure,
    Any,
}

/// When a browser forgets the cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CookieExpiry {
    /// When it is closed: the cookie has no `Max-Age`. The default.
    #[default]
    OnBrowserClose,
    /// When the session has lived as long as it may: the cookie has that as `Max-Age`.
    WithTheSession,
}

impl SessionCookie {
    /// The same cookie under another name. The prefixes `__Host-` and `__Secure-` bind it as RFC
    /// 6265bis (section 4.1.3) says.
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The same cookie for `domain` and all hosts below it. A `__Host-` name allows none.
    ///
    /// Browsers that have the cookie from before there was a domain send both. The living one counts, and
    /// the old one is removed with whatever sets or removes the cookie next.
    pub fn with_domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// The same cookie for what is below `path`. A `__Host-` name allows `/` alone.
    pub fn with_path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// The same cookie, sent from other pages. The default is [`SameSite::Lax`].
    pub fn with_same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// The same cookie, which the browser keeps when it is closed, for as long as the session may
    /// live. A sign-in may choose otherwise, by
    /// [`SignInOptions`](crate::SignInOptions::with_cookie_expiry).
    pub fn persistent(mut self) -> Self {
        self.expiry = CookieExpiry::WithTheSession;
        self
    }

    /// The same cookie without `Secure`: it is then sent over plain HTTP, where everybody on the way
    /// reads it. For development without TLS. The name needs another prefix than `__Host-`.
    pub fn insecure_over_plain_http(mut self) -> Self {
        self.transport = Transport::Any;
        self
    }

    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) where what was asked for cannot be together.
    pub(crate) fn build(&self) -> Result<Cookie> {
        check(self)?;
        let mut attributes = format!("; Path={}; HttpOnly", self.path);
        if self.transport == Transport::Secure {
            attributes.push_str("; Secure");
        }
        attributes.push_str(match self.same_site {
            SameSite::Lax => "; SameSite=Lax",
            SameSite::Strict => "; SameSite=Strict",
            SameSite::None => "; SameSite=None",
        });
        let domain = self
            .domain
            .as_ref()
            .map(|domain| format!("; Domain={domain}"));
        let keep = format!("{}{attributes}", domain.as_deref().unwrap_or_default());
        let removal = self.removal(&keep)?;
        let host_removal = domain.map(|_| self.removal(&attributes)).transpose()?;
        Ok(Cookie {
            name: self.name.as_str().into(),
            attributes: keep.into(),
            expiry: self.expiry,
            removal,
            host_removal,
        })
    }

    fn removal(&self, attributes: &str) -> Result<HeaderValue> {
        let removal = format!(
            "{}={attributes}; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            self.name
        );
        HeaderValue::try_from(removal)
            .map_err(|_| Error::invalid("the cookie of a session is visible ASCII"))
    }
}

impl Default for SessionCookie {
    fn default() -> Self {
        Self {
            name: "__Host-session".to_owned(),
            domain: None,
            path: "/".to_owned(),
            same_site: SameSite::default(),
            transport: Transport::Secure,
            expiry: CookieExpiry::default(),
        }
    }
}

/// The `Max-Age` of a cookie that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MaxAge {
    /// As the layer's cookie was declared, for a session that has so many microseconds left.
    AsDeclared(i64),
    None,
    /// So many microseconds.
    Left(i64),
}

/// A cookie that can be: what is written is made once.
#[derive(Clone)]
pub(crate) struct Cookie {
    name: Arc<str>,
    attributes: Arc<str>,
    expiry: CookieExpiry,
    removal: HeaderValue,
    /// Removes the cookie of the same name that is of the host alone, where this one has a domain.
    host_removal: Option<HeaderValue>,
}

impl Cookie {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The value of `Set-Cookie` that gives the visitor `token`. Never shown in a debug output.
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

    /// The value of `Set-Cookie` that takes it away.
    pub(crate) fn remove(&self) -> HeaderValue {
        self.removal.clone()
    }

    /// The value of `Set-Cookie` that takes away the cookie that was set before there was a domain;
    /// None if there is no domain.
    pub(crate) fn remove_host_only(&self) -> Option<HeaderValue> {
        self.host_removal.clone()
    }
}

#[cfg(test)]
mod tests;
