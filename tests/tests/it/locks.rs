//! The short form of the proof `locks`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use larder_proofs::leases::{What, break_for};
use larder_proofs::locks::checker;
use larder_proofs::locks::worker::{Writes, work};
use larder_test::server::RedisServer;

const TIME: Duration = Duration::from_secs(5);

/// The most attempts to see a stale write: whether one happens in five seconds is a matter of luck.
const ATTEMPTS: u64 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_lock_has_one_holder_and_no_stale_token_writes_though_a_plain_put_does() {
    let found = violations(Writes::Fenced, 1).await;
    assert!(found.is_empty(), "{found:?}");
    for seed in 1..=ATTEMPTS {
        if !violations(Writes::Plain, seed).await.is_empty() {
            return;
        }
    }
    panic!("no plain put of a stale holder was seen");
}

/// What locks forbid and two processes did while their server was broken.
async fn violations(writes: Writes, seed: u64) -> Vec<String> {
    let server = Arc::new(RedisServer::start().unwrap());
    let (url, broken) = (server.url(), server.clone());
    let breaking = move || break_for(&broken, TIME, &mut fastrand::Rng::with_seed(seed));
    let breaking = tokio::task::spawn_blocking(breaking);
    let (one, other, broke) = tokio::join!(
        work(&url, 4, 2, TIME, writes),
        work(&url, 4, 2, TIME, writes),
        breaking,
    );
    broke.unwrap();
    let history: Vec<_> = one.into_iter().chain(other).collect();
    let taken = |what| matches!(what, What::Lead(_));
    assert!(history.iter().filter(|event| taken(event.what)).count() > 5);
    checker::violations(&history)
}
