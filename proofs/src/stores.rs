//! Every store, empty, as the laws want it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::{ManualClock, Namespace, Prefixed, Space, Store};
use larder_test::server::{
    AclUser, CertificateAuthority, RedisCluster, RedisNode, RedisOptions, RedisSentinels,
    RedisServer, Sandbox, TlsOptions,
};
use larder_test::{Fixture, ManualFixture};

/// The namespace of the prefixed stores.
const ENVIRONMENT: &str = "prod";
const APP: &str = "app";

/// What an app's user needs on a server besides the keys and channels of its namespace: no command
/// that is dangerous but for the two by which a connection that hangs is cleared away.
pub const ACL: &str = "+@read +@write +@pubsub +@connection +eval +evalsha +time -@dangerous \
                       +client|info +client|kill";

/// Servers of some form, and how to reach a store on them.
pub enum Servers {
    /// None: a store in this process.
    Here(fn() -> ManualFixture),
    /// One.
    One(RedisServer),
    /// One that speaks TLS alone, with a user who may name the keys of one namespace.
    Narrow(Box<Narrow>),
    /// A cluster.
    Cluster(RedisCluster),
    /// A master, and who watches it.
    Sentinels(RedisSentinels),
}

/// See [`Servers::Narrow`].
pub struct Narrow {
    server: RedisServer,
    url: String,
    _ca: Sandbox,
}

impl Servers {
    /// A single server.
    #[must_use]
    pub fn one() -> Self {
        Self::One(RedisServer::start().expect("a redis-server"))
    }

    /// A single server by TLS, and a narrow user.
    #[must_use]
    pub fn narrow() -> Self {
        let authority = CertificateAuthority::new().expect("a certificate authority");
        let prefix = format!("{ENVIRONMENT}:{APP}:");
        let user = AclUser::new("app", "open sesame")
            .with_key_prefix(&*prefix)
            .with_channel_prefix(&*prefix)
            .with_commands(ACL)
            .with_commands(topics(&prefix));
        let server = RedisOptions::new()
            .with_tls(TlsOptions::new(&authority))
            .with_password("of the house")
            .with_acl_user(user)
            .start()
            .expect("a redis-server with TLS");
        let ca = Sandbox::new().expect("a directory");
        let file = ca.path().join("ca.pem");
        std::fs::write(&file, authority.certificate_pem()).expect("a file");
        let url = format!(
            "{}?ca={}",
            server.url_as("app", "open sesame"),
            file.display()
        );
        Self::Narrow(Box::new(Narrow {
            server,
            url,
            _ca: ca,
        }))
    }

    /// A cluster.
    #[must_use]
    pub fn cluster() -> Self {
        Self::Cluster(RedisCluster::start().expect("a cluster"))
    }

    /// Sentinels.
    #[must_use]
    pub fn sentinels() -> Self {
        Self::Sentinels(RedisSentinels::start().expect("sentinels"))
    }

    /// Where a store finds them.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Self::Here(_) => "memory://".to_owned(),
            Self::One(server) => server.url(),
            Self::Narrow(narrow) => narrow.url.clone(),
            Self::Cluster(cluster) => cluster.url(),
            Self::Sentinels(sentinels) => sentinels.url(),
        }
    }

    /// Empties them, and makes a store on them.
    pub async fn fixture(&self, is_prefixed: bool) -> Box<dyn Fixture> {
        if let Self::Here(make) = self {
            return Box::new(make());
        }
        self.empty();
        // Deadlines are long: a law is about answers, and a machine may be busy.
        let builder = RedisStore::builder(&self.url())
            .with_deadline(Duration::from_secs(10))
            .with_connect_deadline(Duration::from_secs(10));
        let store = Arc::new(builder.connect().await.expect("a connection"));
        Box::new(OnServers(match is_prefixed {
            true => Arc::new(Prefixed::new(namespace(), store)),
            false => store,
        }))
    }

    fn empty(&self) {
        let flush = ["FLUSHALL"];
        let flush_node = |node: &RedisNode| node.command(&flush).map(drop);
        let done = match self {
            Self::Here(_) => Ok(()),
            Self::One(server) => server.command(&flush).map(drop),
            Self::Narrow(narrow) => narrow.server.command(&flush).map(drop),
            Self::Cluster(cluster) => cluster.masters().into_iter().try_for_each(flush_node),
            Self::Sentinels(sentinels) => sentinels.master().and_then(flush_node),
        };
        done.expect("servers that can be emptied");
    }
}

struct OnServers(Arc<dyn Store>);

#[async_trait]
impl Fixture for OnServers {
    fn store(&self) -> Arc<dyn Store> {
        self.0.clone()
    }

    async fn advance(&self, by: Duration) {
        tokio::time::sleep(by).await;
    }

    fn slack(&self) -> Duration {
        Duration::from_millis(20)
    }
}

/// A store in process, by a clock that is moved by hand.
pub fn moka() -> ManualFixture {
    let clock = ManualClock::default();
    let store = MokaStore::builder().with_clock(clock.clone()).build();
    ManualFixture::new(store, clock)
}

/// [`moka`], in its space that may evict.
pub fn evictable_moka() -> ManualFixture {
    moka().in_space(Space::Evictable)
}

/// [`moka`], inside a namespace.
pub fn prefixed_moka() -> ManualFixture {
    let clock = ManualClock::default();
    let store = MokaStore::builder().with_clock(clock.clone()).build();
    ManualFixture::new(Prefixed::new(namespace(), Arc::new(store)), clock)
}

/// Who listens to all of a topic needs its very pattern: the server compares patterns as texts.
fn topics(prefix: &str) -> String {
    let inner = ["", "law:mine:", "law:other:"];
    let topics = inner.iter().flat_map(|inner| {
        let topic = move |topic| format!("&{prefix}{inner}{topic}:{{*}}");
        ["law-film", "law-films"].map(topic)
    });
    topics.collect::<Vec<_>>().join(" ")
}

fn namespace() -> Namespace {
    Namespace::new(ENVIRONMENT, APP).expect("a namespace")
}
