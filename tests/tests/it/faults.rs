//! The short form of the proof `faults`: nothing that may be sent again fails, nothing is lost, and
//! nothing is done twice. How long it took is for the proof to say.

use std::time::Duration;

use larder_proofs::faults::{Mended, observe};
use larder_test::server::RedisServer;
use tokio::time::{Instant, sleep};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_steady_load_survives_connections_that_are_killed_and_scripts_that_are_forgotten() {
    let server = RedisServer::start().unwrap();
    let url = server.url();
    let report = observe(&url, Duration::from_millis(200), async || {
        for command in [
            ["CLIENT", "KILL", "TYPE", "normal"].as_slice(),
            &["SCRIPT", "FLUSH"],
        ]
        .into_iter()
        .cycle()
        .take(8)
        {
            server.command(command).unwrap();
            sleep(Duration::from_millis(100)).await;
        }
        Mended(Instant::now())
    })
    .await;
    let ledger = report.ledger;
    assert!(ledger.outcomes.len() > 100);
    assert_eq!((ledger.lost, ledger.twice, ledger.wrong), (0, 0, 0));
    assert_eq!(ledger.failed_gets(), 0);
}
