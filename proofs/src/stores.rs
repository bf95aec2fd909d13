//! Every store, empty, as the laws want it.

use std::sync::Arc;
use std::time::Duration;

use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::{ManualClock, Namespace, Prefixed, Space};
use larder_test::server::{
    CertificateAuthority, ClusterOptions, RedisCluster, RedisNode, RedisOptions, RedisSentinels,
    RedisServer, Sandbox, SentinelOptions, TlsOptions,
};
use larder_test::{Fixture, ManualFixture, RealTimeFixture};

/// The namespace of the prefixed stores.
const ENVIRONMENT: &str = "prod";
const APP: &str = "app";

/// What users may do, as the page for those who run servers has it, in lines to paste.
const PAGE: &str = include_str!("../../docs/running-redis.md");
const PASSWORD: &str = "open-sesame";

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
    /// Those, for a user who may name the keys of one namespace.
    Narrow(Box<Narrow>),
}

/// See [`Servers::Narrow`].
pub struct Narrow {
    servers: Servers,
    url: String,
    _files: Option<Sandbox>,
}

impl Servers {
    /// A single server.
    #[must_use]
    pub fn one() -> Self {
        Self::One(RedisServer::start().expect("a redis-server"))
    }

    /// A single server that speaks TLS alone, and a narrow user.
    #[must_use]
    pub fn narrow() -> Self {
        let authority = CertificateAuthority::new().expect("a certificate authority");
        let server = with_app("On one server")
            .with_tls(TlsOptions::new(&authority))
            .with_password("of the house")
            .start()
            .expect("a redis-server with TLS");
        let files = Sandbox::new().expect("a directory");
        let file = files.path().join("ca.pem");
        std::fs::write(&file, authority.certificate_pem()).expect("a file");
        let url = server.url_as("app", PASSWORD);
        let url = format!("{url}?ca={}", file.display());
        Self::for_user(Self::One(server), url, Some(files))
    }

    /// A cluster, and a narrow user.
    #[must_use]
    pub fn narrow_cluster() -> Self {
        let nodes = with_app("On each node of a cluster");
        let cluster = ClusterOptions::new().with_nodes(nodes).start();
        let cluster = cluster.expect("a cluster");
        let url = as_app(&cluster.url());
        Self::for_user(Self::Cluster(cluster), url, None)
    }

    /// Sentinels with a narrow user of their own, and a narrow user of their servers.
    #[must_use]
    pub fn narrow_sentinels() -> Self {
        let servers = with_app("On each server behind sentinels");
        let sentinels = SentinelOptions::new().with_servers(servers).start();
        let sentinels = sentinels.expect("sentinels");
        let rules = rules("On each sentinel");
        for sentinel in sentinels.sentinels() {
            let words = ["ACL", "SETUSER", "watch"].into_iter();
            let words = words.chain(rules.split(' ').map(|rule| match rule {
                ">PASSWORD" => ">lookout",
                rule => rule,
            }));
            let reply = sentinel.command(&words.collect::<Vec<_>>());
            assert_eq!(reply.expect("an answer").text().as_deref(), Some("OK"));
        }
        let url = as_app(&sentinels.url());
        let url = format!("{url}?sentinel_user=watch&sentinel_pass=lookout");
        Self::for_user(Self::Sentinels(sentinels), url, None)
    }

    fn for_user(servers: Self, url: String, files: Option<Sandbox>) -> Self {
        Self::Narrow(Box::new(Narrow {
            servers,
            url,
            _files: files,
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
        Box::new(RealTimeFixture::new(match is_prefixed {
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
            Self::Narrow(narrow) => return narrow.servers.empty(),
            Self::Cluster(cluster) => cluster.masters().into_iter().try_for_each(flush_node),
            Self::Sentinels(sentinels) => sentinels.master().and_then(flush_node),
        };
        done.expect("servers that can be emptied");
    }
}

/// The rules that the page gives under a heading that begins with `place`.
fn rules(place: &str) -> &'static str {
    let (_, behind) = PAGE.split_once(place).expect("the place in the page");
    let line = behind.lines().find_map(|line| {
        let (_, rules) = line.strip_prefix("ACL SETUSER ")?.split_once(' ')?;
        Some(rules)
    });
    line.expect("a line to paste")
}

/// A server with the user `app`, and no other for the app.
fn with_app(place: &str) -> RedisOptions {
    let rules = rules(place).replace("PASSWORD", PASSWORD);
    let topics = topics(&format!("{ENVIRONMENT}:{APP}:"));
    RedisOptions::new().with_user("app", format!("{rules} {topics}"))
}

fn as_app(url: &str) -> String {
    url.replacen("://", &format!("://app:{PASSWORD}@"), 1)
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
