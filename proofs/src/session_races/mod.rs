//! Races of sessions between two instances of an app, and a store of whole records that loses them.

pub mod keeper;
pub mod larder;
pub mod races;
pub mod whole_records;

use std::sync::Arc;
use std::time::Duration;

use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::Store;
use larder_test::server::RedisServer;

use crate::{Limits, Table};
use keeper::Keeper;
use larder::Larder;
use races::{RACES, Race, Round};
use whole_records::WholeRecords;

/// The rounds of each race, unless `--rounds` says otherwise.
const ROUNDS: u64 = 1_000;

/// The rounds between two looks at what another instance learns later: each look takes a second.
const ROUNDS_UNTIL_A_LOOK: u64 = 100;

/// How long another instance may not know that everyone was signed out.
const EVERYONE: Duration = Duration::from_millis(1_100);

/// Two instances.
pub type Pair = [Arc<dyn Keeper>; 2];

/// Runs each race on both stores, and on a store of whole records until it is seen to break the law.
///
/// # Panics
/// If no server can be started.
#[must_use]
pub fn prove(limits: &Limits) -> Table {
    let rounds = limits.rounds.unwrap_or(ROUNDS);
    let mut table = Table::new()
        .column("race")
        .column("law")
        .measured("rounds on each")
        .column("broken in process")
        .column("broken on Redis")
        .column("a store of whole records")
        .measured("in round");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for (seed, race) in (1..).zip(RACES) {
        let server = RedisServer::start().expect("a redis-server");
        let (memory, redis, contender) = runtime.block_on(async {
            let stores = [connect(&server).await, connect(&server).await];
            let memory = broken(race, larder(in_process()), rounds, seed).await;
            let redis = broken(race, larder(stores), rounds, seed).await;
            let contender = broken(race, whole_records(in_process()), rounds, seed).await;
            (memory, redis, contender)
        });
        let said = |found: &Option<Broken>| match found {
            None => "never".to_owned(),
            Some(broken) => broken.to_string(),
        };
        table.row([
            race.name.to_owned(),
            race.law.to_owned(),
            rounds.to_string(),
            said(&memory),
            said(&redis),
            contender
                .as_ref()
                .map_or("keeps it", |_| "breaks it")
                .to_owned(),
            contender
                .as_ref()
                .map_or(0, |broken| broken.round)
                .to_string(),
        ]);
        for found in [memory, redis].into_iter().flatten() {
            table.bar(false, || format!("{}: {found}", race.name));
        }
        table.bar(contender.is_some(), || {
            format!("{}: the store of whole records was not caught", race.name)
        });
    }
    table
}

/// The round that broke a law, and how.
#[derive(Debug)]
pub struct Broken {
    /// Counts from 1.
    pub round: u64,
    /// What was seen.
    pub what: String,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "round {}: {}", self.round, self.what)
    }
}

/// Runs rounds until one breaks the law, at most `rounds`.
pub async fn broken(race: &Race, keepers: Pair, rounds: u64, seed: u64) -> Option<Broken> {
    let mut dead = Vec::new();
    for number in 1..=rounds {
        let mut round = Round::new(keepers.clone(), number, seed);
        let mut outcome = (race.run)(&mut round).await;
        dead.append(&mut round.dead_later);
        let looks = number == rounds || number % ROUNDS_UNTIL_A_LOOK == 0;
        if outcome.is_ok() && looks && !dead.is_empty() {
            tokio::time::sleep(EVERYONE).await;
            outcome = round.are_dead(&std::mem::take(&mut dead)).await;
        }
        if let Err(what) = outcome {
            return Some(Broken {
                round: number,
                what,
            });
        }
    }
    None
}

/// Returns two instances of larder, which share these stores and nothing else.
#[must_use]
pub fn larder(stores: [Arc<dyn Store>; 2]) -> Pair {
    stores.map(|store| Arc::new(Larder::new(store)) as Arc<dyn Keeper>)
}

/// Returns two instances that keep whole records.
#[must_use]
pub fn whole_records(stores: [Arc<dyn Store>; 2]) -> Pair {
    stores.map(|store| Arc::new(WholeRecords::new(store)) as Arc<dyn Keeper>)
}

/// Returns one store in process, twice.
#[must_use]
pub fn in_process() -> [Arc<dyn Store>; 2] {
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    [store.clone(), store]
}

/// Returns a store on `server`, with connections of its own.
///
/// # Panics
/// If it cannot be reached.
pub async fn connect(server: &RedisServer) -> Arc<dyn Store> {
    let long = Duration::from_secs(30);
    let store = RedisStore::builder(&server.url())
        .with_timeout(long)
        .with_connect_timeout(long);
    Arc::new(store.connect().await.expect("a store"))
}
