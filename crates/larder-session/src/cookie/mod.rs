//! The cookie that a visitor keeps the session by.

mod presented;

use std::fmt::Write;
use std::sync::Arc;

use http::HeaderValue;

use crate::token::Token;
use crate::{Error, Lifetime, Result};

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
    expiry: Expiry,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expiry {
    WithTheBrowser,
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
    /// live.
    pub fn persistent(mut self) -> Self {
        self.expiry = Expiry::WithTheSession;
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
    pub(crate) fn build(&self, lifetime: &Lifetime) -> Result<Cookie> {
        self.check()?;
        let mut attributes = String::new();
        if let Some(domain) = &self.domain {
            // Writing to memory does not fail.
            let _ = write!(attributes, "; Domain={domain}");
        }
        let _ = write!(attributes, "; Path={}; HttpOnly", self.path);
        if self.transport == Transport::Secure {
            attributes.push_str("; Secure");
        }
        attributes.push_str(match self.same_site {
            SameSite::Lax => "; SameSite=Lax",
            SameSite::Strict => "; SameSite=Strict",
            SameSite::None => "; SameSite=None",
        });
        let mut keep = attributes.clone();
        if self.expiry == Expiry::WithTheSession {
            let _ = write!(
                keep,
                "; Max-Age={}",
                lifetime.absolute().as_millis().div_ceil(1000)
            );
        }
        let removal = format!(
            "{}={attributes}; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            self.name
        );
        let removal = HeaderValue::try_from(removal)
            .map_err(|_| Error::invalid("the cookie of a session is visible ASCII"))?;
        Ok(Cookie {
            name: self.name.as_str().into(),
            keep: keep.into(),
            removal,
        })
    }

    fn check(&self) -> Result<()> {
        let has_prefix = |prefix: &str| {
            // Browsers compare prefixes without regard to case (RFC 6265bis, section 5.4).
            self.name
                .get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        let is_insecure = self.transport == Transport::Any;
        let wrong = if self.name.is_empty() || !self.name.bytes().all(is_token) {
            "the name of a cookie is a token (RFC 9110, section 5.6.2): letters, digits, '-' and '_'"
        } else if !is_path(&self.path) {
            "the path of a cookie begins with '/' and has no ';' and no control character"
        } else if self
            .domain
            .as_deref()
            .is_some_and(|domain| !is_domain(domain))
        {
            "the domain of a cookie is a host name, without a port"
        } else if has_prefix("__Host-") && self.domain.is_some() {
            "a '__Host-' cookie has no domain: browsers refuse it; use the prefix '__Secure-'"
        } else if has_prefix("__Host-") && self.path != "/" {
            "a '__Host-' cookie has the path '/': browsers refuse it; use the prefix '__Secure-'"
        } else if has_prefix("__Host-") && is_insecure {
            "a '__Host-' cookie is Secure: browsers refuse it; use a name without a prefix"
        } else if has_prefix("__Secure-") && is_insecure {
            "a '__Secure-' cookie is Secure: browsers refuse it; use a name without a prefix"
        } else if self.same_site == SameSite::None && is_insecure {
            "a cookie with SameSite=None is Secure: browsers refuse it"
        } else {
            return Ok(());
        };
        Err(Error::invalid(wrong))
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
            expiry: Expiry::WithTheBrowser,
        }
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_path(path: &str) -> bool {
    path.starts_with('/')
        && path
            .bytes()
            .all(|byte| matches!(byte, b' '..=b'~') && byte != b';')
}

fn is_domain(domain: &str) -> bool {
    !domain.is_empty()
        && domain
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

/// A cookie that can be: what is written is made once.
#[derive(Clone)]
pub(crate) struct Cookie {
    name: Arc<str>,
    keep: Arc<str>,
    removal: HeaderValue,
}

impl Cookie {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The value of `Set-Cookie` that gives the visitor `token`. Never shown in a debug output.
    pub(crate) fn set(&self, token: &Token) -> Option<HeaderValue> {
        let text = format!("{}={}{}", self.name, token.encode(), self.keep);
        let mut value = HeaderValue::try_from(text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// The value of `Set-Cookie` that takes it away.
    pub(crate) fn remove(&self) -> HeaderValue {
        self.removal.clone()
    }
}

#[cfg(test)]
mod tests;
