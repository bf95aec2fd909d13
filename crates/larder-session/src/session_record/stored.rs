//! A session as `layout.lua` writes it.
//!
//! Whatever the bytes are, reading them does not panic, and allocates no more than they hold.

use std::sync::Arc;

use bytes::Bytes;

use larder_store::Ttl;
use larder_store::program::MAX_INT;

use super::destroy::CallId;
use super::{Choice, Metadata, Secret, SessionUser, StoredFields, same};
use crate::EndReason;
use crate::token::SecretHash;

/// The content of a session's record.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Held {
    /// A session.
    Live(Stored),
    /// What is left of a session that was ended.
    Ended(Tombstone),
}

impl Held {
    /// Returns when its key expires, in microseconds.
    pub(crate) fn ends(&self) -> i64 {
        match self {
            Self::Live(stored) => stored.metadata.idle_at,
            Self::Ended(ended) => ended.until,
        }
    }
}

/// What is left of a session that was ended, for its browser only.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct Tombstone {
    /// The hash of the secret that the session had.
    pub(super) hash: SecretHash,
    /// The reason. None once it was taken.
    pub(crate) reason: Option<EndReason>,
    /// When it expires, in microseconds.
    pub(super) until: i64,
    /// The call that ended it. Zeros if it is unknown.
    pub(super) call: CallId,
}

impl Tombstone {
    pub(super) fn new(
        hash: SecretHash,
        reason: Option<EndReason>,
        now: i64,
        keep: Ttl,
        call: CallId,
    ) -> Self {
        Self {
            hash,
            reason,
            until: now + keep.as_micros(),
            call,
        }
    }

    /// Returns whether `hash` is that of the session's secret, in constant time.
    pub(crate) fn is_of(&self, hash: &SecretHash) -> bool {
        same(&self.hash, hash)
    }
}

/// A session as it is stored.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct Stored {
    pub(super) hash: SecretHash,
    /// The previous hash, and until when it still opens the session. Boxed, since it is rare and large.
    pub(super) outdated: Option<Box<(SecretHash, i64)>>,
    /// When a rotation made the current secret; 0 if a sign-in did, or the session was created with it.
    pub(super) rotated: i64,
    /// Shared with the requests that read it.
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) fields: StoredFields,
}

impl Stored {
    /// Returns which secret `hash` belongs to at `now`, in constant time. None if it opens nothing.
    pub(crate) fn opens(&self, hash: &SecretHash, now: i64) -> Option<Secret> {
        if same(&self.hash, hash) {
            return Some(Secret::Current);
        }
        let (outdated, until) = self.outdated.as_deref()?;
        (same(outdated, hash) && now < *until).then_some(Secret::Outdated)
    }

    /// Returns since when the current secret has existed.
    pub(crate) fn issued(&self) -> i64 {
        let metadata = &self.metadata;
        let signed_in = metadata.user.as_ref().map_or(0, |user| user.since);
        metadata.created.max(signed_in).max(self.rotated)
    }
}

/// The version of the layout, in the first byte.
const FORM: u8 = 3;
/// The version with the time of a rotation. Earlier releases do not recognize it, and leave it unchanged.
const ROTATED: u8 = 4;
/// The first byte of what is left of a session.
const ENDED: u8 = 200;

/// The length of the previous secret and its end.
const OUTDATED: u8 = 40;

/// Parses a session, or what is left of one. None for bytes of another layout.
pub(super) fn read(bytes: &Bytes) -> Option<Held> {
    let mut left = Unread { bytes, at: 0 };
    let [form] = left.array()?;
    let hash = left.array()?;
    match form {
        FORM | ROTATED => read_session(form, hash, left).map(Held::Live),
        ENDED => {
            let [code] = left.array()?;
            Some(Held::Ended(Tombstone {
                hash,
                reason: EndReason::of(code),
                until: left.int()?,
                call: left.array().unwrap_or_default(),
            }))
        }
        _ => None,
    }
}

fn read_session(form: u8, hash: SecretHash, mut left: Unread<'_>) -> Option<Stored> {
    let (seen, idle_at) = (left.int()?, left.int()?);
    let (absolute_at, created) = (left.int()?, left.int()?);
    let generation = u32::from_be_bytes(left.array()?);
    let weight = u32::from_be_bytes(left.array()?);
    let (idle, touch, [expiry]) = (left.int()?, left.int()?, left.array()?);
    let choice = Choice::read(idle, touch, expiry.into())?;
    let rotated = if form == ROTATED { left.int()? } else { 0 };
    let outdated = match left.array()? {
        [0] => None,
        [OUTDATED] => Some(Box::new((left.array()?, left.int()?))),
        _ => return None,
    };
    let user = match u16::from_be_bytes(left.array()?) {
        0 => None,
        length => Some(SessionUser {
            id: std::str::from_utf8(left.take(length.into())?).ok()?.into(),
            epoch: left.array()?,
            since: left.int()?,
            all: left.int()?,
            method: {
                let [length] = left.array()?;
                let method = std::str::from_utf8(left.take(length.into())?).ok()?;
                (!method.is_empty()).then(|| method.into())
            },
        }),
    };
    let (fields, weighs) = StoredFields::parse(left.bytes.get(left.at..)?)?;
    if weighs != i64::from(weight) {
        return None;
    }
    Some(Stored {
        hash,
        outdated,
        rotated,
        metadata: Arc::new(Metadata {
            user,
            generation: generation.into(),
            created,
            seen,
            idle_at,
            absolute_at,
            bytes: weight.into(),
            choice,
        }),
        fields,
    })
}

/// The bytes that are not read yet.
struct Unread<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl<'a> Unread<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// Takes a number that is a time or counts: never negative, and below 2^53, from where on Lua rounds.
    fn int(&mut self) -> Option<i64> {
        let int = self.array().map(i64::from_be_bytes)?;
        (0..MAX_INT).contains(&int).then_some(int)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As the Lua writes it: a rotation, a hash before, a user, two fields.
    fn sample() -> Vec<u8> {
        let mut bytes = vec![ROTATED];
        bytes.extend([7; 32]);
        for int in [3_i64, 60_000_003, 90_000_003, 1] {
            bytes.extend(int.to_be_bytes());
        }
        bytes.extend([0, 0, 0, 2, 0, 0, 0, 68]);
        for int in [7_000_000_i64, 1_000_000] {
            bytes.extend(int.to_be_bytes());
        }
        bytes.push(2);
        bytes.extend(4_i64.to_be_bytes());
        bytes.push(OUTDATED);
        bytes.extend([8; 32]);
        bytes.extend(5_i64.to_be_bytes());
        bytes.extend(b"\0\x03ada");
        bytes.extend([9; 16]);
        for int in [2_i64, 4] {
            bytes.extend(int.to_be_bytes());
        }
        bytes.extend(b"\x03otp");
        bytes.extend(b"\x01\0\0\0\x02ai5\x01\0\0\0\x00b");
        bytes
    }

    #[test]
    fn a_session_that_was_written_is_read() {
        let Some(Held::Live(stored)) = read(&sample().into()) else {
            panic!("it is a session");
        };
        assert_eq!(stored.hash, [7; 32]);
        assert_eq!(stored.outdated, Some(Box::new(([8; 32], 5))));
        assert_eq!(stored.issued(), 4);
        let metadata = &stored.metadata;
        let user = metadata.user.as_ref().unwrap();
        assert_eq!((&*user.id, user.since, user.all), ("ada", 2, 4));
        assert_eq!(user.method.as_deref(), Some("otp"));
        assert_eq!(
            (metadata.seen, metadata.idle_at, metadata.absolute_at),
            (3, 60_000_003, 90_000_003)
        );
        assert_eq!(
            (metadata.created, metadata.generation, metadata.bytes),
            (1, 2, 68)
        );
        assert_eq!(Some(metadata.choice), Choice::read(7_000_000, 1_000_000, 2));
        assert_eq!(stored.fields.get("a"), Some(&b"i5"[..]));
        assert_eq!(stored.fields.get("b"), Some(&b""[..]));
        assert_eq!(stored.fields.get("c"), None);
    }

    #[test]
    fn what_is_left_of_a_session_is_read() {
        let mut bytes = vec![ENDED];
        bytes.extend([7; 32]);
        bytes.push(EndReason::PasswordChanged.code());
        bytes.extend(9_i64.to_be_bytes());
        let Some(Held::Ended(ended)) = read(&bytes.clone().into()) else {
            panic!("it is what is left");
        };
        assert!(ended.is_of(&[7; 32]) && !ended.is_of(&[8; 32]));
        assert_eq!(ended.reason, Some(EndReason::PasswordChanged));
        assert_eq!((ended.until, ended.call), (9, [0; 16]));
        assert!(read(&bytes[..41].to_vec().into()).is_none());
        bytes.extend([6; 16]);
        let Some(Held::Ended(ended)) = read(&bytes.into()) else {
            panic!("it is what is left");
        };
        assert_eq!(ended.call, [6; 16]);
    }

    #[test]
    fn truncated_bytes_are_not_a_session() {
        let whole = sample();
        for end in 0..whole.len() {
            assert!(read(&whole[..end].to_vec().into()).is_none(), "{end}");
        }
    }

    #[test]
    fn a_time_that_no_clock_gives_is_not_a_session() {
        // Seen, the deadlines, the creation, the rotation, the end of its grace, and the sign-in.
        for at in [33, 41, 49, 57, 90, 131, 160] {
            for wrong in [-1, i64::MIN, MAX_INT, MAX_INT + 1, i64::MAX] {
                let mut bytes = sample();
                bytes[at..at + 8].copy_from_slice(&wrong.to_be_bytes());
                assert!(read(&bytes.into()).is_none(), "{at} {wrong}");
            }
        }
    }

    #[test]
    fn a_session_without_the_time_of_a_rotation_is_read() {
        let mut bytes = sample();
        bytes[0] = FORM;
        bytes.drain(90..98);
        let Some(Held::Live(stored)) = read(&bytes.into()) else {
            panic!("it is a session");
        };
        assert_eq!(stored.outdated, Some(Box::new(([8; 32], 5))));
        assert_eq!(stored.issued(), 2);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes.clone().into());
            for form in [FORM, ROTATED] {
                if let Some(first) = bytes.first_mut() {
                    *first = form;
                }
                let _ = read(&bytes.clone().into());
            }
        }

        #[test]
        fn no_flipped_byte_panics(at in 0..194_usize, to in any::<u8>()) {
            let mut bytes = sample();
            bytes[at] = to;
            let _ = read(&bytes.into());
        }
    }
}
