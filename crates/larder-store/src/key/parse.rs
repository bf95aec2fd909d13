//! Keys read back from text, for tools that list them.

use smallvec::SmallVec;

use super::{Key, Kind, MAX_ID, Span, is_name};
use crate::{Error, ErrorKind, Result};

impl Key {
    /// Parses a key that a [scan](crate::scan) has listed, if its kind is one of `kinds`.
    ///
    /// A record in several parts may be listed as its parts: [`without_part`](Self::without_part)
    /// returns the key that programs run on.
    ///
    /// ```
    /// use larder_store::{Key, Kind};
    ///
    /// const SEAT: Kind = Kind::pinned("seat");
    /// const HOLD: Kind = Kind::record("hold");
    /// let key = Key::parse("hold:{7:F%3A12}", &[SEAT, HOLD])?;
    /// assert_eq!(key, Key::new(HOLD, (7_u32, "F:12")));
    /// assert_eq!(key.kind(), HOLD);
    /// # Ok::<(), larder_store::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for text that is not a key, and for a key of another kind. The error never
    /// repeats the text.
    pub fn parse(text: &str, kinds: &[Kind]) -> Result<Self> {
        let (front, rest) = text.split_once(":{").ok_or_else(not_a_key)?;
        let (id, part) = rest.split_once('}').ok_or_else(not_a_key)?;
        // A namespace is two names, and one may stand in front of another.
        let names: SmallVec<[&str; 3]> = front.split(':').collect();
        let is_framed = names.len() % 2 == 1 && names.iter().all(|name| is_name(name));
        let has_part = match part.strip_prefix(':') {
            Some(part) => is_name(part),
            None => part.is_empty(),
        };
        if !is_framed || !has_part || !is_id(id) {
            return Err(not_a_key());
        }
        let name = names.last().copied().unwrap_or_default();
        let kind = kinds.iter().find(|kind| kind.name() == name);
        let kind = *kind.ok_or_else(|| {
            let text = format!("the key has none of the {} given kinds", kinds.len());
            Error::new("key", ErrorKind::Invalid, text)
        })?;
        let start = front.len() + ":{".len();
        Ok(Self {
            kind,
            text: text.as_bytes().into(),
            first: Span::new(start, start + id.find(':').unwrap_or(id.len())),
        })
    }

    /// Returns the part that the key names, if it names one.
    pub fn part(&self) -> Option<&str> {
        let (_, part) = self.as_str().rsplit_once('}')?;
        part.strip_prefix(':')
    }

    /// Removes the part from the key, if it has one.
    #[must_use]
    pub fn without_part(mut self) -> Self {
        if let Some(brace) = self.text.iter().rposition(|byte| *byte == b'}') {
            self.text.truncate(brace + 1);
        }
        self
    }
}

/// Returns whether an [`IdWriter`](super::IdWriter) could have written `id`.
fn is_id(id: &str) -> bool {
    let mut bytes = id.bytes();
    let is_hex = |byte: Option<u8>| byte.is_some_and(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'));
    let is_end = |byte: Option<u8>| byte.is_none_or(|byte| byte == b':');
    while let Some(byte) = bytes.next() {
        let is_fine = match byte {
            // A lone '%' is an empty component.
            b'%' => is_end(bytes.clone().next()) || (is_hex(bytes.next()) && is_hex(bytes.next())),
            b':' | b'#' => true,
            byte => byte.is_ascii_alphanumeric() || b"-._~@/".contains(&byte),
        };
        if !is_fine {
            return false;
        }
    }
    (1..=MAX_ID).contains(&id.len())
}

fn not_a_key() -> Error {
    let text = "the text is not a key: expected kind:{id} or kind:{id}:part, with a namespace or \
                without one";
    Error::new("key", ErrorKind::Invalid, text)
}
