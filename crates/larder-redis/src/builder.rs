use std::num::{NonZeroU8, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use bb8_redis::RedisConnectionManager;
use larder_store::{DEFAULT_MAX_VALUE, ManualClock, Result};

use crate::bus::{DEFAULT_SUBSCRIPTIONS, SubscriptionManager};
use crate::connect::{Origin, Servers, check_replicas};
use crate::node::{Limits, Replicas};
use crate::replica_reads::ReplicaReads;
use crate::script::{Scripts, Time};
use crate::store::RedisStore;

/// The options of a [`RedisStore`], each with a default.
///
/// It has no `Debug`: what it is made from may hold a password.
#[must_use]
pub struct RedisBuilder {
    origin: Origin,
    limits: Limits,
    max_staleness: Option<Duration>,
    max_value: usize,
    subscriptions: usize,
    virtual_time: Option<ManualClock>,
}

/// Far above the round trip in a loaded data centre (a few milliseconds), far below what a visitor
/// notices. A page that asks for three things in a row is still answered within a third of a second
/// when the server hangs.
const DEADLINE: Duration = Duration::from_millis(100);

/// Room for name resolution and a handshake that has to be sent twice.
const CONNECT_DEADLINE: Duration = Duration::from_secs(1);

/// More than any server answers within the default deadline is lost anyway; what is below waits a
/// few milliseconds.
const IN_FLIGHT: usize = 4096;

impl RedisBuilder {
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
                deadline: DEADLINE,
                connect_deadline: CONNECT_DEADLINE,
                in_flight: IN_FLIGHT,
                replicas: None,
            },
            max_staleness: None,
            max_value: DEFAULT_MAX_VALUE,
            subscriptions: DEFAULT_SUBSCRIPTIONS,
            virtual_time: None,
        }
    }

    /// How long an operation may take, everything included: waiting for a connection, sending
    /// again, loading a script. 100 ms unless it is set: far above the round trip in a loaded data
    /// centre, far below what a visitor notices. Set it higher for values of many megabytes. A
    /// `deadline_ms` in the URL overrides it: how far its servers are is known where the URL is set.
    ///
    /// It is from 1 ms to 60 s, or [`connect`](Self::connect) gives
    /// [`Invalid`](larder_store::ErrorKind::Invalid): a wait without an end is not to be had.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.limits.deadline = deadline;
        self
    }

    /// How long a connection may take to be made and to be greeted. 1 s unless it is set, and from
    /// 1 ms to 60 s, as [`with_deadline`](Self::with_deadline). A `connect_deadline_ms` in the URL
    /// overrides it.
    pub fn with_connect_deadline(mut self, deadline: Duration) -> Self {
        self.limits.connect_deadline = deadline;
        self
    }

    /// How many operations may be in flight; one more is
    /// [`NotSent`](larder_store::ErrorKind::NotSent). 4,096 unless it is set. One on many keys
    /// counts once. In a cluster it is so many to each node.
    pub fn with_in_flight(mut self, operations: NonZeroUsize) -> Self {
        self.limits.in_flight = operations.get();
        self
    }

    /// Acknowledges a write only once `number` replicas have it, each in its memory. `WAIT` follows
    /// it on its connection, in the same round trip. Not done unless it is set.
    ///
    /// Without it a write is acknowledged as soon as the master has it, and is lost where a replica
    /// takes the master's place that has not heard of it yet. In a network partition the old master
    /// goes on acknowledging until it hears of the new one: 97 of 100 such writes were lost, 63 with
    /// `min-replicas-to-write`, and with `WAIT` for one replica none.
    ///
    /// It holds for `put`, `delete` and `expire`, for programs that write, for commits and
    /// invalidations of leases, and for the forms for many keys, which wait once on each server. Reads
    /// wait for nobody, and neither do claims: a lease that is lost with its master refuses its
    /// commit. It works with one server that has replicas, behind sentinels and on a cluster, where
    /// each master has to have so many.
    ///
    /// # Errors
    /// Where fewer replicas confirm a write within `within`, it is
    /// [`MayHaveRun`](larder_store::ErrorKind::MayHaveRun): it ran on the master and can be read
    /// there, and whether it survives is not known. `settle` tells whether it is there now, and no more than that. To have it
    /// confirmed after all, put the same value again. Nothing is sent again by itself and no lost put
    /// is read back, since newer servers wait for nothing after a command that wrote nothing. For the
    /// same reason an answer that nothing was done (`false`) says what the master has, and not that
    /// replicas have it too.
    ///
    /// `within` is whole milliseconds, at least one and less than the deadline, or
    /// [`connect`](Self::connect) gives [`Invalid`](larder_store::ErrorKind::Invalid). The user needs
    /// `+wait`.
    ///
    /// # Costs
    /// Each write takes one more round trip between the master and the slowest of the `number`
    /// fastest replicas. All that is behind it on the connection waits too, reads as well: there
    /// are as many writes in a second as such round trips follow each other in it, and while
    /// replicas are away each write holds up the others for `within`, until they end at their
    /// deadlines. So give what must survive a store of its own, beside the fast one for all else, and
    /// write many keys at once where you can.
    ///
    /// # Caveats
    /// `WAIT` is no consensus. It makes it much less likely that a write is lost, and not impossible:
    /// a replica may be promoted that was not among those that confirmed (ask for all of them where
    /// that matters), replicas that keep nothing on disk forget it when they restart, and a write
    /// that was not confirmed may well survive. See <https://redis.io/docs/latest/commands/wait/>.
    pub fn with_replicas(mut self, number: NonZeroU8, within: Duration) -> Self {
        self.limits.replicas = Some(Replicas { number, within });
        self
    }

    /// Reads values from replicas that are at most `max_staleness` behind. Not done unless it is set.
    ///
    /// `get`, `get_many` and `ttl` then may not see what **another** store wrote in the last
    /// `max_staleness`; what **this** store wrote they always see. That is measured and not assumed: the
    /// replication offsets of a master and its replicas are compared four times within it, and a replica
    /// that has fallen behind, or cannot say how far it is, is not read. Reads then go to the master,
    /// as do all keys that this store wrote since the last comparison, or within the deadline.
    ///
    /// Everything else is of the master: writes and their conditions, programs, leases and what a claim
    /// finds. So sessions, limits and locks are as exact as ever. It works with one server that has
    /// replicas, behind sentinels and on a cluster. Replicas are found by what the master or the cluster
    /// says of them, and dialed there with the user of the URL, who needs `+info`.
    ///
    /// Use it for a store of its own, for what may be stale anyway: a cache of pages that many read and
    /// few write. Where all processes write what they read, it saves nothing.
    ///
    /// # Errors
    /// [`connect`](Self::connect) gives [`Invalid`](larder_store::ErrorKind::Invalid) for less than
    /// 100 ms, or a pool of the application's (there is no longest staleness); and
    /// [`Refused`](larder_store::ErrorKind::Refused) where the user may not ask for `INFO`. That there are
    /// no replicas is no error: they come and go.
    ///
    /// # Costs
    /// One connection to each replica, and an `INFO replication` to each of them and to each master
    /// four times within `max_staleness`, or once a second where that is less. A replica has half of the
    /// deadline; where it gives no value the master is asked within the rest.
    ///
    /// # Caveats
    /// - A read may see an older value than the read before it did, by `max_staleness` at most.
    /// - A comparison holds for one connection and until the next: a replica that restarts is read again
    ///   once it was compared again, and one that an operator gives to another master, or makes a master
    ///   beside its own, may be read until then.
    /// - While a master is away its replicas are read for as long as they are fresh enough: a longer
    ///   staleness is a longer patience with a failover.
    /// - In a network partition a master that was replaced is as stale as it is without this, and so
    ///   are its replicas.
    /// - Values end by the clock of the replica.
    /// - A machine that is suspended does not count that time: the first reads after it may be older.
    pub fn with_replica_reads(mut self, max_staleness: Duration) -> Self {
        self.max_staleness = Some(max_staleness);
        self
    }

    /// The longest value that is written, in bytes. 16 MiB unless it is set.
    pub fn with_max_value(mut self, bytes: usize) -> Self {
        self.max_value = bytes;
        self
    }

    /// How many subscriptions there may be; one more is
    /// [`Full`](larder_store::Refusal::Full). 10,000 unless it is set. One to several channels and
    /// topics counts for each of them.
    pub fn with_subscriptions(mut self, number: usize) -> Self {
        self.subscriptions = number;
        self
    }

    /// Runs programs by `clock` in place of the server's. **For tests.**
    ///
    /// `now()` is the time of the clock. TTLs that programs set end by it too, and each key that a
    /// program leaves without one makes the call fail. Values are not concerned: those of `put`
    /// still end by the server's clock. Each call takes one more round trip.
    pub fn with_virtual_time(mut self, clock: ManualClock) -> Self {
        self.virtual_time = Some(clock);
        self
    }

    /// Connects, and greets the server.
    ///
    /// It does not wait for a server that is not there: a store that cannot work is found when the
    /// app starts. It ends within about the connect deadline. What is lost later comes back by
    /// itself.
    ///
    /// The store belongs to the tokio runtime in which this is called, which drives its connection
    /// and dials it again. When that runtime has ended, every operation fails at once with
    /// [`NotSent`](larder_store::ErrorKind::NotSent): make the store in the runtime that uses it.
    ///
    /// # Errors
    /// Each names the server, without user and password, and the fix.
    ///
    /// - [`Invalid`](larder_store::ErrorKind::Invalid): the URL is none, or the server is no Redis, too old, a sentinel,
    ///   or has no such database; or it is one of a cluster where the URL says that it is not, or
    ///   the other way round; or a deadline is not from 1 ms to 60 s; or replicas have as long as the
    ///   deadline to confirm a write, or may be read and cannot be.
    /// - [`NotSent`](larder_store::ErrorKind::NotSent): nobody answers. Of a cluster one seed and one master are enough.
    /// - [`Refused`](larder_store::ErrorKind::Refused): the password is missing or wrong, the server is not ready, or the
    ///   user may not `WAIT` where replicas are to confirm, or ask for `INFO` where they are read.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn connect(self) -> Result<RedisStore> {
        let mut limits = self.limits;
        let servers = Servers::named_by(self.origin, &mut limits)?;
        limits.check()?;
        if let Some(most) = self.max_staleness {
            ReplicaReads::check(most)?;
        }
        let (route, template) = servers.connect(limits).await?;
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
            route: Arc::new(route),
            replica_reads,
            scripts: Scripts::new(time),
            max_value: self.max_value,
            virtual_time: self.virtual_time,
        })
    }
}

/// Every public future of this crate can be spawned: it does not compile otherwise.
const _: fn() = || {
    fn can_be_spawned<A, F: Future + Send>(_: impl FnOnce(A) -> F) {}
    can_be_spawned::<&str, _>(RedisStore::connect);
    can_be_spawned(RedisBuilder::connect);
};
