use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use larder_store::{
    Bus, Clock, Delete, Entry, Error, ErrorKind, Form, Key, Leases, Programs, Put, Result, Scan,
    Space, Store, Ttl,
};

use crate::MokaStoreBuilder;
use crate::bus::Board;
use crate::cache::CacheSpace;
use crate::leases::LeaseTable;
use crate::pinned::{Garbage, Pinned};

/// The store in this process: an evicting cache space, and a pinned space that never evicts.
///
/// Every operation answers without waiting, so the `*_now` methods are always ready. It is used
/// behind an [`Arc`], and keeps nothing past the process.
///
/// # Errors
/// - [`Refusal::Full`](larder_store::Refusal::Full) where a new key of a pinned kind would pass
///   the kind's cap. It is never given while the kind still holds anything expired.
/// - [`Refusal::WrongType`](larder_store::Refusal::WrongType) where a kind's name is used for
///   values and for records.
/// - [`ErrorKind::TooLarge`] where a value passes
///   [`with_max_value`](MokaStoreBuilder::with_max_value) or does not fit into the cache space.
///
/// Every error means that nothing happened.
pub struct MokaStore {
    pub(crate) cache: CacheSpace,
    pub(crate) pinned: Pinned,
    pub(crate) leases: LeaseTable,
    pub(crate) board: Arc<Board>,
    max_value: usize,
    pub(crate) clock: Box<dyn Clock>,
}

impl MokaStore {
    /// A store with the default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Settings for a store.
    pub fn builder() -> MokaStoreBuilder {
        MokaStoreBuilder::default()
    }

    pub(crate) fn from_parts(
        cache: CacheSpace,
        pinned: Pinned,
        leases: LeaseTable,
        board: Board,
        max_value: usize,
        clock: Box<dyn Clock>,
    ) -> Self {
        Self {
            cache,
            pinned,
            leases,
            board: Arc::new(board),
            max_value,
            clock,
        }
    }

    pub(crate) fn read(&self, key: &Key, garbage: &mut Garbage) -> Result<Option<Entry>> {
        key.require(Form::Value, "get")?;
        match key.kind().space() {
            Space::Evictable => Ok(self.cache.get(key, &*self.clock)),
            Space::Pinned => self.pinned.get(key, &*self.clock, garbage),
        }
    }

    pub(crate) fn write(&self, put: &Put, garbage: &mut Garbage) -> Result<bool> {
        put.key().require(Form::Value, "put")?;
        self.check_size("put", put)?;
        match put.key().kind().space() {
            Space::Evictable => self.cache.put(put, &*self.clock),
            Space::Pinned => self.pinned.put(put, &*self.clock, garbage),
        }
    }

    /// Refuses a value that is longer than the store takes.
    pub(crate) fn check_size(&self, operation: &'static str, put: &Put) -> Result<()> {
        let most = self.max_value;
        if put.value().len() <= most {
            return Ok(());
        }
        Err(Error::new(
            operation,
            ErrorKind::TooLarge,
            format!(
                "the value is larger than {most} bytes: \
                 raise it with MokaStore::builder().with_max_value(bytes)"
            ),
        ))
    }

    pub(crate) fn remove(&self, delete: &Delete, garbage: &mut Garbage) -> Result<bool> {
        delete.key().require(Form::Value, "delete")?;
        match delete.key().kind().space() {
            Space::Evictable => Ok(self.cache.delete(delete, &*self.clock)),
            Space::Pinned => self.pinned.delete(delete, &*self.clock, garbage),
        }
    }
}

impl Default for MokaStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MokaStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MokaStore").finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for MokaStore {
    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        self.read(key, &mut Garbage::new())
    }

    async fn put(&self, put: &Put) -> Result<bool> {
        self.write(put, &mut Garbage::new())
    }

    async fn delete(&self, delete: &Delete) -> Result<bool> {
        self.remove(delete, &mut Garbage::new())
    }

    async fn expire(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        key.require(Form::Value, "expire")?;
        match key.kind().space() {
            Space::Evictable => Ok(self.cache.expire(key, ttl, &*self.clock)),
            Space::Pinned => self.pinned.expire(key, ttl, &*self.clock),
        }
    }

    async fn ttl(&self, key: &Key) -> Result<Option<Ttl>> {
        key.require(Form::Value, "ttl")?;
        match key.kind().space() {
            Space::Evictable => Ok(self.cache.ttl(key, &*self.clock)),
            Space::Pinned => self.pinned.ttl(key, &*self.clock),
        }
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        keys.iter()
            .map(|key| self.read(key, &mut Garbage::new()))
            .collect()
    }

    async fn put_many(&self, puts: &[Put]) -> Vec<Result<bool>> {
        puts.iter()
            .map(|put| self.write(put, &mut Garbage::new()))
            .collect()
    }

    async fn delete_many(&self, deletes: &[Delete]) -> Vec<Result<bool>> {
        deletes
            .iter()
            .map(|delete| self.remove(delete, &mut Garbage::new()))
            .collect()
    }

    fn location(&self) -> &str {
        "memory://"
    }

    fn get_now(&self, key: &Key) -> Poll<Result<Option<Entry>>> {
        Poll::Ready(self.read(key, &mut Garbage::new()))
    }

    fn put_now(&self, put: &Put) -> Poll<Result<bool>> {
        Poll::Ready(self.write(put, &mut Garbage::new()))
    }

    fn delete_now(&self, delete: &Delete) -> Poll<Result<bool>> {
        Poll::Ready(self.remove(delete, &mut Garbage::new()))
    }

    fn programs(self: Arc<Self>) -> Option<Arc<dyn Programs>> {
        Some(self)
    }

    fn leases(self: Arc<Self>) -> Option<Arc<dyn Leases>> {
        Some(self)
    }

    fn scan(self: Arc<Self>) -> Option<Arc<dyn Scan>> {
        Some(self)
    }

    fn bus(self: Arc<Self>) -> Option<Arc<dyn Bus>> {
        Some(self)
    }
}
