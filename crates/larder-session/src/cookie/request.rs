use http::{HeaderMap, HeaderValue, header};
use smallvec::SmallVec;

use crate::token::Token;

/// How many tokens of one request count.
///
/// A browser has a cookie for the host, and one for each domain above it and each path.
pub(crate) const MAX_TOKENS: usize = 8;

/// The cookies of a request, not parsed until they are needed.
pub(crate) struct RequestCookies(SmallVec<[HeaderValue; 1]>);

impl RequestCookies {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        // HTTP/2 may split cookies over several fields (RFC 9113, section 8.2.3).
        Self(headers.get_all(header::COOKIE).iter().cloned().collect())
    }

    /// Returns the well-formed tokens in the cookies called `name`, each once.
    ///
    /// Only the first [`MAX_TOKENS`] count, which limits the reads that one request can cause.
    pub(crate) fn tokens(&self, name: &str) -> SmallVec<[Token; 1]> {
        let mut tokens = SmallVec::new();
        for token in self.values(name).filter_map(Token::parse) {
            if !tokens.contains(&token) {
                tokens.push(token);
            }
            if tokens.len() == MAX_TOKENS {
                break;
            }
        }
        tokens
    }

    /// Returns whether there is any cookie called `name`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let pairs = self
            .0
            .iter()
            .flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
        pairs.filter_map(move |pair| {
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            let is_named = parts.next()?.trim_ascii() == name.as_bytes();
            is_named.then(|| parts.next().unwrap_or_default().trim_ascii())
        })
    }
}
