//! Servers that speak TLS only, and a user with exactly the rights that `docs/running-redis.md` gives.

use larder_test::server::{
    CertificateAuthority, ClusterOptions, RedisOptions, Sandbox, SentinelOptions, TlsOptions,
};

use crate::stores::{APP, ENVIRONMENT, Servers};

/// The page with the rules of users.
const PAGE: &str = include_str!("../../docs/running-redis.md");

const USER: &str = "app";
const PASSWORD: &str = "open-sesame";

/// Servers for a user who may name the keys of one namespace.
pub struct Narrow {
    servers: Servers,
    url: String,
    _files: Sandbox,
}

impl Narrow {
    /// Starts a single server.
    #[must_use]
    pub fn one() -> Servers {
        Self::by_tls("On one server", |options| {
            let server = options.with_password("of the house").start();
            let server = server.expect("a redis-server with TLS");
            let url = server.url_as(USER, PASSWORD);
            (Servers::One(server), url + "?")
        })
    }

    /// Starts a cluster.
    #[must_use]
    pub fn cluster() -> Servers {
        Self::by_tls("On each node of a cluster", |nodes| {
            let cluster = ClusterOptions::new().with_nodes(nodes).start();
            let cluster = cluster.expect("a cluster with TLS");
            let url = cluster.url_as(USER, PASSWORD);
            (Servers::Cluster(cluster), url + "?")
        })
    }

    /// Sentinels with a narrow user of their own, and their servers.
    #[must_use]
    pub fn sentinels() -> Servers {
        Self::by_tls("On each server behind sentinels", |servers| {
            let sentinels = SentinelOptions::new().with_servers(servers).start();
            let sentinels = sentinels.expect("sentinels with TLS");
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
            let url = sentinels.url_as(USER, PASSWORD);
            let url = url + "?sentinel_user=watch&sentinel_pass=lookout&";
            (Servers::Sentinels(sentinels), url)
        })
    }

    /// Starts servers with the rules under `place`, and returns their URL with TLS.
    fn by_tls(place: &str, start: impl FnOnce(RedisOptions) -> (Servers, String)) -> Servers {
        let authority = CertificateAuthority::new().expect("a certificate authority");
        let files = Sandbox::new().expect("a directory");
        let file = files.path().join("ca.pem");
        std::fs::write(&file, authority.certificate_pem()).expect("a file");
        let (servers, url) = start(with_app(place).with_tls(TlsOptions::new(&authority)));
        Servers::Narrow(Box::new(Self {
            servers,
            url: format!("{url}ca={}", file.display()),
            _files: files,
        }))
    }

    pub(crate) fn servers(&self) -> &Servers {
        &self.servers
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

/// Returns the rules that the page gives under a heading that begins with `place`.
fn rules(place: &str) -> &'static str {
    let (_, behind) = PAGE.split_once(place).expect("the place in the page");
    let line = behind.lines().find_map(|line| {
        let (_, rules) = line.strip_prefix("ACL SETUSER ")?.split_once(' ')?;
        Some(rules)
    });
    line.expect("a line to paste")
}

/// Starts a server whose only user for the app is the page's.
fn with_app(place: &str) -> RedisOptions {
    let rules = rules(place).replace("PASSWORD", PASSWORD);
    let topics = topics(&format!("{ENVIRONMENT}:{APP}:"));
    RedisOptions::new().with_user(USER, format!("{rules} {topics}"))
}

/// Returns the patterns of topics: the server compares patterns as texts.
fn topics(prefix: &str) -> String {
    let inner = ["", "law:mine:", "law:other:"];
    let topics = inner.iter().flat_map(|inner| {
        let topic = move |topic| format!("&{prefix}{inner}{topic}:{{*}}");
        ["law-film", "law-films"].map(topic)
    });
    topics.collect::<Vec<_>>().join(" ")
}
