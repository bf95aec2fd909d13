use http::{HeaderMap, HeaderValue, header};
use smallvec::SmallVec;

use crate::token::Token;

/// The cookies that a request came with, unread until they are asked for.
pub(crate) struct Presented(SmallVec<[HeaderValue; 1]>);

impl Presented {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        // HTTP/2 may split them over several fields (RFC 9113, section 8.2.3).
        Self(headers.get_all(header::COOKIE).iter().cloned().collect())
    }

    /// The token of the one cookie called `name`; nothing where there is none, where its value is not
    /// of the very form that is ever set, and where there are several: whoever put a second one there
    /// could choose the session.
    pub(crate) fn token(&self, name: &str) -> Option<Token> {
        let mut values = self.values(name);
        let value = values.next()?;
        match values.next() {
            None => Token::parse(value),
            Some(_) => None,
        }
    }

    /// Whether there is any cookie called `name`.
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
