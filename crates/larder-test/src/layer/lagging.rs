//! A store whose reads are answered by an older copy on demand.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use larder_store::{
    Delete, DeleteOutcome, Entry, ExpireOutcome, Key, Put, PutOutcome, Result, Store, Ttl,
};
use parking_lot::Mutex;

use crate::ModelStore;

/// A store that may answer reads from an older copy, like one that reads replicas.
///
/// Use it to test a layer that must not depend on such a read: give it to one layer, and its
/// [`ModelStore`] to another, which stands for another process. It stores values only.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use larder_store::{Delete, Key, Kind, Put, Store, Ttl};
/// use larder_test::{Lagging, ModelStore};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// const FILM: Kind = Kind::evictable("film");
/// const PURGE: Kind = Kind::evictable("purge").with_consistent_reads();
/// let model = Arc::new(ModelStore::new());
/// let store = Lagging::new(model.clone());
///
/// let [film, purge] = [FILM, PURGE].map(|kind| Key::new(kind, 7_u32));
/// for key in [&film, &purge] {
///     model.put(&Put::new(key.clone(), "a long night", Ttl::from_secs(60))).await?;
/// }
/// store.freeze();
/// for key in [&film, &purge] {
///     model.delete(&Delete::new(key.clone())).await?;
/// }
/// assert!(store.get(&film).await?.is_some() && store.get(&purge).await?.is_none());
///
/// // After a write by this store itself its reads miss no write.
/// store.delete(&Delete::new(film.clone())).await?;
/// assert!(store.get(&film).await?.is_none());
/// # Ok::<(), larder_store::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Lagging {
    inner: Arc<ModelStore>,
    copy: Mutex<Option<OlderCopy>>,
}

/// The older copy, and the keys that were written since by the store that reads it.
struct OlderCopy {
    values: Arc<ModelStore>,
    written: HashSet<Key>,
}

impl Lagging {
    /// Wraps `inner`, without a copy yet.
    pub fn new(inner: Arc<ModelStore>) -> Self {
        Self {
            inner,
            copy: Mutex::new(None),
        }
    }

    /// Takes a copy, which answers reads from now on.
    ///
    /// It answers those of all keys except the ones that are then written through this store, even if the write
    /// changes nothing, and those of kinds [with consistent reads](larder_store::Kind::with_consistent_reads).
    pub fn freeze(&self) {
        *self.copy.lock() = Some(OlderCopy {
            values: Arc::new(self.inner.copy_of_values()),
            written: HashSet::new(),
        });
    }

    /// Returns the store that answers a read of `key`.
    fn read(&self, key: &Key) -> Arc<ModelStore> {
        match &*self.copy.lock() {
            Some(copy) if !key.kind().has_consistent_reads() && !copy.written.contains(key) => {
                copy.values.clone()
            }
            _ => self.inner.clone(),
        }
    }

    /// Returns the store that takes a write of `keys`, whose reads it answers from now on.
    fn write<'a>(&self, keys: impl IntoIterator<Item = &'a Key>) -> &ModelStore {
        if let Some(copy) = &mut *self.copy.lock() {
            copy.written.extend(keys.into_iter().cloned());
        }
        &self.inner
    }
}

#[async_trait]
impl Store for Lagging {
    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        self.read(key).get(key).await
    }

    async fn put(&self, put: &Put) -> Result<PutOutcome> {
        self.write([put.key()]).put(put).await
    }

    async fn delete(&self, delete: &Delete) -> Result<DeleteOutcome> {
        self.write([delete.key()]).delete(delete).await
    }

    async fn expire(&self, key: &Key, ttl: Ttl) -> Result<ExpireOutcome> {
        self.write([key]).expire(key, ttl).await
    }

    async fn ttl(&self, key: &Key) -> Result<Option<Ttl>> {
        self.read(key).ttl(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        let mut answers = Vec::with_capacity(keys.len());
        for key in keys {
            answers.push(self.get(key).await);
        }
        answers
    }

    async fn put_many(&self, puts: &[Put]) -> Vec<Result<PutOutcome>> {
        self.write(puts.iter().map(Put::key)).put_many(puts).await
    }

    async fn delete_many(&self, deletes: &[Delete]) -> Vec<Result<DeleteOutcome>> {
        let inner = self.write(deletes.iter().map(Delete::key));
        inner.delete_many(deletes).await
    }

    fn location(&self) -> &str {
        "lagging://"
    }
}

impl fmt::Debug for Lagging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lagging").field(&self.inner).finish()
    }
}
