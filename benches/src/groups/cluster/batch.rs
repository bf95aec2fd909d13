//! Many keys together: what it saves, and how often each master reads from its socket for it.

use std::time::Instant;

use futures_util::future::join_all;
use larder_store::Key;
use larder_test::server::RedisCluster;
use tokio::runtime::Runtime;

use super::contender::{KEYS, Ours};
use crate::harness::{Bar, Row, compare, per_operation};

const BATCH: usize = 100;
const ROUNDS: usize = 15;
const BATCHES: usize = 200;

pub(super) fn run(runtime: &Runtime, cluster: &RedisCluster, ours: &Ours) -> [Row; 2] {
    let keys = &KEYS[..BATCH];
    let what = format!("Cluster, {BATCH} keys");
    let together = || runtime.block_on(together(ours, keys));
    let joined = || runtime.block_on(joined(ours, keys));
    [
        compare(
            &what,
            ROUNDS,
            ("`get_many`", Box::new(together)),
            ("as many `get`s, joined", Box::new(joined)),
            Bar::CostAtMost(1.0),
        ),
        compare(
            format!("{what}: reads of its socket by each master"),
            3,
            ("`get_many`", Box::new(|| reads(cluster, together))),
            (
                "as many `get`s, joined",
                Box::new(|| reads(cluster, joined)),
            ),
            Bar::NumberAtMost(1.1),
        )
        .with_note(
            "one round trip to each of three masters; with what is counted besides, such as the \
             acknowledgements of replicas",
        ),
    ]
}

async fn together(ours: &Ours, keys: &[Key]) -> f64 {
    let started = Instant::now();
    for _ in 0..BATCHES {
        for entry in ours.0.get_many(keys).await {
            assert!(entry.expect("Redis answers").is_some());
        }
    }
    per_operation(started.elapsed(), BATCHES)
}

async fn joined(ours: &Ours, keys: &[Key]) -> f64 {
    let started = Instant::now();
    for _ in 0..BATCHES {
        for entry in join_all(keys.iter().map(|key| ours.0.get(key))).await {
            assert!(entry.expect("Redis answers").is_some());
        }
    }
    per_operation(started.elapsed(), BATCHES)
}

/// How often a master read from a socket for a batch, on average over the masters, while `batches`
/// ran; and that it ran no command but a GET for each key.
fn reads(cluster: &RedisCluster, batches: impl Fn() -> f64) -> f64 {
    let before = (
        counted(cluster, "stats", "total_reads_processed:"),
        gets(cluster),
    );
    batches();
    let after = (
        counted(cluster, "stats", "total_reads_processed:"),
        gets(cluster),
    );
    assert_eq!(after.1 - before.1, (BATCH * BATCHES) as f64, "a GET each");
    (after.0 - before.0) / (cluster.masters().len() * BATCHES) as f64
}

fn gets(cluster: &RedisCluster) -> f64 {
    counted(cluster, "commandstats", "cmdstat_get:calls=")
}

/// A counter, over all masters.
fn counted(cluster: &RedisCluster, section: &str, name: &str) -> f64 {
    let of = |info: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name))?;
        let end = line.find(|c: char| !c.is_ascii_digit());
        line[..end.unwrap_or(line.len())].parse::<f64>().ok()
    };
    let masters = cluster.masters().into_iter();
    masters
        .map(|master| {
            let info = master.command(&["INFO", section]).expect("an answer");
            of(&info.text().expect("a text")).expect("a counter")
        })
        .sum()
}
