use std::fmt;
use std::sync::Arc;

use chacha20poly1305::{AeadInOut, KeyInit, XChaCha20Poly1305, XNonce};

/// The length of a key, in bytes.
const KEY: usize = 32;
const NONCE: usize = 24;
const TAG: usize = 16;

/// The bytes in front of a sealed value: the number of its key, and the nonce.
const HEADER: usize = 1 + NONCE;

/// The keys that seal stored values, for `with_sealing` of a layer.
///
/// A sealed value is encrypted and authenticated with XChaCha20-Poly1305, together with its context:
/// its key, and for a cached value also its lifetime and its tags. So an attacker who can write to the
/// store cannot read or change a value, or move one to another key or time, but can still delete
/// values, and restore an earlier value of the same key until it ends. The length of a value stays
/// visible.
///
/// To rotate keys without misses, first add the new key everywhere [as an additional
/// one](Self::with_additional), then make it the one that seals, and remove the old one after the
/// longest lifetime of a value. `Debug` shows the numbers of the keys.
#[derive(Clone)]
pub struct SealingKeys {
    seals: u8,
    keys: Arc<[(u8, XChaCha20Poly1305)]>,
}

impl SealingKeys {
    /// Makes a set with one key, whose `number` is stored in values.
    ///
    /// `key` is 32 secret, random bytes.
    pub fn new(number: u8, key: [u8; KEY]) -> Self {
        Self {
            seals: number,
            keys: [(number, XChaCha20Poly1305::new(&key.into()))].into(),
        }
    }

    /// Adds a key that only opens values. A second one of the same number replaces the first.
    ///
    /// # Panics
    /// If `number` is that of the key that seals.
    #[must_use]
    pub fn with_additional(mut self, number: u8, key: [u8; KEY]) -> Self {
        let seals = self.seals;
        assert!(
            number != seals,
            "key {seals} seals: give the additional key another number"
        );
        let others = self.keys.iter().filter(|(known, _)| *known != number);
        let added = (number, XChaCha20Poly1305::new(&key.into()));
        self.keys = others.cloned().chain([added]).collect();
        self
    }

    fn key(&self, number: u8) -> Option<&XChaCha20Poly1305> {
        self.keys
            .iter()
            .find_map(|(known, key)| (*known == number).then_some(key))
    }

    /// The number of bytes that sealing adds to a value.
    pub const OVERHEAD: usize = HEADER + TAG;

    /// Seals the bytes of `value` behind `from`, bound to `context`.
    ///
    /// Returns `None`, with `value` unspecified, if `from` is past the end or the value is too long for
    /// the cipher.
    pub fn seal(&self, value: &mut Vec<u8>, from: usize, context: &[u8]) -> Option<()> {
        if from > value.len() {
            return None;
        }
        let nonce: [u8; NONCE] = rand::random();
        let mut header = [self.seals; HEADER];
        header[1..].copy_from_slice(&nonce);
        value.splice(from..from, header);
        let cipher = self.key(self.seals)?;
        let plain = value.get_mut(from + HEADER..)?;
        let tag = cipher
            .encrypt_inout_detached(&XNonce::from(nonce), context, plain.into())
            .ok()?;
        value.extend_from_slice(&tag);
        Some(())
    }

    /// Opens a value that was sealed with this context.
    ///
    /// # Errors
    /// [`OpenFailure`], which says whether the key is unknown or the bytes are not as they were sealed.
    pub fn open(&self, sealed: &[u8], context: &[u8]) -> Result<Vec<u8>, OpenFailure> {
        let (header, rest) = sealed
            .split_first_chunk::<HEADER>()
            .ok_or(OpenFailure::Damaged)?;
        let (hidden, tag) = rest.split_last_chunk::<TAG>().ok_or(OpenFailure::Damaged)?;
        let [number, nonce @ ..] = *header;
        let cipher = self.key(number).ok_or(OpenFailure::Foreign)?;
        let mut plain = hidden.to_vec();
        cipher
            .decrypt_inout_detached(
                &XNonce::from(nonce),
                context,
                plain.as_mut_slice().into(),
                &(*tag).into(),
            )
            .map_err(|_| OpenFailure::Damaged)?;
        Ok(plain)
    }
}

/// Why a value was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenFailure {
    /// Its key is not known here.
    Foreign,
    /// It was not sealed with this key and in this context, or was changed since.
    Damaged,
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<_> = self.keys.iter().map(|(number, _)| number).collect();
        f.debug_struct("SealingKeys")
            .field("seals", &self.seals)
            .field("keys", &numbers)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: &[u8] = b"film:{v0:7}";

    fn sealed(keys: &SealingKeys) -> Vec<u8> {
        let mut value = b"headMetropolis".to_vec();
        keys.seal(&mut value, 4, CONTEXT).unwrap();
        assert!(value.starts_with(b"head"));
        assert_eq!(value.len(), 14 + SealingKeys::OVERHEAD);
        assert!(!value.windows(4).any(|window| window == b"Metr"));
        value.split_off(4)
    }

    #[test]
    fn a_sealed_value_opens_with_its_key_and_context_alone() {
        let keys = SealingKeys::new(1, [7; 32]);
        let value = sealed(&keys);
        assert_eq!(keys.open(&value, CONTEXT).unwrap(), b"Metropolis");
        assert_eq!(keys.open(&value, b"film:{v0:8}"), Err(OpenFailure::Damaged));
        let other = SealingKeys::new(1, [8; 32]);
        assert_eq!(other.open(&value, CONTEXT), Err(OpenFailure::Damaged));
        let without = SealingKeys::new(2, [7; 32]);
        assert_eq!(without.open(&value, CONTEXT), Err(OpenFailure::Foreign));
        assert_ne!(value, sealed(&keys), "each value has a nonce of its own");
    }

    #[test]
    fn every_byte_of_a_sealed_value_counts() {
        let keys = SealingKeys::new(1, [7; 32]);
        let value = sealed(&keys);
        for at in 0..value.len() {
            let mut changed = value.clone();
            changed[at] ^= 1;
            assert!(keys.open(&changed, CONTEXT).is_err(), "byte {at}");
            assert!(keys.open(&value[..at], CONTEXT).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn an_empty_value_is_sealed_and_a_start_past_the_end_is_refused() {
        let keys = SealingKeys::new(1, [7; 32]);
        let mut value = b"head".to_vec();
        assert_eq!(keys.seal(&mut value, 5, CONTEXT), None);
        keys.seal(&mut value, 4, CONTEXT).unwrap();
        assert_eq!(keys.open(&value[4..], CONTEXT).unwrap(), b"");
    }

    #[test]
    fn values_survive_a_rotation_of_keys() {
        let (old, new) = ([1; 32], [2; 32]);
        let before = SealingKeys::new(1, old);
        let prepared = before.clone().with_additional(2, new);
        let rotated = SealingKeys::new(2, new).with_additional(1, old);
        for (writer, reader) in [
            (&before, &prepared),
            (&prepared, &before),
            (&prepared, &rotated),
            (&rotated, &prepared),
        ] {
            assert!(reader.open(&sealed(writer), CONTEXT).is_ok());
        }
        assert!(before.open(&sealed(&rotated), CONTEXT).is_err());
    }

    /// A rotation whose new number was forgotten would go on sealing with the old key.
    #[test]
    #[should_panic(expected = "key 1 seals")]
    fn no_additional_key_takes_the_place_of_the_one_that_seals() {
        let _ = SealingKeys::new(1, [2; 32]).with_additional(1, [1; 32]);
    }

    #[test]
    fn debug_shows_no_key() {
        let keys = SealingKeys::new(1, [77; 32]).with_additional(2, [88; 32]);
        assert_eq!(
            format!("{keys:?}"),
            "SealingKeys { seals: 1, keys: [1, 2] }"
        );
    }
}
