use super::{CookieExpiry, SessionCookie};
use crate::Result;

/// Builds a [`SessionCookie`], starting from the default cookie.
#[derive(Clone, Debug)]
#[must_use]
pub struct SessionCookieBuilder {
    pub(super) name: String,
    pub(super) domain: Option<String>,
    pub(super) path: String,
    pub(super) same_site: SameSite,
    pub(super) transport: Transport,
    pub(super) partition: Partition,
    expiry: CookieExpiry,
}

/// The sites from whose pages a browser sends the cookie (RFC 6265bis, section 5.6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameSite {
    /// From the same site, and when a visitor follows a link. The default.
    #[default]
    Lax,
    /// From the same site only.
    Strict,
    /// From everywhere, as for a page in a frame of another site. Forged requests then carry the
    /// session too: defend against them in another way.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Secure,
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Partition {
    None,
    BySite,
}

impl SessionCookieBuilder {
    /// Sets the name. The prefixes `__Host-` and `__Secure-` restrict the attributes (RFC 6265bis,
    /// section 4.1.3). The default is `__Host-session`.
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets a domain: the cookie is then sent to that host and all hosts below it. A `__Host-` name
    /// allows none.
    ///
    /// A browser that got the cookie before there was a domain sends both cookies. The one with a living session
    /// counts, and the old one is removed with the next change of the cookie.
    pub fn with_domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Sets the path below which the cookie is sent. The default is `/`, and a `__Host-` name allows
    /// no other.
    pub fn with_path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Sets from which pages the cookie is sent. The default is [`SameSite::Lax`].
    pub fn with_same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Sets when the browser forgets the cookie. The default is [`CookieExpiry::OnBrowserClose`].
    ///
    /// A sign-in may override it with
    /// [`SignInOptions::with_cookie_expiry`](crate::SignInOptions::with_cookie_expiry).
    pub fn with_expiry(mut self, expiry: CookieExpiry) -> Self {
        self.expiry = expiry;
        self
    }

    /// Adds `Partitioned`: in frames of other sites, the browser keeps a separate cookie for each of those sites
    /// (CHIPS). It needs [`SameSite::None`], `Secure` and the path `/`.
    ///
    /// A browser that got the cookie before it was partitioned may send both, as described for
    /// [`with_domain`](Self::with_domain).
    pub fn partitioned(mut self) -> Self {
        self.partition = Partition::BySite;
        self
    }

    /// Omits `Secure`, so that the cookie is also sent over plain HTTP, where anyone on the path can read
    /// it. For development without TLS. It needs a name without the prefix `__Host-`.
    pub fn insecure_over_plain_http(mut self) -> Self {
        self.transport = Transport::Any;
        self
    }

    /// Builds the cookie.
    ///
    /// # Errors
    /// [`SessionErrorKind::Invalid`](crate::SessionErrorKind::Invalid) if browsers would refuse the cookie or cut it
    /// short. The error says which setting to change.
    pub fn build(&self) -> Result<SessionCookie> {
        self.check()?;
        Ok(self.build_unchecked())
    }

    pub(super) fn build_unchecked(&self) -> SessionCookie {
        let domains = [self.domain.as_deref(), None];
        let partitions = [self.partition, Partition::None];
        let mut all: Vec<Box<str>> = Vec::new();
        for domain in domains {
            for partition in partitions {
                let attributes = self.attributes(domain, partition);
                if !all.contains(&attributes) {
                    all.push(attributes);
                }
            }
        }
        let twins = all.split_off(1);
        SessionCookie {
            name: self.name.as_str().into(),
            attributes: all.concat().into(),
            twins: twins.into(),
            expiry: self.expiry,
        }
    }

    fn attributes(&self, domain: Option<&str>, partition: Partition) -> Box<str> {
        let domain = domain.map(|domain| format!("; Domain={domain}"));
        let secure = match self.transport {
            Transport::Secure => "; Secure",
            Transport::Any => "",
        };
        let same_site = match self.same_site {
            SameSite::Lax => "Lax",
            SameSite::Strict => "Strict",
            SameSite::None => "None",
        };
        let partitioned = match partition {
            Partition::BySite => "; Partitioned",
            Partition::None => "",
        };
        format!(
            "{}; Path={}; HttpOnly{secure}; SameSite={same_site}{partitioned}",
            domain.unwrap_or_default(),
            self.path
        )
        .into()
    }
}

impl Default for SessionCookieBuilder {
    fn default() -> Self {
        Self {
            name: "__Host-session".to_owned(),
            domain: None,
            path: "/".to_owned(),
            same_site: SameSite::default(),
            transport: Transport::Secure,
            partition: Partition::None,
            expiry: CookieExpiry::default(),
        }
    }
}
