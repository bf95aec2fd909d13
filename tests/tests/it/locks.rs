//! The short form of the proof `locks`.

use std::time::Duration;

use larder_proofs::leases::{Crew, What};
use larder_proofs::locks::checker;
use larder_proofs::locks::worker::{Writes, work};

use crate::support::history_of_a_broken_server;

const TIME: Duration = Duration::from_secs(5);

/// The most attempts to see a stale write: whether one happens in five seconds is a matter of luck.
const ATTEMPTS: u64 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_lock_has_one_holder_and_no_stale_fence_writes_though_a_plain_put_does() {
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
    let history =
        history_of_a_broken_server(TIME, seed, async |crew: Crew| work(&crew, 2, writes).await)
            .await;
    let taken = |what| matches!(what, What::Lead(_));
    assert!(history.iter().filter(|event| taken(event.what)).count() > 5);
    checker::violations(&history)
}
