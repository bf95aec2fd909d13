use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;

use crate::bus::Bus;
use crate::lease::Leases;
use crate::program::Programs;
use crate::scan::Scan;
use crate::wait::Waits;
use crate::{
    Delete, DeleteOutcome, Entry, Error, ErrorKind, ExpireOutcome, Key, Put, PutOutcome, Result,
    Ttl,
};

/// Maps keys to bytes, each with a version and a TTL.
///
/// A miss is never an error, and an error is never a miss, with one exception: over [`Sharded`](crate::Sharded),
/// reads of evictable keys on a shard that cannot be reached are misses. Operations on one key are linearizable,
/// except that an evictable key may vanish at any time and that a TTL may end a millisecond or two
/// late. Keys of [`Content::Record`](crate::Content::Record) are refused with
/// [`Refusal::WrongType`](crate::Refusal::WrongType).
///
/// Layers hold an `Arc<dyn Store>`. On hot paths they try the `*_now` methods first, which box
/// nothing if the answer is ready at once.
///
/// ```
/// use larder_store::{Key, Kind, Put, Result, Store, Ttl};
///
/// const GREETING: Kind = Kind::evictable("greeting");
///
/// async fn greet(store: &dyn Store) -> Result<bool> {
///     let key = Key::new(GREETING, "en");
///     let _ = store.put(&Put::new(key.clone(), "hello", Ttl::from_secs(60))).await?;
///     Ok(store.get(&key).await?.is_some_and(|entry| entry.value == "hello"))
/// }
/// ```
///
/// # Errors
/// The [`ErrorKind`] of an error says whether it is safe to repeat the operation.
///
/// # Cancellation
/// A dropped read has no effect. A dropped write happens as a whole or not at all, and never delays
/// another operation.
///
/// # Implementing
/// Write plain async functions under `#[async_trait]`, and run the laws of `larder-test` on them. A
/// store that can answer without waiting overrides the `*_now` methods too. One whose reads may be
/// answered by a copy asks the server that takes the writes for a key of a kind that
/// [has consistent reads](crate::Kind::has_consistent_reads), and for one that it has just written.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Returns the entry of `key`, or None if it is absent. One round trip.
    async fn get(&self, key: &Key) -> Result<Option<Entry>>;

    /// Writes a value if the condition of `put` is met. One round trip.
    async fn put(&self, put: &Put) -> Result<PutOutcome>;

    /// Deletes a value if the condition of `delete` is met. One round trip.
    async fn delete(&self, delete: &Delete) -> Result<DeleteOutcome>;

    /// Gives `key` a new TTL from now on, if it is present. One round trip.
    ///
    /// The value and its version stay.
    async fn expire(&self, key: &Key, ttl: Ttl) -> Result<ExpireOutcome>;

    /// Returns the remaining TTL of `key`, or None if it is absent. One round trip.
    ///
    /// It is rounded up to a millisecond.
    async fn ttl(&self, key: &Key) -> Result<Option<Ttl>>;

    /// Calls [`get`](Self::get) for many keys. One round trip per node.
    ///
    /// Returns a result for each key, in their order.
    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>>;

    /// Calls [`put`](Self::put) for many writes. One round trip per node.
    ///
    /// Returns a result for each write, in their order. Writes of one key keep their order. The
    /// batch is not atomic.
    async fn put_many(&self, puts: &[Put]) -> Vec<Result<PutOutcome>>;

    /// Calls [`delete`](Self::delete) for many keys. One round trip per node.
    ///
    /// Returns a result for each delete, in their order. Deletes of one key keep their order. The
    /// batch is not atomic.
    async fn delete_many(&self, deletes: &[Delete]) -> Vec<Result<DeleteOutcome>>;

    /// Returns the address of the store for logs, such as `redis://127.0.0.1:6379`.
    ///
    /// It never holds a user or a password.
    fn location(&self) -> &str;

    /// Calls [`get`](Self::get) if it need not wait.
    ///
    /// Otherwise returns pending, with nothing done.
    fn get_now(&self, key: &Key) -> Poll<Result<Option<Entry>>> {
        let _ = key;
        Poll::Pending
    }

    /// Calls [`put`](Self::put) if it need not wait.
    ///
    /// Otherwise returns pending, with nothing done.
    fn put_now(&self, put: &Put) -> Poll<Result<PutOutcome>> {
        let _ = put;
        Poll::Pending
    }

    /// Calls [`delete`](Self::delete) if it need not wait.
    ///
    /// Otherwise returns pending, with nothing done.
    fn delete_now(&self, delete: &Delete) -> Poll<Result<DeleteOutcome>> {
        let _ = delete;
        Poll::Pending
    }

    /// Returns the capability to run programs, or None if the store lacks it.
    fn programs(self: Arc<Self>) -> Option<Arc<dyn Programs>> {
        None
    }

    /// Returns the capability to wait for records, or None if the store lacks it.
    fn waits(self: Arc<Self>) -> Option<Arc<dyn Waits>> {
        None
    }

    /// Returns the capability to lease keys, or None if the store lacks it.
    fn leases(self: Arc<Self>) -> Option<Arc<dyn Leases>> {
        None
    }

    /// Returns the capability to publish and subscribe, or None if the store lacks it.
    fn bus(self: Arc<Self>) -> Option<Arc<dyn Bus>> {
        None
    }

    /// Returns the capability to list keys, or None if the store lacks it.
    fn scan(self: Arc<Self>) -> Option<Arc<dyn Scan>> {
        None
    }
}

/// The fate of a put whose answer was lost, as far as a read can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the put may not have run"]
pub enum SettleOutcome {
    /// The key holds the version of the put.
    Stored,
    /// It was not found: the put never ran, was overwritten, evicted or removed, may still run, or its
    /// [shard](crate::Sharded) cannot be reached.
    NotFound,
}

/// Additional methods of every [`Store`].
pub trait StoreExt: Store {
    /// Reads back the version of `put` after [`ErrorKind::MayHaveRun`]. One round trip.
    ///
    /// # Errors
    /// Those of [`Store::get`].
    fn settle(&self, put: &Put) -> impl Future<Output = Result<SettleOutcome>> + Send {
        async move {
            Ok(match self.get(put.key()).await? {
                Some(entry) if entry.version == put.version() => SettleOutcome::Stored,
                _ => SettleOutcome::NotFound,
            })
        }
    }

    /// Returns the capability to run programs, for the constructor of a layer.
    ///
    /// `user` names the layer in the error.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the store runs no programs.
    fn require_programs(self: Arc<Self>, user: &str) -> Result<Arc<dyn Programs>> {
        let location = self.location().to_owned();
        self.programs()
            .ok_or_else(|| missing(user, "runs programs", &location))
    }

    /// Returns the capability to wait for a record.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the store has none.
    fn require_waits(self: Arc<Self>, user: &str) -> Result<Arc<dyn Waits>> {
        let location = self.location().to_owned();
        self.waits()
            .ok_or_else(|| missing(user, "lets tasks wait for a record", &location))
    }

    /// Returns the capability to lease keys.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the store has no leases.
    fn require_leases(self: Arc<Self>, user: &str) -> Result<Arc<dyn Leases>> {
        let location = self.location().to_owned();
        self.leases()
            .ok_or_else(|| missing(user, "has leases", &location))
    }

    /// Returns the capability to publish and subscribe.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the store has no bus.
    fn require_bus(self: Arc<Self>, user: &str) -> Result<Arc<dyn Bus>> {
        let location = self.location().to_owned();
        let bus = "has a bus (redis:// has one, except with ?protocol=resp2 or a pool of the app)";
        self.bus().ok_or_else(|| missing(user, bus, &location))
    }
}

impl<S: Store + ?Sized> StoreExt for S {}

fn missing(user: &str, capability: &str, location: &str) -> Error {
    Error::new(
        "build",
        ErrorKind::Invalid,
        format!(
            "{user} needs a store that {capability}, but {location} does not: use memory:// or \
             redis://"
        ),
    )
}
