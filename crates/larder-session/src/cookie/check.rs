//! Refuses cookies that browsers would refuse (RFC 6265bis, sections 4.1 and 5.6).

use super::builder::{Partition, SameSite, SessionCookieBuilder, Transport};
use crate::token::Token;
use crate::{Result, SessionError};

/// The limit of name and value together, in octets (section 5.6).
const MAX_PAIR: usize = 4096;
/// The limit of an attribute's value, in octets (section 5.6): browsers ignore a longer one.
const MAX_ATTRIBUTE: usize = 1024;

impl SessionCookieBuilder {
    /// Checks that browsers take the cookie and keep it whole.
    pub(super) fn check(&self) -> Result<()> {
        let has_prefix = |prefix: &str| {
            // Browsers compare prefixes without regard to case (RFC 6265bis, section 5.4).
            let start = self.name.get(..prefix.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        let (is_host, domain) = (has_prefix("__Host-"), self.domain.as_deref());
        let is_insecure = self.transport == Transport::Any;
        let is_partitioned = self.partition == Partition::BySite;
        let wrong = if self.name.is_empty() || !self.name.bytes().all(is_token) {
            "the cookie name is not a token (RFC 9110, section 5.6.2): use letters, digits, '-' and '_'"
        } else if self.name.len() + Token::MAX_LENGTH > MAX_PAIR {
            "browsers limit the name and the value of a cookie to 4096 octets, and the value takes 66: \
             use a shorter name"
        } else if !is_path(&self.path) {
            "the cookie path is invalid: it must be visible ASCII that begins with '/', does not end with \
             a space, and contains no ';' and no control character"
        } else if self.path.len() > MAX_ATTRIBUTE {
            "browsers limit the cookie path to 1024 octets: use a shorter one"
        } else if domain.is_some_and(|domain| !is_domain(domain)) {
            "the cookie domain is not a host name: use labels of 1 to 63 letters, digits and '-', at most \
             253 octets in all, without a port"
        } else if is_host && domain.is_some() {
            "browsers refuse a '__Host-' cookie with a domain: use the prefix '__Secure-'"
        } else if is_host && self.path != "/" {
            "browsers refuse a '__Host-' cookie with another path than '/': use the prefix '__Secure-'"
        } else if is_host && is_insecure {
            "browsers refuse a '__Host-' cookie that is not Secure: use a name without a prefix"
        } else if has_prefix("__Secure-") && is_insecure {
            "browsers refuse a '__Secure-' cookie that is not Secure: use a name without a prefix"
        } else if has_prefix("__Http-") && is_insecure {
            "browsers refuse a '__Http-' cookie that is not Secure: use a name without a prefix"
        } else if self.same_site == SameSite::None && is_insecure {
            "browsers refuse a cookie with SameSite=None that is not Secure: use SameSite=Lax, or TLS"
        } else if is_partitioned && is_insecure {
            "browsers refuse a Partitioned cookie that is not Secure: use TLS"
        } else if is_partitioned && self.same_site != SameSite::None {
            "browsers send no Partitioned cookie from a frame of another site unless it has \
             SameSite=None: set that, or leave the cookie unpartitioned"
        } else if is_partitioned && self.path != "/" {
            "a Partitioned cookie needs the path '/': browsers with the first form of CHIPS refuse another"
        } else {
            return Ok(());
        };
        Err(SessionError::invalid(wrong))
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Browsers cut off spaces at the end, which would change the path.
fn is_path(path: &str) -> bool {
    let is_visible = |byte| matches!(byte, b' '..=b'~') && byte != b';';
    path.starts_with('/') && !path.ends_with(' ') && path.bytes().all(is_visible)
}

/// Returns whether it is a domain. A leading dot is ignored (section 5.6.3); a domain with a
/// trailing dot matches no host.
fn is_domain(domain: &str) -> bool {
    let name = domain.strip_prefix('.').unwrap_or(domain);
    let is_label = |label: &str| {
        let mut bytes = label.bytes();
        (1..=63).contains(&label.len())
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}
