//! All laws, on every store that larder has.

use std::time::Duration;

use larder_test::ManualFixture;
use larder_test::laws::LAWS;

use crate::Table;
use crate::narrow::Narrow;
use crate::stores::{self, Servers};

/// The time that a law may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Every law on every store.
#[must_use]
pub fn prove() -> Table {
    table("Redis", STORES.iter().copied())
}

/// Every law on Valkey, by the program that `REDIS_SERVER` names. The forms with TLS are left out.
#[must_use]
pub(crate) fn prove_on_valkey() -> Table {
    let is_redis = |(name, ..): &Store| name.contains("Redis") && !name.contains("TLS");
    table("Valkey", STORES.iter().copied().filter(is_redis))
}

fn table(server: &str, stores: impl Iterator<Item = Store>) -> Table {
    let mut table = Table::new()
        .column("store")
        .column("laws that it obeys")
        .column("laws that it breaks");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for (name, is_prefixed, make) in stores {
        let name = name.replace("Redis", server);
        let servers = make();
        let broken = runtime.block_on(broken(&servers, is_prefixed));
        let names: Vec<_> = broken.iter().map(|(law, _)| *law).collect();
        // The number of laws grows, so that a page with it would be outdated at once.
        let (obeyed, broken_laws) = match names.is_empty() {
            true => ("all".to_owned(), "none".to_owned()),
            false => {
                let obeyed = LAWS.len() - names.len();
                (format!("{obeyed} of {}", LAWS.len()), names.join(", "))
            }
        };
        table.row([name.clone(), obeyed, broken_laws]);
        for (law, violation) in broken {
            table.bar(false, || format!("{name}: {law}: {violation}"));
        }
    }
    table
}

type Store = (&'static str, bool, fn() -> Servers);

const STORES: &[Store] = &[
    ("reference model", false, || {
        Servers::Here(ManualFixture::model)
    }),
    ("moka, pinned", false, || Servers::Here(stores::moka)),
    ("moka, evictable", false, || {
        Servers::Here(stores::evictable_moka)
    }),
    ("moka, prefixed", false, || {
        Servers::Here(stores::prefixed_moka)
    }),
    ("Redis", false, Servers::one),
    ("Redis, prefixed", true, Servers::one),
    (
        "Redis by TLS, a user with the keys of one prefix",
        true,
        Narrow::one,
    ),
    ("Redis Cluster of six nodes", false, Servers::cluster),
    ("Redis Cluster, prefixed", true, Servers::cluster),
    (
        "Redis Cluster, its replicas are read",
        false,
        Servers::read_replicas,
    ),
    (
        "Redis Cluster by TLS, a user with the keys of one prefix",
        true,
        Narrow::cluster,
    ),
    ("Redis with three sentinels", false, Servers::sentinels),
    ("two Redis servers as shards", false, Servers::shards),
    (
        "Redis with three sentinels by TLS, a user with the keys of one prefix",
        true,
        Narrow::sentinels,
    ),
];

/// Returns the laws that the store on `servers` breaks, and how.
pub async fn broken(servers: &Servers, is_prefixed: bool) -> Vec<(&'static str, String)> {
    let mut broken = Vec::new();
    for law in LAWS {
        let fixture = servers.fixture(is_prefixed).await;
        if let Err(violation) = law.check(&*fixture, PATIENCE).await {
            broken.push((law.name(), violation.to_string()));
        }
    }
    broken
}
