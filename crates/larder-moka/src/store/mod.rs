mod bus;
mod leases;
mod programs;
mod scan;
mod waits;

use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use larder_store::bus::Bus;
use larder_store::lease::Leases;
use larder_store::program::Programs;
use larder_store::scan::Scan;
use larder_store::wait::{Waiters, Waits};
use larder_store::{
    Clock, Content, Delete, DeleteOutcome, Entry, Error, ErrorKind, ExpireOutcome, Key, Put,
    PutOutcome, Result, Space, Store, Ttl,
};

use crate::MokaStoreBuilder;
use crate::bus::Subscribers;
use crate::cache::CacheSpace;
use crate::leases::LeaseTable;
use crate::pinned::{Garbage, Pinned};

/// The store in this process: a cache space that evicts, and a pinned space that does not.
///
/// Every operation answers without waiting, so the `*_now` methods are always ready. The exceptions
/// are [`follow`](larder_store::lease::Leases::follow) and
/// [`next`](larder_store::wait::Waiter::next), which wait for others, and
/// [`page`](larder_store::scan::Scan::page), which yields between its steps. Share the store behind an
/// [`Arc`]. Its content is gone when it is dropped.
///
/// # Errors
/// - [`Refusal::Full`](larder_store::Refusal::Full) if a new key of a pinned kind would exceed the
///   kind's maximum, and at the maximum of leases, subscriptions or waiters. Expired keys and leases are
///   removed first.
/// - [`Refusal::WrongType`](larder_store::Refusal::WrongType) if one name is used for a pinned kind of values
///   and for a kind of records. An evictable kind of that name is not noticed: here its keys are separate,
///   but on Redis they are the same keys.
/// - [`ErrorKind::TooLarge`] if a value is longer than
///   [`with_max_value`](MokaStoreBuilder::with_max_value) or does not fit into the cache space.
///
/// After an error nothing has changed.
pub struct MokaStore {
    pub(crate) cache: CacheSpace,
    pub(crate) pinned: Pinned,
    pub(crate) leases: LeaseTable,
    pub(crate) subscribers: Arc<Subscribers>,
    pub(crate) waiters: Arc<Waiters>,
    max_value: usize,
    pub(crate) clock: Box<dyn Clock>,
}

impl MokaStore {
    /// Creates a store with the default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Returns the settings of a new store.
    pub fn builder() -> MokaStoreBuilder {
        MokaStoreBuilder::default()
    }

    pub(crate) fn from_parts(
        cache: CacheSpace,
        pinned: Pinned,
        leases: LeaseTable,
        subscribers: Subscribers,
        waiters: Waiters,
        max_value: usize,
        clock: Box<dyn Clock>,
    ) -> Self {
        Self {
            cache,
            pinned,
            leases,
            subscribers: Arc::new(subscribers),
            waiters: Arc::new(waiters),
            max_value,
            clock,
        }
    }

    fn read(&self, key: &Key, garbage: &mut Garbage) -> Result<Option<Entry>> {
        key.require(Content::Value, "get")?;
        match key.kind().space() {
            Space::Evictable => Ok(self.cache.get(key, &*self.clock)),
            Space::Pinned => self.pinned.get(key, &*self.clock, garbage),
        }
    }

    fn write(&self, put: &Put, garbage: &mut Garbage) -> Result<PutOutcome> {
        put.key().require(Content::Value, "put")?;
        self.check_size("put", put)?;
        match put.key().kind().space() {
            Space::Evictable => Ok(self.cache.put(put, &*self.clock)),
            Space::Pinned => self.pinned.put(put, &*self.clock, garbage),
        }
    }

    /// Refuses a value that is longer than the maximum, or that does not fit into the cache space.
    fn check_size(&self, operation: &'static str, put: &Put) -> Result<()> {
        let max = self.max_value;
        if put.value().len() > max {
            return Err(Error::new(
                operation,
                ErrorKind::TooLarge,
                format!(
                    "the value is larger than {max} bytes: \
                     raise the maximum with MokaStore::builder().with_max_value(bytes)"
                ),
            ));
        }
        match put.key().kind().space() {
            Space::Evictable => self.cache.check_size(operation, put),
            Space::Pinned => Ok(()),
        }
    }

    fn remove(&self, delete: &Delete, garbage: &mut Garbage) -> Result<DeleteOutcome> {
        delete.key().require(Content::Value, "delete")?;
        match delete.key().kind().space() {
            Space::Evictable => Ok(self.cache.delete(delete, &*self.clock).into()),
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

    async fn put(&self, put: &Put) -> Result<PutOutcome> {
        self.write(put, &mut Garbage::new())
    }

    async fn delete(&self, delete: &Delete) -> Result<DeleteOutcome> {
        self.remove(delete, &mut Garbage::new())
    }

    async fn expire(&self, key: &Key, ttl: Ttl) -> Result<ExpireOutcome> {
        key.require(Content::Value, "expire")?;
        match key.kind().space() {
            Space::Evictable => Ok(self.cache.expire(key, ttl, &*self.clock).into()),
            Space::Pinned => self.pinned.expire(key, ttl, &*self.clock),
        }
    }

    async fn ttl(&self, key: &Key) -> Result<Option<Ttl>> {
        key.require(Content::Value, "ttl")?;
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

    async fn put_many(&self, puts: &[Put]) -> Vec<Result<PutOutcome>> {
        puts.iter()
            .map(|put| self.write(put, &mut Garbage::new()))
            .collect()
    }

    async fn delete_many(&self, deletes: &[Delete]) -> Vec<Result<DeleteOutcome>> {
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

    fn put_now(&self, put: &Put) -> Poll<Result<PutOutcome>> {
        Poll::Ready(self.write(put, &mut Garbage::new()))
    }

    fn delete_now(&self, delete: &Delete) -> Poll<Result<DeleteOutcome>> {
        Poll::Ready(self.remove(delete, &mut Garbage::new()))
    }

    fn programs(self: Arc<Self>) -> Option<Arc<dyn Programs>> {
        Some(self)
    }

    fn waits(self: Arc<Self>) -> Option<Arc<dyn Waits>> {
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
