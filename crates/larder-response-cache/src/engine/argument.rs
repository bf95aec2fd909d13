use std::borrow::Cow;

use http::HeaderName;

use super::list::{is_token, trim};

/// The longest time of a directive, in seconds: 2^31, about 68 years (RFC 9111, 1.2.2).
///
/// A longer time is treated as this one.
pub const MAX_DELTA: u64 = 1 << 31;

/// The argument of a directive (RFC 9111, 5.2).
pub(super) enum Argument<'a> {
    None,
    Text(Cow<'a, [u8]>),
    Broken,
}

impl<'a> Argument<'a> {
    /// Reads the bytes after the name: nothing, or `=` and a token or a quoted string.
    pub(super) fn of(rest: &'a [u8]) -> Self {
        match rest {
            [] => Self::None,
            [b'=', b'"', quoted @ .., b'"'] => match unquote(quoted) {
                Some(text) => Self::Text(text.into()),
                None => Self::Broken,
            },
            [b'=', token @ ..] if !token.is_empty() && token.iter().all(|&byte| is_token(byte)) => {
                Self::Text(token.into())
            }
            _ => Self::Broken,
        }
    }

    /// Returns its number of seconds, or None if it is not one.
    pub(super) fn seconds(&self) -> Option<u64> {
        match self {
            Self::Text(text) => delta_seconds(text),
            Self::None | Self::Broken => None,
        }
    }

    /// Returns the fields that it names, or None if it names none, or names anything else.
    pub(super) fn fields(&self) -> Option<Vec<HeaderName>> {
        let Self::Text(text) = self else {
            return None;
        };
        let names: Option<Vec<_>> = text
            .split(|&byte| byte == b',')
            .map(trim)
            .filter(|name| !name.is_empty())
            .map(|name| HeaderName::from_bytes(name).ok())
            .collect();
        names.filter(|names| !names.is_empty())
    }
}

/// Reads a number of seconds, at most [`MAX_DELTA`] (RFC 9111, 1.2.2). None for any other text.
pub(super) fn delta_seconds(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |sum: u64, &byte: &u8| (sum * 10 + u64::from(byte - b'0')).min(MAX_DELTA);
    Some(text.iter().fold(0, digit))
}

/// Returns the text of a quoted string, or None if it contains a quote that is not escaped.
fn unquote(quoted: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(quoted.len());
    let mut bytes = quoted.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'"' => return None,
            b'\\' => text.push(*bytes.next()?),
            _ => text.push(byte),
        }
    }
    Some(text)
}
