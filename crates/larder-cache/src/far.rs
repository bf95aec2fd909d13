use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use larder_store::{
    Delete, Error, ErrorKind, IdWriter, Key, KeyId, Kind, Put, Result, Store, Timestamp, Ttl,
    count_poisoned,
};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::Codec;
use crate::envelope::Envelope;

/// How many gates a far tier has.
const GATES: usize = 256;

/// The far tier: values as bytes in a store, each in an envelope.
///
/// Every wait here, for a gate or for the store, ends at the far deadline.
pub(crate) struct Far<V> {
    pub(crate) kind: Kind,
    pub(crate) schema: u32,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) codec: Arc<dyn Codec<V>>,
    pub(crate) deadline: Duration,
    pub(crate) max_value: usize,
    pub(crate) gates: Gates,
    /// Whether a value that the codec refuses was logged as an error already.
    pub(crate) refusal_logged: AtomicBool,
}

/// A value as it came from far.
pub(crate) struct Stored<V> {
    pub(crate) value: V,
    pub(crate) deadline: Timestamp,
}

impl<V: Send + Sync + 'static> Far<V> {
    /// The key of `id`: `kind:{v<schema>:id}`.
    pub(crate) fn key(&self, id: &impl KeyId) -> Key {
        Key::new(self.kind, (Schema(self.schema), id))
    }

    /// Reads a value that has not ended yet. Bytes that are none are a miss, and counted.
    pub(crate) async fn read(&self, key: &Key, now: Timestamp) -> Result<Option<Stored<V>>> {
        let entry = match self.store.get_now(key) {
            Poll::Ready(answer) => answer?,
            Poll::Pending => self.within("get", self.store.get(key)).await??,
        };
        let Some(entry) = entry else { return Ok(None) };
        let Some((envelope, payload)) = Envelope::open(&entry.value, key, self.max_value) else {
            count_poisoned(self.kind);
            return Ok(None);
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

    /// The write of a value that ends at `deadline`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] where the value cannot be written or read back,
    /// [`ErrorKind::TooLarge`] where it is too large.
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
                format!("a far value has at most {} bytes", self.max_value),
            ));
        }
        let ttl = Ttl::covering_micros(deadline.as_micros().saturating_sub(now.as_micros()));
        Ok(Put::new(key, Bytes::from(sealed), ttl))
    }

    pub(crate) async fn write(&self, put: &Put) -> Result<()> {
        match self.store.put_now(put) {
            Poll::Ready(answer) => answer?,
            Poll::Pending => self.within("put", self.store.put(put)).await??,
        };
        Ok(())
    }

    pub(crate) async fn erase(&self, key: Key) -> Result<()> {
        let delete = Delete::new(key);
        match self.store.delete_now(&delete) {
            Poll::Ready(answer) => answer?,
            Poll::Pending => self.within("delete", self.store.delete(&delete)).await??,
        };
        Ok(())
    }

    /// Logs a write that failed: as an error the first value that the codec refuses, because each
    /// process then loads what it could share, and all else for those who look for it.
    pub(crate) fn log_failed_write(&self, error: &Error) {
        let kind = self.kind.name();
        let refused = error.kind() == ErrorKind::Invalid;
        if refused && !self.refusal_logged.swap(true, Ordering::Relaxed) {
            tracing::error!(kind, %error, "a value is not shared: its codec cannot keep it");
        } else {
            tracing::debug!(kind, %error, "far write failed");
        }
    }

    /// Lets loads through that write back what they found, side by side.
    pub(crate) async fn enter_to_write_back(&self, hash: u64) -> Result<RwLockReadGuard<'_, ()>> {
        let gate = self.gates.of(hash);
        match gate.try_read() {
            Ok(guard) => Ok(guard),
            Err(_) => self.before("put", gate.read()).await,
        }
    }

    /// Waits until those are out who write back, and keeps all others out.
    pub(crate) async fn enter_alone(
        &self,
        operation: &'static str,
        hash: u64,
    ) -> Result<RwLockWriteGuard<'_, ()>> {
        let gate = self.gates.of(hash);
        match gate.try_write() {
            Ok(guard) => Ok(guard),
            Err(_) => self.before(operation, gate.write()).await,
        }
    }

    async fn within<T>(
        &self,
        operation: &'static str,
        answer: impl Future<Output = T>,
    ) -> Result<T> {
        self.wait(operation, ErrorKind::MayHaveRun, answer).await
    }

    async fn before<T>(&self, operation: &'static str, gate: impl Future<Output = T>) -> Result<T> {
        self.wait(operation, ErrorKind::NotSent, gate).await
    }

    async fn wait<T>(
        &self,
        operation: &'static str,
        late: ErrorKind,
        what: impl Future<Output = T>,
    ) -> Result<T> {
        tokio::time::timeout(self.deadline, what)
            .await
            .map_err(|_| {
                let detail = format!("the far store took longer than {:?}", self.deadline);
                Error::new(operation, late, detail)
            })
    }
}

/// What keeps an invalidation from overtaking the write-back of an older value: a write-back that
/// has begun ends before the invalidation reaches the store, and one that has not sees that it is
/// outdated. In stripes, so that an invalidation may wait for a stranger, up to the far deadline.
pub(crate) struct Gates(Box<[RwLock<()>]>);

impl Gates {
    pub(crate) fn new() -> Self {
        Self(
            std::iter::repeat_with(|| RwLock::new(()))
                .take(GATES)
                .collect(),
        )
    }

    fn of(&self, hash: u64) -> &RwLock<()> {
        &self.0[hash as usize % GATES]
    }
}

/// The number of a value's schema, as the first component of its id.
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
