//! The short form of the proof `leases`.

use std::sync::Arc;
use std::time::Duration;

use larder_proofs::leases::worker::{Commits, work};
use larder_proofs::leases::{What, break_for, checker};
use larder_test::server::RedisServer;

const TIME: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn no_outdated_fence_commits_and_the_checker_notices_a_plain_put() {
    for commits in [Commits::Fenced, Commits::Unfenced] {
        let server = Arc::new(RedisServer::start().unwrap());
        let (url, broken) = (server.url(), server.clone());
        let breaking = move || break_for(&broken, TIME, &mut fastrand::Rng::with_seed(1));
        let breaking = tokio::task::spawn_blocking(breaking);
        let (one, other, broke) = tokio::join!(
            work(&url, 4, 3, TIME, commits),
            work(&url, 4, 3, TIME, commits),
            breaking,
        );
        broke.unwrap();
        let history: Vec<_> = one.into_iter().chain(other).collect();
        let leads = |what| matches!(what, What::Lead(_));
        assert!(history.iter().filter(|event| leads(event.what)).count() > 10);
        let found = checker::violations(&history);
        assert_eq!(found.is_empty(), commits == Commits::Fenced, "{found:?}");
    }
}
