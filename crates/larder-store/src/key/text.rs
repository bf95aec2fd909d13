use std::hash::{Hash, Hasher};
use std::ops::Deref;

/// The text of a key, held without an allocation unless it is long.
///
/// Short text is written straight into an array, so that an id costs only a few memory writes.
#[derive(Clone)]
pub(crate) struct Text {
    bytes: [u8; Self::INLINE],
    len: usize,
    /// All of it, if it does not fit.
    long: Option<Vec<u8>>,
}

impl Text {
    const INLINE: usize = 96;

    #[inline]
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; Self::INLINE],
            len: 0,
            long: None,
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, byte: u8) {
        self.extend_from_slice(&[byte]);
    }

    #[inline]
    pub(crate) fn extend_from_slice(&mut self, more: &[u8]) {
        let end = self.len + more.len();
        match self.bytes.get_mut(self.len..end) {
            Some(place) if self.long.is_none() => {
                place.copy_from_slice(more);
                self.len = end;
            }
            _ => self.grow(more),
        }
    }

    #[cold]
    fn grow(&mut self, more: &[u8]) {
        let short = &self.bytes[..self.len];
        let long = self.long.get_or_insert_with(|| short.to_vec());
        long.extend_from_slice(more);
    }

    #[inline]
    pub(super) fn truncate(&mut self, len: usize) {
        match &mut self.long {
            None => self.len = self.len.min(len),
            Some(long) => long.truncate(len),
        }
    }
}

impl Deref for Text {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.long {
            None => &self.bytes[..self.len],
            Some(long) => long,
        }
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        let mut text = Self::new();
        text.extend_from_slice(bytes);
        text
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}
