use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use larder_layer::StoreTimeout;
use larder_store::{
    Delete, Error, ErrorKind, IdWriter, Key, KeyId, Kind, Put, Result, Store, Timestamp, Ttl,
    count_poisoned,
};

use crate::Codec;
use crate::envelope::{Envelope, Opened};
use crate::write_locks::WriteLocks;

/// The far tier: values as bytes in a store, each in an envelope.
///
/// Every wait here, for a lock or for the store, ends at the far timeout.
pub(crate) struct Far<V> {
    pub(crate) kind: Kind,
    pub(crate) schema: u32,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) codec: Arc<dyn Codec<V>>,
    pub(crate) timeout: StoreTimeout,
    pub(crate) max_value: usize,
    pub(crate) locks: WriteLocks,
    /// Whether a value that the codec refuses was logged as an error already.
    pub(crate) refusal_logged: AtomicBool,
}

/// A value that was read from the far store.
pub(crate) struct Stored<V> {
    pub(crate) value: V,
    pub(crate) deadline: Timestamp,
}

impl<V: Send + Sync + 'static> Far<V> {
    /// Returns the key of `id`: `kind:{v<schema>:id}`.
    pub(crate) fn key(&self, id: &impl KeyId) -> Key {
        Key::new(self.kind, (Schema(self.schema), id))
    }

    /// Reads a value that has not ended yet. Damaged bytes are a miss, and counted.
    pub(crate) async fn read(&self, key: &Key, now: Timestamp) -> Result<Option<Stored<V>>> {
        let Some(entry) = self.timeout.get(&*self.store, key).await? else {
            return Ok(None);
        };
        let (envelope, payload) = match Envelope::open(&entry.value, key, self.max_value) {
            Opened::Value(envelope, payload) => (envelope, payload),
            // An earlier release wrote it: nothing is wrong with it.
            Opened::Earlier => return Ok(None),
            Opened::Damaged => {
                count_poisoned(self.kind);
                return Ok(None);
            }
        };
        // Another deployment wrote it, before this one or beside it: nothing is wrong with it.
        if envelope.codec != self.codec.id() || envelope.deadline <= now {
            return Ok(None);
        }
        let Some(value) = self.codec.decode(payload) else {
            count_poisoned(self.kind);
            return Ok(None);
        };
        let deadline = envelope.deadline;
        Ok(Some(Stored { value, deadline }))
    }

    /// Returns the write of a value that ends at `deadline`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the value cannot be written or read back,
    /// [`ErrorKind::TooLarge`] if it is too large.
    pub(crate) fn seal(
        &self,
        key: Key,
        value: &V,
        now: Timestamp,
        deadline: Timestamp,
        load: Duration,
    ) -> Result<Put> {
        let mut sealed = Vec::with_capacity(512);
        sealed.resize(Envelope::LEN, 0);
        self.codec.encode(value, &mut sealed)?;
        let envelope = Envelope {
            codec: self.codec.id(),
            deadline,
            load_micros: u64::try_from(load.as_micros()).unwrap_or(u64::MAX),
        };
        let fits = sealed.len() - Envelope::LEN <= self.max_value;
        if fits {
            self.codec.verify(value, &sealed[Envelope::LEN..])?;
        }
        if !fits || envelope.seal(&mut sealed, &key).is_none() {
            return Err(Error::new(
                "put",
                ErrorKind::TooLarge,
                format!(
                    "the encoded value is larger than {} bytes: raise with_max_value(bytes) of \
                     the cache",
                    self.max_value
                ),
            ));
        }
        let ttl = Ttl::covering_micros(deadline.as_micros().saturating_sub(now.as_micros()));
        Ok(Put::new(key, Bytes::from(sealed), ttl))
    }

    pub(crate) async fn write(&self, put: &Put) -> Result<()> {
        self.timeout.put(&*self.store, put).await.map(drop)
    }

    pub(crate) async fn delete(&self, delete: &Delete) -> Result<()> {
        self.timeout.delete(&*self.store, delete).await.map(drop)
    }

    /// Logs a write that failed.
    ///
    /// The first value that the codec refuses is logged as an error, because each process then
    /// loads what it could share; everything else is logged at debug level.
    pub(crate) fn log_failed_write(&self, error: &Error) {
        let kind = self.kind.name();
        let refused = error.kind() == ErrorKind::Invalid;
        if refused && !self.refusal_logged.swap(true, Ordering::Relaxed) {
            tracing::error!(
                kind,
                %error,
                "a value stays in this process: its codec cannot read it back"
            );
        } else {
            tracing::debug!(kind, %error, "the far store did not take a value");
        }
    }
}

/// The schema number of a value, as the first component of its id.
struct Schema(u32);

impl KeyId for Schema {
    fn write_id(&self, id: &mut IdWriter<'_>) {
        // 'v' and ten digits at most.
        let mut text = [0; 11];
        let mut at = text.len();
        let mut rest = self.0;
        loop {
            at -= 1;
            text[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        text[at - 1] = b'v';
        id.bytes(&text[at - 1..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_the_first_component_of_the_id() {
        const FILM: Kind = Kind::evictable("film");
        for (schema, text) in [
            (0, "film:{v0:7}"),
            (42, "film:{v42:7}"),
            (u32::MAX, "film:{v4294967295:7}"),
        ] {
            assert_eq!(Key::new(FILM, (Schema(schema), 7_u32)).as_str(), text);
        }
    }
}
