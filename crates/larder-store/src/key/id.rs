use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use super::Span;
use super::escape::escape_into;
use super::name::MAX_NAME;
use super::text::Text;

/// The maximum length of an id in a key, in bytes after escaping.
///
/// A longer one is replaced by `#` and its SHA-256 in base64url, 44 characters; an escaped id never
/// contains `#`, so a hashed id never equals another. The name of a
/// [partition](crate::Kind::partitioned), up to 32 bytes, stays in front, unhashed.
pub const MAX_ID: usize = 96;

/// A type whose values can be ids: text, bytes, numbers, addresses, and tuples of two to four of them.
///
/// Different values of one type must write different components. The components of an id are
/// kept apart by colons, which escaping keeps out of the components themselves, so
/// `("a", "bc")` and `("ab", "c")` are two ids.
///
/// # Implementing
/// Write the components in a fixed order and number.
///
/// ```
/// use larder_store::{IdWriter, Key, KeyId, Kind};
///
/// struct Seat { showing: u32, row: char, number: u16 }
///
/// impl KeyId for Seat {
///     fn write_id(&self, id: &mut IdWriter<'_>) {
///         id.number(self.showing);
///         id.text(self.row.encode_utf8(&mut [0; 4]));
///         id.number(self.number);
///     }
/// }
///
/// const HOLD: Kind = Kind::pinned("hold");
/// let key = Key::new(HOLD, Seat { showing: 7, row: 'F', number: 12 });
/// assert_eq!(key.as_str(), "hold:{7:F:12}");
/// ```
pub trait KeyId {
    /// Writes the components of the id.
    fn write_id(&self, id: &mut IdWriter<'_>);
}

/// Writes the components of an id, escaped.
pub struct IdWriter<'a> {
    out: &'a mut Text,
    progress: Progress,
}

/// How far an id is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    start: usize,
    components: usize,
    has_partition: bool,
    /// The end of the first component, once there are two.
    first_end: usize,
    /// The start of the part that is hashed if the id is long.
    hashed_from: usize,
}

impl std::fmt::Debug for IdWriter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdWriter").finish_non_exhaustive()
    }
}

impl<'a> IdWriter<'a> {
    #[inline]
    pub(crate) fn new(out: &'a mut Text) -> Self {
        let start = out.len();
        let progress = Progress {
            start,
            components: 0,
            has_partition: false,
            first_end: 0,
            hashed_from: start,
        };
        Self { out, progress }
    }

    /// Continues an id whose text so far is at the end of `out`.
    #[inline]
    pub(super) fn resume(out: &'a mut Text, progress: Progress) -> Self {
        Self { out, progress }
    }

    /// Stops, to be resumed elsewhere.
    pub(super) fn pause(self) -> Progress {
        self.progress
    }

    /// Sets whether the first component of the id names a partition.
    pub(crate) fn partitioned(mut self, has_partition: bool) -> Self {
        self.progress.has_partition = has_partition;
        self
    }

    /// Adds a text component.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Adds a component of bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.separate();
        if bytes.is_empty() {
            // A lone '%' is not an escape, so only an empty component looks like this; and an empty
            // pair of braces would not be a hash tag.
            self.out.push(b'%');
        }
        escape_into(self.out, bytes);
    }

    /// Adds a component of bytes as base64url without padding, which needs no escape.
    pub fn base64url(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return self.bytes(bytes);
        }
        self.separate();
        // Whole groups of three bytes at a time, so that only the last piece may end within one.
        let mut text = [0; 64];
        for piece in bytes.chunks(48) {
            // 48 bytes are 64 characters, so this does not fail.
            if let Ok(length) = URL_SAFE_NO_PAD.encode_slice(piece, &mut text) {
                self.out.extend_from_slice(&text[..length]);
            }
        }
    }

    /// Adds a number component, in decimal.
    pub fn number(&mut self, number: impl Into<i128>) {
        self.separate();
        let number = number.into();
        let mut digits = itoa::Buffer::new();
        self.out.extend_from_slice(
            match i64::try_from(number) {
                Ok(number) => digits.format(number),
                Err(_) => digits.format(number),
            }
            .as_bytes(),
        );
    }

    /// Adds a component that needs no escape: the first `len` bytes of `text`.
    #[inline]
    fn plain(&mut self, text: &[u8; 16], len: usize) {
        self.separate();
        let end = self.out.len() + len;
        // Copies the whole buffer, because a copy of unknown length takes a function call.
        self.out.extend_from_slice(text);
        self.out.truncate(end);
    }

    #[inline]
    fn separate(&mut self) {
        if self.progress.components == 1 {
            self.progress.first_end = self.out.len();
        }
        if self.progress.components > 0 {
            self.out.push(b':');
        }
        let is_short = self.out.len() - self.progress.start <= MAX_NAME + 1;
        if self.progress.has_partition && self.progress.components == 1 && is_short {
            self.progress.hashed_from = self.out.len();
        }
        self.progress.components += 1;
    }

    /// Ends the id, and returns where its first component is.
    #[inline]
    pub(crate) fn finish(self) -> Span {
        if self.progress.components == 0 {
            self.out.push(b'%');
        }
        let is_hashed = self.out.len() - self.progress.start > MAX_ID;
        if is_hashed {
            hash_from(self.progress.hashed_from, self.out);
        }
        let is_apart = self.progress.components > 1
            && (!is_hashed || self.progress.hashed_from > self.progress.first_end);
        let end = if is_apart {
            self.progress.first_end
        } else {
            self.out.len()
        };
        Span::new(self.progress.start, end)
    }
}

/// Puts `#` and its hash in place of what stands in `out` from `start` on.
#[cold]
fn hash_from(start: usize, out: &mut Text) {
    let digest = Sha256::digest(&out[start..]);
    out.truncate(start);
    out.push(b'#');
    out.extend_from_slice(URL_SAFE_NO_PAD.encode(digest).as_bytes());
}

impl<T: KeyId + ?Sized> KeyId for &T {
    #[inline]
    fn write_id(&self, id: &mut IdWriter<'_>) {
        (**self).write_id(id);
    }
}

impl KeyId for str {
    fn write_id(&self, id: &mut IdWriter<'_>) {
        id.text(self);
    }
}

impl KeyId for bool {
    fn write_id(&self, id: &mut IdWriter<'_>) {
        id.number(u8::from(*self));
    }
}

macro_rules! texts {
    ($($text:ty)*) => {$(
        impl KeyId for $text {
            fn write_id(&self, id: &mut IdWriter<'_>) {
                id.text(self);
            }
        }
    )*};
}
texts!(String Box<str> Arc<str>);

impl KeyId for Vec<u8> {
    fn write_id(&self, id: &mut IdWriter<'_>) {
        id.bytes(self);
    }
}

impl KeyId for [u8] {
    fn write_id(&self, id: &mut IdWriter<'_>) {
        id.bytes(self);
    }
}

impl<const N: usize> KeyId for [u8; N] {
    fn write_id(&self, id: &mut IdWriter<'_>) {
        id.bytes(self);
    }
}

impl KeyId for IpAddr {
    fn write_id(&self, id: &mut IdWriter<'_>) {
        match self {
            Self::V4(address) => address.write_id(id),
            Self::V6(address) => address.write_id(id),
        }
    }
}

impl KeyId for Ipv4Addr {
    /// Written by hand because rate limits need it for each request: `fmt` takes several times as
    /// long.
    #[inline]
    fn write_id(&self, id: &mut IdWriter<'_>) {
        // Collected in a register, without branches that the next address would take differently.
        let (mut text, mut len) = (0_u128, 0);
        for octet in self.octets() {
            let (digits, number) = OCTETS[usize::from(octet)];
            text |= u128::from(digits) << (8 * len);
            len += number;
        }
        // The last point is not part of it.
        id.plain(&text.to_le_bytes(), len as usize - 1);
    }
}

/// Each octet in decimal with a point behind it, from the lowest byte on, and its length.
static OCTETS: [(u32, u32); 256] = {
    let mut octets = [(0, 0); 256];
    let mut octet = 0;
    while octet < 256 {
        let (mut text, mut len, mut left) = (b'.' as u32, 1, octet as u32);
        while len == 1 || left > 0 {
            text = text << 8 | (b'0' as u32 + left % 10);
            left /= 10;
            len += 1;
        }
        octets[octet] = (text, len);
        octet += 1;
    }
    octets
};

impl KeyId for Ipv6Addr {
    fn write_id(&self, id: &mut IdWriter<'_>) {
        let mut text = SmallVec::<[u8; 64]>::new();
        // Writing to memory does not fail.
        let _ = write!(text, "{self}");
        id.bytes(&text);
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl KeyId for $number {
            fn write_id(&self, id: &mut IdWriter<'_>) {
                id.number(*self);
            }
        }
    )*};
}
numbers!(u8 u16 u32 u64 i8 i16 i32 i64);

macro_rules! tuples {
    ($(($($name:ident)+))*) => {$(
        impl<$($name: KeyId),+> KeyId for ($($name,)+) {
            #[allow(non_snake_case)]
            fn write_id(&self, id: &mut IdWriter<'_>) {
                let ($($name,)+) = self;
                $($name.write_id(id);)+
            }
        }
    )*};
}
tuples!((A B) (A B C) (A B C D));
