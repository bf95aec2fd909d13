//! What a browser would refuse of a cookie (RFC 6265bis, sections 4.1 and 5.6).

use super::builder::{SameSite, SessionCookieBuilder, Transport};
use crate::token::Token;
use crate::{Error, Result};

/// What a name and a value may take together, in octets (section 5.6).
const MAX_PAIR: usize = 4096;
/// What the value of an attribute may take, in octets (section 5.6): a longer one is ignored.
const MAX_ATTRIBUTE: usize = 1024;

pub(super) fn check(cookie: &SessionCookieBuilder) -> Result<()> {
    let has_prefix = |prefix: &str| {
        // Browsers compare prefixes without regard to case (RFC 6265bis, section 5.4).
        let start = cookie.name.get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let (is_host, domain) = (has_prefix("__Host-"), cookie.domain.as_deref());
    let is_insecure = cookie.transport == Transport::Any;
    let wrong = if cookie.name.is_empty() || !cookie.name.bytes().all(is_token) {
        "the name of a cookie is a token (RFC 9110, section 5.6.2): letters, digits, '-' and '_'"
    } else if cookie.name.len() + Token::MAX_LENGTH > MAX_PAIR {
        "the name and the value of a cookie are at most 4096 octets together, of which a session takes \
         66: browsers refuse more; use a shorter name"
    } else if !is_path(&cookie.path) {
        "the path of a cookie begins with '/', does not end with a space, and has no ';' and no control \
         character"
    } else if cookie.path.len() > MAX_ATTRIBUTE {
        "the path of a cookie is at most 1024 octets: browsers ignore a longer one"
    } else if domain.is_some_and(|domain| !is_domain(domain)) {
        "the domain of a cookie is a host name, without a port: labels of 1 to 63 letters, digits and \
         '-', and 253 octets in all"
    } else if is_host && domain.is_some() {
        "a '__Host-' cookie has no domain: browsers refuse it; use the prefix '__Secure-'"
    } else if is_host && cookie.path != "/" {
        "a '__Host-' cookie has the path '/': browsers refuse it; use the prefix '__Secure-'"
    } else if is_host && is_insecure {
        "a '__Host-' cookie is Secure: browsers refuse it; use a name without a prefix"
    } else if has_prefix("__Secure-") && is_insecure {
        "a '__Secure-' cookie is Secure: browsers refuse it; use a name without a prefix"
    } else if has_prefix("__Http-") && is_insecure {
        "a '__Http-' cookie is Secure: browsers refuse it; use a name without a prefix"
    } else if cookie.same_site == SameSite::None && is_insecure {
        "a cookie with SameSite=None is Secure: browsers refuse it"
    } else {
        return Ok(());
    };
    Err(Error::invalid(wrong))
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Spaces at the end are cut off by browsers, so that the path would be another one.
fn is_path(path: &str) -> bool {
    let is_visible = |byte| matches!(byte, b' '..=b'~') && byte != b';';
    path.starts_with('/') && !path.ends_with(' ') && path.bytes().all(is_visible)
}

/// A dot in front is allowed and has no meaning (section 5.6.3); one at the end matches no host.
fn is_domain(domain: &str) -> bool {
    let name = domain.strip_prefix('.').unwrap_or(domain);
    let is_label = |label: &str| {
        let mut bytes = label.bytes();
        (1..=63).contains(&label.len())
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}
