//! A session as `layout.lua` writes it.
//!
//! Whatever the bytes are, reading them does not panic, and allocates no more than they hold.

use std::sync::Arc;

use bytes::Bytes;

use super::{Choice, Fields, Metadata, Secret, SessionUser, same};
use crate::token::SecretHash;

/// A session as it is stored.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct Stored {
    pub(super) hash: SecretHash,
    /// The previous hash, and until when it still opens the session.
    pub(super) outdated: Option<(SecretHash, i64)>,
    pub(crate) metadata: Metadata,
    pub(crate) fields: Arc<Fields>,
}

impl Stored {
    /// Returns which secret `hash` is at `now`, in constant time. None if it opens nothing.
    pub(crate) fn opens(&self, hash: &SecretHash, now: i64) -> Option<Secret> {
        if same(&self.hash, hash) {
            return Some(Secret::Current);
        }
        let (outdated, until) = self.outdated.as_ref()?;
        (same(outdated, hash) && now < *until).then_some(Secret::Outdated)
    }
}

impl Stored {
    /// Returns since when the current secret has existed, if a rotation leaves the old one this `grace`.
    pub(crate) fn issued(&self, grace: i64) -> i64 {
        let metadata = &self.metadata;
        let signed_in = metadata.user.as_ref().map(|user| user.since);
        let rotated = self.outdated.as_ref().map(|(_, until)| until - grace);
        let later = signed_in.max(rotated);
        later.map_or(metadata.created, |later| later.max(metadata.created))
    }
}

/// The version of the layout, in the first byte.
const FORM: u8 = 2;

/// Parses a session. None for bytes of another layout.
pub(super) fn read(bytes: &Bytes) -> Option<Stored> {
    let mut left = Left { bytes, at: 0 };
    if left.array()? != [FORM] {
        return None;
    }
    let hash = left.array()?;
    let (seen, idle_at) = (left.int()?, left.int()?);
    let (absolute_at, created) = (left.int()?, left.int()?);
    let generation = u32::from_be_bytes(left.array()?);
    let weight = u32::from_be_bytes(left.array()?);
    let (idle, touch, [expiry]) = (left.int()?, left.int()?, left.array()?);
    let choice = Choice::read(idle, touch, expiry.into())?;
    let outdated = match left.array()? {
        [0] => None,
        _ => Some((left.array()?, left.int()?)),
    };
    let user = match u16::from_be_bytes(left.array()?) {
        0 => None,
        length => Some(SessionUser {
            id: std::str::from_utf8(left.take(length.into())?).ok()?.into(),
            epoch: left.array()?,
            since: left.int()?,
        }),
    };
    let mut fields = Fields::new();
    while left.at < bytes.len() {
        let [name] = left.array()?;
        let value = u32::from_be_bytes(left.array()?);
        let name = std::str::from_utf8(left.take(name.into())?).ok()?;
        let value = left.take(usize::try_from(value).ok()?)?;
        fields.insert(name.into(), bytes.slice_ref(value));
    }
    let weighs = fields
        .iter()
        .map(|(name, value)| super::weight(name, value));
    if weighs.sum::<i64>() != i64::from(weight) {
        return None;
    }
    Some(Stored {
        hash,
        outdated,
        metadata: Metadata {
            user,
            generation: generation.into(),
            created,
            seen,
            idle_at,
            absolute_at,
            bytes: weight.into(),
            choice,
        },
        fields: Arc::new(fields),
    })
}

/// The bytes that are not read yet.
struct Left<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Left<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn int(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As the Lua writes it: a user, a hash before, two fields.
    fn sample() -> Vec<u8> {
        let mut bytes = vec![FORM];
        bytes.extend([7; 32]);
        for int in [3_i64, 60_000_003, 90_000_003, 1] {
            bytes.extend(int.to_be_bytes());
        }
        bytes.extend([0, 0, 0, 2, 0, 0, 0, 68]);
        for int in [7_000_000_i64, 1_000_000] {
            bytes.extend(int.to_be_bytes());
        }
        bytes.extend([2, 40]);
        bytes.extend([8; 32]);
        bytes.extend(5_i64.to_be_bytes());
        bytes.extend(b"\0\x03ada");
        bytes.extend([9; 16]);
        bytes.extend(2_i64.to_be_bytes());
        bytes.extend(b"\x01\0\0\0\x02ai5\x01\0\0\0\x00b");
        bytes
    }

    #[test]
    fn a_session_that_was_written_is_read() {
        let stored = read(&sample().into()).unwrap();
        assert_eq!(stored.hash, [7; 32]);
        assert_eq!(stored.outdated, Some(([8; 32], 5)));
        let metadata = &stored.metadata;
        assert_eq!(&*metadata.user.as_ref().unwrap().id, "ada");
        assert_eq!(
            (metadata.seen, metadata.idle_at, metadata.absolute_at),
            (3, 60_000_003, 90_000_003)
        );
        assert_eq!(
            (metadata.created, metadata.generation, metadata.bytes),
            (1, 2, 68)
        );
        assert_eq!(Some(metadata.choice), Choice::read(7_000_000, 1_000_000, 2));
        assert_eq!(stored.fields["a"], "i5");
        assert_eq!(stored.fields["b"], "");
    }

    #[test]
    fn truncated_bytes_are_not_a_session() {
        let whole = sample();
        for end in 0..whole.len() {
            assert!(read(&whole[..end].to_vec().into()).is_none(), "{end}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes.clone().into());
            if let Some(first) = bytes.first_mut() {
                *first = FORM;
            }
            let _ = read(&bytes.into());
        }

        #[test]
        fn no_flipped_byte_panics(at in 0..174_usize, to in any::<u8>()) {
            let mut bytes = sample();
            bytes[at] = to;
            let _ = read(&bytes.into());
        }
    }
}
