use http::{HeaderMap, HeaderValue, header};
use smallvec::SmallVec;

use crate::token::Token;

/// The maximum number of tokens of one request that count.
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
            let pair = pair.trim_ascii_start();
            match pair.strip_prefix(name.as_bytes())?.trim_ascii_start() {
                [] => Some(&[][..]),
                [b'=', value @ ..] => Some(value.trim_ascii()),
                // Another name, of which this one is the beginning.
                _ => None,
            }
        })
    }
}
