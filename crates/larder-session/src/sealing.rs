//! The form of a field's value in the store: readable, or sealed.

use std::borrow::Cow;

use bytes::Bytes;
#[cfg(feature = "seal")]
use larder_layer::{OpenFailure, SealingKeys};
use serde::de::DeserializeOwned;

#[cfg(feature = "seal")]
use crate::session_record::SessionRecord;
use crate::token::DeviceId;
use crate::{Result, SessionKey, Sessions, value};

/// The first byte of a sealed value. Readable ones begin with `i` or `m`.
const SEALED: u8 = b's';

/// Whether the app's values are sealed, and by which keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sealing {
    #[cfg(feature = "seal")]
    keys: Option<SealingKeys>,
    #[cfg(feature = "seal")]
    readable: PlaintextValues,
}

/// What happens to readable values once sealing is turned on.
#[cfg(feature = "seal")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlaintextValues {
    /// They are treated as absent, because anyone who can write to the store could have written them. The
    /// default.
    #[default]
    Refuse,
    /// They are read, and sealed when they are written again. Use it while sessions from before sealing are alive.
    Read,
    /// They are read, and new values are written readable too. Use it until every process has the keys.
    Write,
}

/// Why a stored value was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unopened {
    /// It was sealed with a key that is not known here.
    UnknownKey,
    /// It was not sealed for this field of this session, or was changed since.
    #[cfg(feature = "seal")]
    Damaged,
    /// It is readable, and only sealed values count.
    #[cfg(feature = "seal")]
    NotSealed,
}

impl Sessions {
    /// Encrypts the values of fields in the store, and authenticates them.
    ///
    /// A sealed value is bound to its session and its field, so nobody who can write to the store can
    /// read it, change it, or move it. A value that cannot be opened is treated as absent, and counted in
    /// `larder_session_unopened_total`. [`SealingKeys`] says how keys are rotated; a value is sealed with
    /// the new key when it is written again, and no session is older than the longest absolute lifetime.
    ///
    /// The user, the times, the names of fields and the lengths of values stay readable, and so do
    /// [counters](SessionKey::as_counter), to which the store adds. Only values are sealed: anyone who
    /// can write to the store can still sign themselves in as anyone. By default nothing is sealed.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use larder_session::{Result, SealingKeys, Sessions};
    /// use larder_store::Store;
    ///
    /// /// Seals with key 2, and opens what key 1 sealed.
    /// fn sessions(store: Arc<dyn Store>, old: [u8; 32], new: [u8; 32]) -> Result<Sessions> {
    ///     let keys = SealingKeys::new(2, new).with_additional(1, old);
    ///     Ok(Sessions::new(store)?.with_sealing(keys))
    /// }
    /// ```
    #[cfg(feature = "seal")]
    #[must_use]
    pub fn with_sealing(mut self, keys: SealingKeys) -> Self {
        self.change().sealing.keys = Some(keys);
        self
    }

    /// Sets what happens to readable values with [`with_sealing`](Self::with_sealing).
    ///
    /// The default is [`PlaintextValues::Refuse`]. To turn sealing on without losing a field, deploy
    /// `Write`, then `Read`, and remove this call after the longest absolute lifetime.
    #[cfg(feature = "seal")]
    #[must_use]
    pub fn with_plaintext_values(mut self, readable: PlaintextValues) -> Self {
        self.change().sealing.readable = readable;
        self
    }

    /// Seals an encoded value, if the app's values are sealed.
    pub(crate) fn seal<T>(
        &self,
        key: &SessionKey<T>,
        session: DeviceId,
        plain: Bytes,
    ) -> Result<Bytes> {
        self.settings.sealing.seal(key, session, plain)
    }

    /// Decodes a field of a session. None if it cannot be opened, which is counted.
    pub(crate) fn decode<T: DeserializeOwned>(
        &self,
        key: &SessionKey<T>,
        session: DeviceId,
        stored: &[u8],
    ) -> Result<Option<T>> {
        match self.settings.sealing.open(key, session, stored) {
            Ok(plain) => value::decode(&plain).map(Some),
            Err(why) => {
                let counter = match why {
                    Unopened::UnknownKey => &self.metrics.unopened_unknown_key,
                    #[cfg(feature = "seal")]
                    Unopened::Damaged => &self.metrics.unopened_damaged,
                    #[cfg(feature = "seal")]
                    Unopened::NotSealed => &self.metrics.unopened_not_sealed,
                };
                counter.increment(1);
                Ok(None)
            }
        }
    }

    /// Returns whether the store can add to a field.
    pub(crate) fn can_count<T>(&self, key: &SessionKey<T>) -> bool {
        key.is_counter() || !self.settings.sealing.is_on()
    }
}

impl Sealing {
    fn is_on(&self) -> bool {
        #[cfg(feature = "seal")]
        let is_on = self.keys.is_some();
        #[cfg(not(feature = "seal"))]
        let is_on = false;
        is_on
    }

    fn seal<T>(&self, key: &SessionKey<T>, session: DeviceId, plain: Bytes) -> Result<Bytes> {
        #[cfg(feature = "seal")]
        if let Some(keys) = &self.keys
            && self.readable != PlaintextValues::Write
            && !is_count(key, &plain)
        {
            let mut sealed = Vec::with_capacity(1 + plain.len() + SealingKeys::OVERHEAD);
            sealed.push(SEALED);
            sealed.extend_from_slice(&plain);
            let done = keys.seal(&mut sealed, 1, &context(key, session));
            done.ok_or_else(|| crate::SessionError::invalid("a value is too long to be sealed"))?;
            return Ok(sealed.into());
        }
        let _ = (key, session);
        Ok(plain)
    }

    fn open<'a, T>(
        &self,
        key: &SessionKey<T>,
        session: DeviceId,
        stored: &'a [u8],
    ) -> Result<Cow<'a, [u8]>, Unopened> {
        let sealed = stored.strip_prefix(&[SEALED]);
        #[cfg(feature = "seal")]
        if let Some(keys) = &self.keys {
            let Some(sealed) = sealed else {
                let is_read = self.readable != PlaintextValues::Refuse || is_count(key, stored);
                return is_read
                    .then_some(Cow::Borrowed(stored))
                    .ok_or(Unopened::NotSealed);
            };
            let opened = keys.open(sealed, &context(key, session));
            return opened.map(Cow::Owned).map_err(|failure| match failure {
                OpenFailure::Foreign => Unopened::UnknownKey,
                _ => Unopened::Damaged,
            });
        }
        let _ = (key, session);
        match sealed {
            Some(_) => Err(Unopened::UnknownKey),
            None => Ok(Cow::Borrowed(stored)),
        }
    }
}

/// Returns whether a value is one that the store adds to.
#[cfg(feature = "seal")]
fn is_count<T>(key: &SessionKey<T>, plain: &[u8]) -> bool {
    key.is_counter() && value::stored_int(plain).is_some()
}

/// Returns the data to which a sealed value is bound: the key of its session, whose length is fixed, and
/// its field.
#[cfg(feature = "seal")]
fn context<T>(key: &SessionKey<T>, session: DeviceId) -> Vec<u8> {
    let session = SessionRecord::key(session);
    [session.as_bytes(), key.name().as_bytes()].concat()
}

#[cfg(all(test, feature = "seal"))]
mod tests {
    use std::sync::Arc;

    use larder_moka::MokaStore;

    use super::*;

    const CODE: SessionKey<String> = SessionKey::new("code");
    const OTHER: SessionKey<String> = SessionKey::new("other");
    static PLAIN: Bytes = Bytes::from_static(b"msecret");

    fn sealing(keys: SealingKeys) -> Sealing {
        Sealing {
            keys: Some(keys),
            readable: PlaintextValues::Refuse,
        }
    }

    #[test]
    fn a_sealed_field_opens_in_its_place_alone() {
        let sealing = sealing(SealingKeys::new(1, [7; 32]));
        let (one, other) = (DeviceId::random(), DeviceId::random());
        let stored = sealing.seal(&CODE, one, PLAIN.clone()).unwrap();
        assert!(!stored.windows(6).any(|bytes| bytes == b"secret"));
        assert_eq!(*sealing.open(&CODE, one, &stored).unwrap(), PLAIN);
        for (key, session) in [(&CODE, other), (&OTHER, one)] {
            let opened = sealing.open(key, session, &stored);
            assert_eq!(opened, Err(Unopened::Damaged));
        }
        let without = Sealing::default();
        let opened = without.open(&CODE, one, &stored);
        assert_eq!(opened, Err(Unopened::UnknownKey));
    }

    #[test]
    fn a_key_that_was_replaced_still_opens_and_one_that_was_removed_does_not() {
        let session = DeviceId::random();
        let (old, new) = ([1; 32], [2; 32]);
        let stored = sealing(SealingKeys::new(1, old)).seal(&CODE, session, PLAIN.clone());
        let stored = stored.unwrap();
        let rotated = sealing(SealingKeys::new(2, new).with_additional(1, old));
        assert_eq!(*rotated.open(&CODE, session, &stored).unwrap(), PLAIN);
        let again = rotated.seal(&CODE, session, PLAIN.clone()).unwrap();
        let last = sealing(SealingKeys::new(2, new));
        assert_eq!(*last.open(&CODE, session, &again).unwrap(), PLAIN);
        let opened = last.open(&CODE, session, &stored);
        assert_eq!(opened, Err(Unopened::UnknownKey));
    }

    #[test]
    fn readable_values_are_refused_read_or_written_as_set() {
        let session = DeviceId::random();
        let keys = SealingKeys::new(1, [7; 32]);
        for (readable, reads, seals) in [
            (PlaintextValues::Refuse, false, true),
            (PlaintextValues::Read, true, true),
            (PlaintextValues::Write, true, false),
        ] {
            let mut sealing = sealing(keys.clone());
            sealing.readable = readable;
            let opened = sealing.open(&CODE, session, &PLAIN);
            assert_eq!(opened.is_ok(), reads, "{readable:?}");
            let stored = sealing.seal(&CODE, session, PLAIN.clone()).unwrap();
            assert_eq!(stored.starts_with(b"s"), seals, "{readable:?}");
            assert!(sealing.open(&CODE, session, &stored).is_ok());
        }
    }

    #[test]
    fn integers_are_sealed_unless_their_field_is_a_counter() {
        let (session, five) = (DeviceId::random(), Bytes::from_static(b"i5"));
        let sealing = sealing(SealingKeys::new(1, [7; 32]));
        let pin = SessionKey::<u32>::new("pin");
        let stored = sealing.seal(&pin, session, five.clone()).unwrap();
        assert!(stored.starts_with(b"s"));
        assert_eq!(sealing.open(&pin, session, &five), Err(Unopened::NotSealed));
        let visits = pin.as_counter();
        assert_eq!(sealing.seal(&visits, session, five.clone()).unwrap(), five);
        assert_eq!(*sealing.open(&visits, session, &five).unwrap(), five);
        // What was sealed before the field became a counter still opens.
        assert_eq!(*sealing.open(&visits, session, &stored).unwrap(), five);
        assert!(sealing.open(&visits, session, b"mtext").is_err());
    }

    #[test]
    fn the_store_adds_to_readable_fields_alone() {
        let sessions = || Sessions::new(Arc::new(MokaStore::new())).unwrap();
        let (plain, sealed) = (
            sessions(),
            sessions().with_sealing(SealingKeys::new(1, [7; 32])),
        );
        let pin = SessionKey::<u32>::new("pin");
        assert!(plain.can_count(&pin) && !sealed.can_count(&pin));
        let visits = pin.as_counter();
        assert!(plain.can_count(&visits) && sealed.can_count(&visits));
    }
}
