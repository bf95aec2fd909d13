use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;

use crate::bus::Bus;
use crate::lease::Leases;
use crate::program::Programs;
use crate::scan::Scan;
use crate::wait::Waits;
use crate::{Delete, Entry, Error, ErrorKind, Key, Put, Result, Ttl};

/// Bytes by key, each with a version and an end: what every backend is, and all that layers know.
///
/// A miss is never an error, and an error is never a miss. All operations are linearizable for
/// each key, except that an evictable key may vanish at any time and that a TTL may end a
/// millisecond or two late. Keys of [`Content::Record`](crate::Content::Record) are refused with
/// [`Refusal::WrongType`](crate::Refusal::WrongType).
///
/// Layers hold an `Arc<dyn Store>`. On hot paths they try the `*_now` methods first, which spare an
/// answer that is ready at once its box.
///
/// # Errors
/// [`ErrorKind`] says for each whether it is safe to send the operation again.
///
/// # Cancellation
/// A dropped read has no effect. A dropped write may or may not happen, whole or not at all; it
/// never holds up, tears or answers another operation.
///
/// # Implementing
/// Write plain async functions under `#[async_trait]`, and prove them with the laws of
/// `larder-test`. A store that can answer without waiting overrides the `*_now` methods too.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// What `key` holds. One round trip.
    async fn get(&self, key: &Key) -> Result<Option<Entry>>;

    /// Writes a value, and tells whether the condition was met. One round trip.
    async fn put(&self, put: &Put) -> Result<bool>;

    /// Removes a value, and tells whether one was removed. One round trip.
    async fn delete(&self, delete: &Delete) -> Result<bool>;

    /// Gives `key` a new TTL from now on, and tells whether it is present. The value and its
    /// version stay. One round trip.
    async fn expire(&self, key: &Key, ttl: Ttl) -> Result<bool>;

    /// How long `key` still lives, rounded up to a millisecond; nothing if it is absent. One round
    /// trip.
    async fn ttl(&self, key: &Key) -> Result<Option<Ttl>>;

    /// [`get`](Self::get) for each key, with a result for each. One round trip for each node.
    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>>;

    /// [`put`](Self::put) for each write, with a result for each; writes of one key keep their
    /// order. Not atomic together. One round trip for each node.
    async fn put_many(&self, puts: &[Put]) -> Vec<Result<bool>>;

    /// [`delete`](Self::delete) for each removal, with a result for each; removals of one key keep
    /// their order. Not atomic together. One round trip for each node.
    async fn delete_many(&self, deletes: &[Delete]) -> Vec<Result<bool>>;

    /// Where the store is, such as `redis://127.0.0.1:6379`: for the first line of a log. It never
    /// holds a user or a password.
    fn location(&self) -> &str;

    /// [`get`](Self::get), if that takes no waiting; pending, with nothing done, if it does.
    fn get_now(&self, key: &Key) -> Poll<Result<Option<Entry>>> {
        let _ = key;
        Poll::Pending
    }

    /// [`put`](Self::put), if that takes no waiting; pending, with nothing done, if it does.
    fn put_now(&self, put: &Put) -> Poll<Result<bool>> {
        let _ = put;
        Poll::Pending
    }

    /// [`delete`](Self::delete), if that takes no waiting; pending, with nothing done, if it does.
    fn delete_now(&self, delete: &Delete) -> Poll<Result<bool>> {
        let _ = delete;
        Poll::Pending
    }

    /// The capability to run programs, if the store has it.
    fn programs(self: Arc<Self>) -> Option<Arc<dyn Programs>> {
        None
    }

    /// The capability to wait until a program wakes those who wait for its record, if the store has
    /// it.
    fn waits(self: Arc<Self>) -> Option<Arc<dyn Waits>> {
        None
    }

    /// The capability to lease keys, if the store has it.
    fn leases(self: Arc<Self>) -> Option<Arc<dyn Leases>> {
        None
    }

    /// The capability to publish and to subscribe, if the store has it.
    fn bus(self: Arc<Self>) -> Option<Arc<dyn Bus>> {
        None
    }

    /// The capability to list keys, if the store has it.
    fn scan(self: Arc<Self>) -> Option<Arc<dyn Scan>> {
        None
    }
}

/// What is known of a put whose answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The put was carried out: its version is there.
    Written,
    /// Its version is not there. It was not carried out, or was overwritten or removed since, or
    /// is still on its way.
    NotThere,
}

/// What every [`Store`] can do besides, given its operations.
pub trait StoreExt: Store {
    /// Finds out what became of `put` after [`ErrorKind::MayHaveRun`], by reading its version back.
    /// One round trip.
    ///
    /// # Errors
    /// As [`Store::get`] gives them.
    fn settle(&self, put: &Put) -> impl Future<Output = Result<Settled>> + Send {
        async move {
            Ok(match self.get(put.key()).await? {
                Some(entry) if entry.version == put.version() => Settled::Written,
                _ => Settled::NotThere,
            })
        }
    }

    /// Returns the capability to run programs. A layer calls it when it is built; `user` names the
    /// layer in the error.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] where the store runs no programs.
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
    /// [`ErrorKind::Invalid`] where the store has no leases.
    fn require_leases(self: Arc<Self>, user: &str) -> Result<Arc<dyn Leases>> {
        let location = self.location().to_owned();
        self.leases()
            .ok_or_else(|| missing(user, "has leases", &location))
    }

    /// Returns the capability to publish and to subscribe.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] where the store has no bus.
    fn require_bus(self: Arc<Self>, user: &str) -> Result<Arc<dyn Bus>> {
        let location = self.location().to_owned();
        let bus =
            "has a bus (as redis:// has without ?protocol=resp2 and without a pool of the app's)";
        self.bus().ok_or_else(|| missing(user, bus, &location))
    }
}

impl<S: Store + ?Sized> StoreExt for S {}

fn missing(user: &str, capability: &str, location: &str) -> Error {
    Error::new(
        "build",
        ErrorKind::Invalid,
        format!(
            "{user} needs a store that {capability}, and {location} does not: use memory:// or \
             redis://"
        ),
    )
}
