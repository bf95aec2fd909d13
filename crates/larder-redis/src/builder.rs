use std::fmt;
use std::num::{NonZeroU8, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use bb8_redis::RedisConnectionManager;
use larder_store::{DEFAULT_MAX_VALUE, ManualClock, Result};

use crate::bus::{DEFAULT_SUBSCRIPTIONS, SubscriptionManager};
use crate::connect::{Origin, Servers, check_replicas};
use crate::features;
use crate::node::{Confirmation, Limits};
use crate::replica_reads::ReplicaReads;
use crate::script::{Scripts, Time};
use crate::store::RedisStore;

/// Builds a [`RedisStore`] from options, all of which have defaults.
///
/// `Debug` shows neither the URL, which may hold a password, nor the servers.
///
/// ```no_run
/// use std::num::NonZeroU8;
/// use std::time::Duration;
///
/// use larder_redis::RedisStore;
///
/// # async fn example() -> larder_store::Result<()> {
/// let store = RedisStore::builder("redis://127.0.0.1:6379")
///     .with_timeout(Duration::from_millis(250))
///     .with_replicas(NonZeroU8::MIN, Duration::from_millis(100))
///     .connect()
///     .await?;
/// # let _ = store;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct RedisStoreBuilder {
    origin: Origin,
    limits: Limits,
    max_staleness: Option<Duration>,
    max_value: usize,
    subscriptions: usize,
    virtual_time: Option<ManualClock>,
}

/// The default timeout, far above a round trip and far below what a visitor notices.
///
/// A page that makes three calls in a row is still answered within a third of a second when the server
/// hangs.
const TIMEOUT: Duration = Duration::from_millis(100);

/// Leaves room for name resolution and a handshake that must be sent twice.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The default maximum of operations in flight: more than a server can answer in time.
const IN_FLIGHT: usize = 4096;

impl RedisStoreBuilder {
    pub(crate) fn at(url: &str) -> Self {
        Self::new(Origin::Url(url.to_owned()))
    }

    pub(crate) fn on(pool: bb8::Pool<RedisConnectionManager>) -> Self {
        Self::new(Origin::Pool(pool))
    }

    fn new(origin: Origin) -> Self {
        Self {
            origin,
            limits: Limits {
                timeout: TIMEOUT,
                connect_timeout: CONNECT_TIMEOUT,
                in_flight: IN_FLIGHT,
                replicas: None,
            },
            max_staleness: None,
            max_value: DEFAULT_MAX_VALUE,
            subscriptions: DEFAULT_SUBSCRIPTIONS,
            virtual_time: None,
        }
    }

    /// Sets the timeout of one operation. Default: 100 ms.
    ///
    /// It covers everything: waiting for a connection, sending again, loading a script. The default is
    /// far above the round trip in a loaded data centre, and far below what a visitor notices. Raise it
    /// for values of many megabytes. A `timeout_ms` in the URL overrides it, because the URL
    /// is configured where the distance to the servers is known.
    ///
    /// It must be from 1 ms to 60 s; otherwise [`connect`](Self::connect) returns
    /// [`Invalid`](larder_store::ErrorKind::Invalid).
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = timeout;
        self
    }

    /// Sets the timeout of a connection attempt, including the handshake. Default: 1 s.
    ///
    /// It must be from 1 ms to 60 s, as for [`with_timeout`](Self::with_timeout). A
    /// `connect_timeout_ms` in the URL overrides it.
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.limits.connect_timeout = timeout;
        self
    }

    /// Limits the operations in flight to each server. Default: 4,096.
    ///
    /// Any further operation returns [`NotSent`](larder_store::ErrorKind::NotSent). An operation on many
    /// keys counts once. In a cluster the limit applies to each node.
    pub fn with_max_in_flight(mut self, operations: NonZeroUsize) -> Self {
        self.limits.in_flight = operations.get();
        self
    }

    /// Acknowledges a write only once `number` replicas have it in memory. Off by default.
    ///
    /// `WAIT` follows each write on its connection, in the same round trip. Without this option a
    /// write is acknowledged as soon as the master has it, and it is lost if a replica without it
    /// is promoted. In a network partition the old master keeps acknowledging until it learns of
    /// the new one: 97 of 100 such writes were lost, 63 with `min-replicas-to-write`, and none with
    /// `WAIT` for one replica.
    ///
    /// It applies to `put`, `delete` and `expire`, to programs that write, to commits and
    /// invalidations of leases, and to their forms for many keys, which wait once on each server.
    /// Reads and messages do not wait, and neither do claims, renewals and abandons: a lease that is
    /// lost with its master refuses its commit. It works with one server that has replicas, behind
    /// sentinels and on a cluster, where each master needs that many replicas.
    ///
    /// `within` must be at least 1 ms and less than the timeout; otherwise
    /// [`connect`](Self::connect) returns [`Invalid`](larder_store::ErrorKind::Invalid). It is
    /// rounded down to whole milliseconds. The user needs `+wait`.
    ///
    /// # Errors
    /// If fewer replicas confirm a write within `within`, the operation returns
    /// [`MayHaveRun`](larder_store::ErrorKind::MayHaveRun): the write ran on the master and can be read
    /// there, but it may not survive a failover. `settle` only returns whether it is there now. To get
    /// it confirmed after all, put the same value again. Nothing is sent again automatically and no lost
    /// put is read back, because newer servers do not wait after a command that wrote nothing. For the
    /// same reason an outcome such as `NotStored` describes only the master, not its replicas: there was
    /// nothing to confirm. Any program that is not declared to read counts as a write.
    ///
    /// # Costs
    /// Each write takes one more round trip between the master and the slowest of the `number` fastest
    /// replicas. Everything behind it on the connection waits too, including reads. While replicas are
    /// down, each write holds up the others for `within`, until they reach their deadlines. So use a
    /// separate store for data that must survive, and write many keys at once where you can.
    ///
    /// # Caveats
    /// `WAIT` is not consensus. It makes the loss of a write much less likely, but not impossible:
    /// a replica that did not confirm may be promoted (ask for all of them if that matters),
    /// replicas without persistence forget a write when they restart, and a write that was not
    /// confirmed may still survive. See <https://redis.io/docs/latest/commands/wait/>.
    pub fn with_replicas(mut self, number: NonZeroU8, within: Duration) -> Self {
        self.limits.replicas = Some(Confirmation { number, within });
        self
    }

    /// Reads values from replicas that are at most `max_staleness` behind. Off by default.
    ///
    /// `get`, `get_many` and `ttl` may then miss writes of **another** store in the last
    /// `max_staleness`, but never those of **this** store. Staleness is measured, not assumed: the
    /// replication offsets of a master and its replicas are compared at least four times within
    /// `max_staleness`, and a replica that is further behind, or whose offset is unknown, is not read.
    /// Such reads go to the master. So do reads of a key that this store has written, until a comparison
    /// that began at least one timeout after the write.
    ///
    /// Everything else stays with the master: writes and their conditions, programs, leases and the
    /// values that a claim finds, and reads of a kind
    /// [with consistent reads](larder_store::Kind::with_consistent_reads). So sessions, limits and locks are
    /// as exact as before, and so are purges of responses. It works with one server that has replicas,
    /// behind sentinels and on a cluster. Replicas are found in the report of the master or the cluster,
    /// and dialed with the user of the URL, who needs `+info`.
    ///
    /// Use it for a separate store of data that may be stale, such as pages that many read and few
    /// write. It saves nothing if every process writes what it reads.
    ///
    /// # Errors
    /// [`connect`](Self::connect) returns [`Invalid`](larder_store::ErrorKind::Invalid) for less than
    /// 100 ms and for a pool of the app's own, and [`Refused`](larder_store::ErrorKind::Refused) if the
    /// user may not run `INFO`. There is no upper bound. Having no replicas is not an error: they come
    /// and go.
    ///
    /// # Costs
    /// One connection to each replica, up to 16 of each master, and an `INFO replication` to each of
    /// them and to each master at least four times within `max_staleness`, and at least once a second. A
    /// replica has half of the timeout; if it gives no value, the master is asked within the rest.
    ///
    /// # Caveats
    /// - A read may return an older value than the read before it, by at most `max_staleness`.
    /// - A comparison holds for one connection and until the next comparison. A replica that
    ///   restarts is read again after the next comparison. One that an operator attaches to another
    ///   master, or promotes while its own master still runs, may be read until then.
    /// - While a master is down its replicas are read for as long as they are fresh enough, so a
    ///   longer staleness covers longer failovers.
    /// - In a network partition a replaced master is as stale as without this option, and so are
    ///   its replicas.
    /// - Values expire by the clock of the replica.
    /// - A suspended machine does not count that time: the first reads after it may be older.
    pub fn with_replica_reads(mut self, max_staleness: Duration) -> Self {
        self.max_staleness = Some(max_staleness);
        self
    }

    /// Limits the length of a written value, in bytes. Default: 16 MiB.
    ///
    /// A longer value returns [`TooLarge`](larder_store::ErrorKind::TooLarge).
    pub fn with_max_value(mut self, bytes: usize) -> Self {
        self.max_value = bytes;
        self
    }

    /// Limits the number of subscriptions. Default: 10,000.
    ///
    /// Any further subscription returns [`Full`](larder_store::Refusal::Full). A subscription to several
    /// channels and topics counts once for each of them.
    pub fn with_max_subscriptions(mut self, number: usize) -> Self {
        self.subscriptions = number;
        self
    }

    /// Runs programs and leases by `clock` instead of the server's clock. **For tests.**
    ///
    /// `now()` returns the time of `clock`. TTLs that programs set follow it too, and a call fails
    /// if its program leaves a key without a TTL. Values of `put` and `commit` still expire by the
    /// server's clock. Each call of a program takes one more round trip.
    pub fn with_virtual_time(mut self, clock: ManualClock) -> Self {
        self.virtual_time = Some(clock);
        self
    }

    /// Connects to the servers and checks that larder can work with them.
    ///
    /// It logs which commands the server refuses that larder can do without, such as `CLIENT KILL`, and
    /// which feature is lost.
    ///
    /// It does not wait for a server that is down, so a store that cannot work is found when the
    /// app starts: without an answer it ends within about the connect timeout. The masters of a cluster
    /// whose seeds answer, and each check of a server that answers, may take as long again. A connection
    /// that is lost later is replaced automatically.
    ///
    /// The store belongs to the tokio runtime that this is called in, which drives and replaces its
    /// connections. Once that runtime has shut down, every operation fails at once with
    /// [`NotSent`](larder_store::ErrorKind::NotSent).
    ///
    /// # Errors
    /// Each error names the server, without user and password, and the fix.
    ///
    /// - [`Invalid`](larder_store::ErrorKind::Invalid): the URL does not parse; the server is not
    ///   Redis, is too old, is a sentinel, or lacks the database; the URL names one server and
    ///   finds a cluster, or the other way round; a timeout is not from 1 ms to 60 s; or the
    ///   options for replicas do not fit.
    /// - [`NotSent`](larder_store::ErrorKind::NotSent): no server answers. Of a cluster one seed
    ///   and one master are enough.
    /// - [`Refused`](larder_store::ErrorKind::Refused): the password is missing or wrong, the
    ///   server is not ready or runs no scripts, or the user lacks `WAIT` or `INFO` and the options need
    ///   them.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn connect(self) -> Result<RedisStore> {
        let mut limits = self.limits;
        let servers = Servers::named_by(self.origin, &mut limits)?;
        limits.check()?;
        if let Some(most) = self.max_staleness {
            ReplicaReads::check(most)?;
        }
        let (route, template) = servers.connect(limits).await?;
        features::check(&route).await?;
        if let Some(replicas) = limits.replicas {
            check_replicas(&route, replicas).await?;
        }
        let replica_reads = match self.max_staleness {
            Some(most) => Some(ReplicaReads::start(&route, template, most).await?),
            None => None,
        };
        let time = match self.virtual_time {
            Some(_) => Time::Virtual,
            None => Time::Server,
        };
        Ok(RedisStore {
            subscriptions: SubscriptionManager::start(&route, self.subscriptions),
            scripts: Scripts::new(time, RedisStore::tell(&route)),
            route: Arc::new(route),
            replica_reads,
            max_value: self.max_value,
            virtual_time: self.virtual_time,
        })
    }
}

impl fmt::Debug for RedisStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStoreBuilder")
            .field("limits", &self.limits)
            .field("max_staleness", &self.max_staleness)
            .field("max_value", &self.max_value)
            .field("max_subscriptions", &self.subscriptions)
            .finish_non_exhaustive()
    }
}

/// Checks at compile time that every public future of this crate can be spawned.
const _: fn() = || {
    fn can_be_spawned<A, F: Future + Send>(_: impl FnOnce(A) -> F) {}
    can_be_spawned::<&str, _>(RedisStore::connect);
    can_be_spawned(RedisStoreBuilder::connect);
};

#[cfg(test)]
mod tests {
    use super::RedisStoreBuilder;

    #[test]
    fn a_builder_shows_its_settings_and_no_password() {
        let shown = format!(
            "{:?}",
            RedisStoreBuilder::at("redis://ann:hunter2@db.example")
        );
        assert!(shown.contains("timeout: 100ms"), "{shown}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("ann"),
            "{shown}"
        );
    }
}
