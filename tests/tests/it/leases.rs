//! The short form of the proof `leases`.

use std::time::Duration;

use larder_proofs::leases::worker::{Commits, work};
use larder_proofs::leases::{Crew, What, checker};

use crate::support::history_of_a_broken_server;

const TIME: Duration = Duration::from_secs(3);

/// The most attempts to see an outdated commit: whether one happens in three seconds is a matter of luck.
const ATTEMPTS: u64 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn no_outdated_fence_commits_and_the_checker_notices_a_plain_put() {
    let found = violations(Commits::Fenced, 1).await;
    assert!(found.is_empty(), "{found:?}");
    for seed in 1..=ATTEMPTS {
        if !violations(Commits::Unfenced, seed).await.is_empty() {
            return;
        }
    }
    panic!("no plain put of an outdated leader was seen");
}

/// What leases forbid and two processes did while their server was broken.
async fn violations(commits: Commits, seed: u64) -> Vec<String> {
    let history =
        history_of_a_broken_server(TIME, seed, async |crew: Crew| work(&crew, 3, commits).await)
            .await;
    let leads = |what| matches!(what, What::Lead(_));
    assert!(history.iter().filter(|event| leads(event.what)).count() > 10);
    checker::violations(&history)
}
