//! The short forms of the proofs `consistency` and `bus-loss`.

use std::time::Duration;

use larder_proofs::bus_loss::is_within_bound;
use larder_proofs::consistency::checker::{Findings, judge};
use larder_proofs::consistency::contender::Contender;
use larder_proofs::consistency::shared::{Shared, Trouble};
use larder_proofs::consistency::worker::{PROCESSES, Work};
use larder_test::server::RedisServer;

const TIME: Duration = Duration::from_secs(3);

/// Runs the processes as tasks of this one.
async fn observe(shared: Shared, contender: Contender, trouble: Trouble, loss: u8) -> Findings {
    let source = RedisServer::start().expect("a redis-server");
    let workers: Vec<_> = (0..PROCESSES)
        .map(|process| {
            let work = Work {
                process,
                contender,
                url: shared.url_for(process),
                source: source.url(),
                time: TIME,
                loss,
                seed: u64::from(process),
            };
            tokio::spawn(work.run())
        })
        .collect();
    let disturb = move || shared.disturb(trouble, TIME, 1);
    let noticed = tokio::task::spawn_blocking(disturb).await;
    let noticed = noticed.expect("a proxy that obeys");
    let has_trouble = trouble != Trouble::None && contender.has_connections();
    assert!(noticed > 0 || !has_trouble, "{trouble:?}");
    let mut history = Vec::new();
    for worker in workers {
        history.extend(worker.await.expect("a worker").history);
    }
    let found = judge(&history);
    assert!(found.reads > 100 && found.invalidations > 10, "{found:?}");
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn no_read_of_the_far_store_is_stale_after_an_acknowledged_invalidation() {
    let found = observe(Shared::one(), Contender::Far, Trouble::Connections, 0).await;
    assert_eq!(found.stale, 0, "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn no_read_of_a_cluster_is_stale_after_an_acknowledged_invalidation() {
    let found = observe(Shared::cluster(), Contender::Far, Trouble::Connections, 0).await;
    assert_eq!(found.stale, 0, "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn near_copies_are_stale_for_at_most_the_near_ttl_whatever_fails() {
    for (trouble, loss) in [
        (Trouble::Connections, 0),
        (Trouble::None, 50),
        (Trouble::CutOff, 0),
        (Trouble::Silence, 10),
    ] {
        let found = observe(Shared::one(), Contender::Tiers, trouble, loss).await;
        assert!(is_within_bound(&found), "{trouble:?}, {loss} %: {found:?}");
        assert!(loss < 50 || found.stale > 0, "lost messages are noticed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn stale_reads_of_caches_without_a_fence_are_noticed() {
    for contender in [Contender::CacheAside, Contender::Moka] {
        let found = observe(Shared::one(), contender, Trouble::Connections, 0).await;
        assert!(found.stale_at_home > 0, "{contender:?}: {found:?}");
    }
}
