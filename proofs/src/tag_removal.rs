//! A tag of a million values: one write removes them all, and so does the loss of its record.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use larder_cache::{Cache, Loaded};
use larder_layer::envelope;
use larder_layer::tags::{Tag, TagRecord};
use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::program::{Args, Effect, Program, Script, Slot, Wire};
use larder_store::{Key, Kind, Put, Store, StoreExt, Timestamp, Ttl};
use larder_test::faulty::{Faulty, Switch};
use larder_test::server::RedisServer;

use crate::{Limits, Table};

const FILM: Kind = Kind::evictable("film");
const HOUR: Ttl = Ttl::from_secs(3_600);

/// How many values there are by default.
const VALUES: u64 = 1_000_000;

/// How many values are written or read together.
const TOGETHER: usize = 1_000;

/// The way to a store, and its own count of writes.
#[expect(clippy::large_enum_variant, reason = "a proof has one of each")]
pub enum Place {
    /// In process.
    Here,
    /// On a server, which counts what changes its data.
    Redis(RedisServer),
}

/// What became of the values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// How many values there were.
    pub values: u64,
    /// How many of them were served before the removal.
    pub served_before: u64,
    /// How many operations the cache asked of the store to remove the tag.
    pub operations: u64,
    /// How many keys of the server that changed. As many as the operations in process.
    pub writes: u64,
    /// How long the removal took.
    pub took: Duration,
    /// How many values were served after it.
    pub served_after: u64,
    /// How many were served when they had been written anew.
    pub served_anew: u64,
    /// How many were served after the record of the tag was lost.
    pub served_without_record: u64,
}

/// A tag of a million values, in process and on Redis.
#[must_use]
pub fn prove(limits: &Limits) -> Table {
    let mut table = Table::new()
        .column("store")
        .measured("values with the tag")
        .column("writes to remove them")
        .measured("time")
        .column("served afterwards")
        .column("served without the record of the tag");
    let values = limits.inputs.unwrap_or(VALUES);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let redis = Place::Redis(RedisServer::start().expect("a redis-server"));
    for place in [Place::Here, redis] {
        let found = runtime.block_on(remove(&place, values));
        let name = place.name();
        table.row([
            name.to_owned(),
            found.values.to_string(),
            found.writes.to_string(),
            format!("{:.1} ms", found.took.as_secs_f64() * 1_000.0),
            found.served_after.to_string(),
            found.served_without_record.to_string(),
        ]);
        table.bar(is_well(&found), || format!("{name}: {found:?}"));
    }
    table
}

/// Returns whether one write removed all values, and none was served without the record.
#[must_use]
pub fn is_well(found: &Findings) -> bool {
    let all = found.values;
    (found.served_before, found.served_anew) == (all, all)
        && (found.operations, found.writes) == (1, 1)
        && (found.served_after, found.served_without_record) == (0, 0)
}

/// Fills a store with values of one tag, and removes the tag; then fills it again, and removes the
/// record of the tag.
///
/// # Panics
/// If the store fails.
pub async fn remove(place: &Place, values: u64) -> Findings {
    let store = place.store().await;
    let (films, switch) = films(&store);
    let mut found = Findings {
        values,
        ..Findings::default()
    };
    fill(&films, &*store, values).await;
    found.served_before = served(&films, values).await;
    let (operations, writes) = (switch.operations(), place.writes());
    let began = Instant::now();
    films.remove_tag("lang").await.expect("the tag is removed");
    found.took = began.elapsed();
    found.operations = (switch.operations() - operations) as u64;
    found.writes = writes.map_or(found.operations, |writes| {
        place.writes().unwrap_or(0) - writes
    });
    found.served_after = served(&films, values).await;
    fill(&films, &*store, values).await;
    found.served_anew = served(&films, values).await;
    let programs = store.clone().require_programs("tags").expect("programs");
    let lost = programs.run(&Tag::new("lang").key(), &Lose).await;
    lost.expect("the record is removed");
    // In another process, which does not remember the generation.
    found.served_without_record = served(&self::films(&store).0, values).await;
    found
}

/// Returns a cache without a bus, which holds at most one value near.
fn films(store: &Arc<dyn Store>) -> (Cache<u64, u64>, Switch) {
    let faulty = Faulty::new(store.clone());
    let switch = faulty.switch();
    let films = Cache::builder(FILM, HOUR)
        .with_far(Arc::new(faulty))
        .with_store_timeout(Duration::from_secs(20))
        .with_max_near_entries(1)
        .without_bus();
    (films.build().expect("a cache"), switch)
}

/// Writes a value with the tag by the cache, and its bytes under the keys of the others.
async fn fill(films: &Cache<u64, u64>, store: &dyn Store, values: u64) {
    films.remove(&0).await.expect("the first is removed");
    let load = || async { Ok::<_, std::convert::Infallible>(Loaded::new(7).with_tags(["lang"])) };
    films.find_or_load(&0, load).await.expect("it is loaded");
    let first = store.get(&far_key(0)).await.expect("a store");
    let bytes = first.expect("it is far").value;
    let magic = *bytes.first_chunk().expect("it begins with a magic");
    let copy = |film: u64| {
        let (key, mut bytes) = (far_key(film), bytes.to_vec());
        envelope::seal(magic, &key, &mut bytes).expect("it is long enough");
        Put::new(key, bytes, HOUR)
    };
    let others: Vec<_> = (1..values).collect();
    for others in others.chunks(TOGETHER) {
        let puts: Vec<_> = others.iter().copied().map(copy).collect();
        let written = store.put_many(&puts).await;
        let is_written = |put: &larder_store::Result<_>| put.is_ok();
        assert!(written.iter().all(is_written), "they are written");
    }
}

/// Counts the values that are served.
async fn served(films: &Cache<u64, u64>, values: u64) -> u64 {
    let reads = stream::iter(0..values).map(|film| async move { films.get(&film).await.is_some() });
    let reads = reads.buffer_unordered(64);
    let served = reads.filter(|is_served| std::future::ready(*is_served));
    served.count().await as u64
}

fn far_key(film: u64) -> Key {
    Key::new(FILM, ("v0", film))
}

impl Place {
    const fn name(&self) -> &'static str {
        match self {
            Self::Here => "in process",
            Self::Redis(_) => "Redis",
        }
    }

    async fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Here => Arc::new(MokaStore::builder().with_max_cache_bytes(4 << 30).build()),
            Self::Redis(server) => {
                let store = RedisStore::builder(&server.url());
                let store = store.with_timeout(Duration::from_secs(20)).connect();
                Arc::new(store.await.expect("a connection"))
            }
        }
    }

    /// Returns how often a key of the server has changed.
    fn writes(&self) -> Option<u64> {
        let Self::Redis(server) = self else {
            return None;
        };
        let info = server
            .command(&["INFO", "persistence"])
            .expect("the server");
        let info = info.text().expect("a text").into_owned();
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("rdb_changes_since_last_save:"));
        line.expect("the count").trim().parse().ok()
    }
}

/// Removes the record of a tag, as an eviction does.
#[derive(Clone, Copy, Debug)]
struct Lose;

impl Program for Lose {
    type Record = TagRecord;
    type Reply = ();

    const SCRIPT: &'static Script = &Script::new("tag-lose", Effect::Once, "return del(KEYS[1])");

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, TagRecord>, _: Timestamp) {
        record.remove();
    }

    fn reply(&self, _: Wire) -> larder_store::Result<()> {
        Ok(())
    }
}
