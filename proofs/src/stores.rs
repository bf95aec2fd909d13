//! Every store, empty, as the laws want it.

use std::sync::Arc;
use std::time::Duration;

use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::{ManualClock, Namespace, Prefixed, Shard, Sharded, Space, Store};
use larder_test::server::{RedisCluster, RedisNode, RedisSentinels, RedisServer};
use larder_test::{Fixture, ManualFixture, RealTimeFixture};

use crate::narrow::Narrow;

/// The namespace of the prefixed stores.
pub(crate) const ENVIRONMENT: &str = "prod";
pub(crate) const APP: &str = "app";

/// Servers of some form, and how to reach a store on them.
pub enum Servers {
    /// None: a store in this process.
    Here(fn() -> ManualFixture),
    /// One.
    One(RedisServer),
    /// A cluster.
    Cluster(RedisCluster),
    /// A master, and who watches it.
    Sentinels(RedisSentinels),
    /// A cluster, of which replicas are read too.
    ReadReplicas(RedisCluster),
    /// Two, over which the keys are spread.
    Shards(Box<[RedisServer; 2]>),
    /// Those by TLS, for a user who may name the keys of one namespace.
    Narrow(Box<Narrow>),
}

impl Servers {
    /// Starts a single server.
    #[must_use]
    pub fn one() -> Self {
        Self::One(RedisServer::start().expect("a redis-server"))
    }

    /// Starts a cluster.
    #[must_use]
    pub fn cluster() -> Self {
        Self::Cluster(RedisCluster::start().expect("a cluster"))
    }

    /// Starts a cluster whose replicas are read too.
    #[must_use]
    pub fn read_replicas() -> Self {
        Self::ReadReplicas(RedisCluster::start().expect("a cluster"))
    }

    /// Starts two servers over which the keys are spread.
    #[must_use]
    pub fn shards() -> Self {
        let servers = [(); 2].map(|()| RedisServer::start().expect("a redis-server"));
        Self::Shards(Box::new(servers))
    }

    /// Sentinels.
    #[must_use]
    pub fn sentinels() -> Self {
        Self::Sentinels(RedisSentinels::start().expect("sentinels"))
    }

    /// Returns the URL of the servers.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Self::Here(_) => "memory://".to_owned(),
            Self::One(server) => server.url(),
            Self::Narrow(narrow) => narrow.url().to_owned(),
            Self::Cluster(cluster) | Self::ReadReplicas(cluster) => cluster.url(),
            Self::Sentinels(sentinels) => sentinels.url(),
            Self::Shards(servers) => servers.each_ref().map(|it| it.url()).join(","),
        }
    }

    /// Empties them, and makes a store on them.
    pub async fn fixture(&self, is_prefixed: bool) -> Box<dyn Fixture> {
        if let Self::Here(make) = self {
            return Box::new(make());
        }
        self.empty();
        let store: Arc<dyn Store> = match self {
            Self::Shards(servers) => {
                let [one, other] = &**servers;
                let one = Shard::new("one", self.connect(&one.url()).await);
                let other = Shard::new("other", self.connect(&other.url()).await);
                Arc::new(Sharded::new([one, other]).expect("two shards"))
            }
            _ => self.connect(&self.url()).await,
        };
        Box::new(RealTimeFixture::new(match is_prefixed {
            true => Arc::new(Prefixed::new(namespace(), store)),
            false => store,
        }))
    }

    async fn connect(&self, url: &str) -> Arc<dyn Store> {
        // Deadlines are long: a law is about answers, and a machine may be busy.
        let builder = RedisStore::builder(url)
            .with_timeout(Duration::from_secs(10))
            .with_connect_timeout(Duration::from_secs(10));
        let builder = match self {
            // A key is read from a replica only once its last write must have ended.
            Self::ReadReplicas(_) => builder
                .with_timeout(Duration::from_millis(500))
                .with_replica_reads(Duration::from_millis(100)),
            _ => builder,
        };
        Arc::new(builder.connect().await.expect("a connection"))
    }

    fn empty(&self) {
        let flush = ["FLUSHALL"];
        let flush_node = |node: &RedisNode| node.command(&flush).map(drop);
        let done = match self {
            Self::Here(_) => Ok(()),
            Self::One(server) => server.command(&flush).map(drop),
            Self::Shards(servers) => {
                let flush_one = |server: &RedisServer| server.command(&flush).map(drop);
                servers.iter().try_for_each(flush_one)
            }
            Self::Narrow(narrow) => return narrow.servers().empty(),
            Self::Cluster(cluster) | Self::ReadReplicas(cluster) => {
                cluster.masters().into_iter().try_for_each(flush_node)
            }
            Self::Sentinels(sentinels) => sentinels.master().and_then(flush_node),
        };
        done.expect("servers that can be emptied");
    }
}

/// Returns a store in process, by a clock that is moved by hand.
pub fn moka() -> ManualFixture {
    let clock = ManualClock::default();
    let store = MokaStore::builder().with_clock(clock.clone()).build();
    ManualFixture::new(store, clock)
}

/// [`moka()`], in its space that may evict.
pub fn evictable_moka() -> ManualFixture {
    moka().in_space(Space::Evictable)
}

/// [`moka()`], inside a namespace.
pub fn prefixed_moka() -> ManualFixture {
    let clock = ManualClock::default();
    let store = MokaStore::builder().with_clock(clock.clone()).build();
    ManualFixture::new(Prefixed::new(namespace(), Arc::new(store)), clock)
}

fn namespace() -> Namespace {
    Namespace::new(ENVIRONMENT, APP).expect("a namespace")
}
