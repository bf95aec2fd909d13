mod requests;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use larder_store::bus::Bus;
use larder_store::lease::Leases;
use larder_store::program::Programs;
use larder_store::scan::Scan;
use larder_store::wait::Waits;
use larder_store::{
    Content, Delete, DeleteOutcome, Entry, ExpireOutcome, Key, ManualClock, Put, PutOutcome,
    Result, Store, Ttl,
};

use crate::builder::RedisStoreBuilder;
use crate::bus::{RedisBus, SubscriptionManager};
use crate::commands;
use crate::operation::{Repeat, Request};
use crate::replica_reads::ReplicaReads;
use crate::route::Route;
use crate::script::{Scripts, Tell};

/// Implements [`Store`] on Redis or Valkey: one server, a cluster, or a master behind sentinels.
///
/// Every operation ends within the timeout, whatever the server does; only pages of a scan, and calls that
/// wait for others (`follow`, waiters), take longer. A dropped connection is replaced at once. A connection
/// on which five operations in a row get no answer within the timeout is given up. If callers drop their
/// futures sooner, the store pings it after five of them, and gives it up if no answer comes within the
/// timeout (at most a second). Without a connection, operations fail within a millisecond with
/// [`NotSent`](larder_store::ErrorKind::NotSent). No restart is needed when the server comes back.
///
/// # Order
/// All commands share one connection, so those of one key run in the order in which they were sent. A broken
/// connection is closed at both ends before the next one serves: here, with the commands not yet sent, and by
/// `CLIENT KILL` at the server, with those not yet read. No connection serves before the server has confirmed
/// that, however many break in between. So a write without an answer never runs after one that was sent later and
/// was answered.
///
/// The server's end stays open if the user may not run `CLIENT INFO` and `CLIENT KILL`, if a proxy answers instead
/// of the server, if a connection over a Unix socket was dropped, and on [a pool of the app's
/// own](crate::redis::from_pool). There a write whose answer was lost may still run, as long as its bytes are
/// buffered somewhere.
///
/// Sent again after a lost answer: reads, renewals and invalidations of leases, and programs that are declared
/// idempotent. A put or commit is never sent twice; if its connection was dropped, its version is read back within
/// the timeout, and the error is [`MayHaveRun`](larder_store::ErrorKind::MayHaveRun) only if it is not there. A
/// delete and an `expire` are never sent twice either, because the second run might affect a value that another
/// client wrote after the first.
/// A write that is refused when it is sent again is [`MayHaveRun`](larder_store::ErrorKind::MayHaveRun) with the
/// refusal as its source: the first run may have been carried out.
///
/// # Clusters
/// Each node of a cluster has its own connection, timeout and limit of operations in flight, so a
/// lost shard does not hurt the others. The guarantees above hold for each node.
///
/// - An id has one slot, whatever the kind and the part: only the id is hashed.
/// - Many keys are split by node and sent concurrently: one round trip to each node.
/// - An operation that a node redirects follows at once, even if it must run only once: the node has not run it. A
///   lost answer never causes a second attempt elsewhere.
/// - A promoted replica is found without a restart, usually within half a second after it takes
///   writes.
/// - While a slot moves, operations on a record of several keys wait if some of them do not exist:
///   both nodes refuse them until it has moved.
/// - Operations on a slot without a node are refused as not ready. Unless
///   `cluster-require-full-coverage` is `no`, the servers then refuse every key.
///
/// Dropping the store closes its connections and ends its tasks.
pub struct RedisStore {
    /// Every operation begins here, with its key.
    pub(crate) route: Arc<Route>,
    /// None if the server cannot push.
    pub(crate) subscriptions: Option<Arc<SubscriptionManager>>,
    /// None if all reads go to masters.
    pub(crate) replica_reads: Option<ReplicaReads>,
    pub(crate) scripts: Scripts,
    pub(crate) max_value: usize,
    pub(crate) virtual_time: Option<ManualClock>,
}

impl RedisStore {
    /// Connects with the default options; see [`builder`](Self::builder).
    ///
    /// The store belongs to the tokio runtime in which this is called: once that has shut down,
    /// every operation fails at once with [`NotSent`](larder_store::ErrorKind::NotSent).
    ///
    /// # Errors
    /// Those of [`RedisStoreBuilder::connect`].
    pub async fn connect(url: &str) -> Result<Self> {
        Self::builder(url).connect().await
    }

    /// Returns the options of a store at `url`.
    ///
    /// `redis://[[user]:password@]host[:port][/database]` is one server,
    /// `unix:///path[?user=…&pass=…&db=…]` one server by its socket. `valkey://` and
    /// `redis+unix://` are accepted too.
    ///
    /// A user name needs a password part, if only an empty one (`user:@`, `user=…&pass=`). In a user, a password
    /// and a parameter write `%`, `#`, `/`, `?`, `@`, `:` and `&` as `%25`, `%23`, `%2F`, `%3F`, `%40`, `%3A` and
    /// `%26`; all other characters are literal.
    ///
    /// `redis+cluster://[[user]:password@]host[:port],host[:port],…` is a cluster. The hosts are
    /// seeds, of which one must answer. Its other nodes must be reachable at the addresses that the
    /// cluster announces.
    ///
    /// `redis+sentinel://[[user]:password@]host[:port],…/name-of-the-master[/database]` is the master
    /// that these sentinels name; their default port is 26379. The user is that of the master;
    /// `?sentinel_user=…&sentinel_pass=…` is that of the sentinels.
    ///
    /// `rediss://`, `rediss+cluster://` and `rediss+sentinel://` use TLS, with the feature `tls`.
    /// `?ca=/path/to/ca.pem` names the CA of the servers instead of those of the system, and
    /// `?cert=…&key=…` a client certificate.
    ///
    /// `?timeout_ms=250&connect_timeout_ms=2000` sets the two timeouts, from 1 to 60,000 ms
    /// each. `?protocol=resp2` is for a proxy that does not support `HELLO`.
    pub fn builder(url: &str) -> RedisStoreBuilder {
        RedisStoreBuilder::at(url)
    }

    /// Returns how scripts on these servers wake waiters.
    pub(crate) fn tell(route: &Route) -> Tell {
        match route {
            Route::One(_) => Tell::Publish,
            Route::Cluster(_) => Tell::ShardPublish,
        }
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        key.require(Content::Value, "get")?;
        let value = self.ask("get", key, commands::get(key)).await?;
        commands::entry("get", key, value)
    }

    async fn put(&self, put: &Put) -> Result<PutOutcome> {
        put.key().require(Content::Value, "put")?;
        commands::check_size("put", put, self.max_value)?;
        let operation = self.begin_write(Request::write("put"), put.key()).await?;
        let written = self.once(&operation, |named| commands::put(put, named));
        match written.await {
            Ok(value) => commands::outcome("put", &value),
            // Boxed like everything rare, so that the future of the common case stays small.
            Err(error) => Box::pin(self.settle(&operation, "put", put, error)).await,
        }
    }

    async fn delete(&self, delete: &Delete) -> Result<DeleteOutcome> {
        delete.key().require(Content::Value, "delete")?;
        if !commands::may_delete(delete) {
            return Ok(DeleteOutcome::NotDeleted);
        }
        let request = Request::write("delete");
        let operation = self.begin_write(request, delete.key()).await?;
        let command = |named| commands::delete(delete, named);
        let value = self.once(&operation, command).await?;
        commands::outcome("delete", &value)
    }

    async fn expire(&self, key: &Key, ttl: Ttl) -> Result<ExpireOutcome> {
        key.require(Content::Value, "expire")?;
        let operation = self.begin_write(Request::write("expire"), key).await?;
        // Never repeated: in the meantime another caller may have written a value with a longer TTL.
        let command = commands::expire(key, ttl);
        let value = operation.send(&command, Repeat::Never).await?;
        commands::outcome("expire", &value)
    }

    async fn ttl(&self, key: &Key) -> Result<Option<Ttl>> {
        key.require(Content::Value, "ttl")?;
        let value = self.ask("ttl", key, commands::ttl(key)).await?;
        commands::remaining("ttl", &value)
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        self.get_all(keys).await
    }

    async fn put_many(&self, puts: &[Put]) -> Vec<Result<PutOutcome>> {
        self.put_all(puts).await
    }

    async fn delete_many(&self, deletes: &[Delete]) -> Vec<Result<DeleteOutcome>> {
        self.delete_all(deletes).await
    }

    fn location(&self) -> &str {
        self.route.location()
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

    fn waits(self: Arc<Self>) -> Option<Arc<dyn Waits>> {
        Some(self)
    }

    fn bus(self: Arc<Self>) -> Option<Arc<dyn Bus>> {
        Some(Arc::new(RedisBus {
            route: self.route.clone(),
            subscriptions: self.subscriptions.clone()?,
        }))
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("location", &self.route.location())
            .field("limits", self.route.limits())
            .field("max_value", &self.max_value)
            .field("virtual_time", &self.virtual_time)
            .finish_non_exhaustive()
    }
}
