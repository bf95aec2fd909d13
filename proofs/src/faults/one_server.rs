//! The faults of one server.

use std::time::Duration;

use larder_test::server::{RedisOptions, RedisServer};
use tokio::time::{Instant, sleep};

use super::{CALM, Faults, Mended, Report, observe};

const HALF_A_SECOND: Duration = Duration::from_millis(500);

pub(super) async fn prove(faults: &mut Faults) {
    kill(faults, "kill -9, and a restart at once", Duration::ZERO).await;
    kill(faults, "no listener for 10 s", Duration::from_secs(10)).await;
    stop(faults).await;
    connections(faults).await;
    scripts(faults).await;
    memory(faults).await;
}

/// Returns a server that keeps what it has acknowledged, whatever happens to it.
fn durable() -> RedisServer {
    let options = RedisOptions::new()
        .with_setting("appendonly", "yes")
        .with_setting("appendfsync", "always");
    options.start().expect("a redis-server")
}

async fn kill(faults: &mut Faults, name: &str, absent: Duration) {
    let mut server = durable();
    let url = server.url();
    let report = observe(&url, CALM, async || {
        server.kill();
        sleep(absent).await;
        server.restart().expect("a restart");
        Mended(Instant::now())
    })
    .await;
    faults.take(name, HALF_A_SECOND, &report);
    faults.bar(name, report.ledger.lost == 0, "something was lost");
}

async fn stop(faults: &mut Faults) {
    let server = durable();
    let url = server.url();
    let report = observe(&url, CALM, async || {
        server.stop().expect("SIGSTOP");
        sleep(Duration::from_secs(5)).await;
        server.cont().expect("SIGCONT");
        Mended(Instant::now())
    })
    .await;
    faults.take("SIGSTOP for 5 s", HALF_A_SECOND, &report);
    faults.bar("SIGSTOP", report.ledger.lost == 0, "something was lost");
}

async fn connections(faults: &mut Faults) {
    let server = durable();
    let report = often(&server, &["CLIENT", "KILL", "TYPE", "normal"], 30).await;
    let name = "CLIENT KILL, 30 times in 6 s";
    faults.take(name, HALF_A_SECOND, &report);
    let failed = report.ledger.failed_gets();
    faults.bar(name, failed == 0, &format!("{failed} gets failed"));
    faults.bar(name, report.ledger.lost == 0, "something was lost");
}

async fn scripts(faults: &mut Faults) {
    let server = durable();
    let report = often(&server, &["SCRIPT", "FLUSH"], 30).await;
    let name = "SCRIPT FLUSH, 30 times in 6 s";
    faults.take(name, HALF_A_SECOND, &report);
    faults.bar(name, report.ledger.failed() == 0, "something failed");
    faults.bar(name, report.ledger.lost == 0, "something was lost");
}

async fn memory(faults: &mut Faults) {
    let server = durable();
    let set = |bytes| {
        let done = server.command(&["CONFIG", "SET", "maxmemory", bytes]);
        done.expect("an answer of the server");
    };
    let url = server.url();
    let report = observe(&url, CALM, async || {
        set("1mb");
        sleep(Duration::from_secs(3)).await;
        set("0");
        Mended(Instant::now())
    })
    .await;
    let name = "maxmemory reached for 3 s";
    faults.take(name, HALF_A_SECOND, &report);
    let gets = report.ledger.failed_gets();
    faults.bar(name, gets == 0, &format!("{gets} gets failed"));
    faults.bar(name, report.ledger.was_full(), "nothing was refused");
    faults.bar(name, report.ledger.lost == 0, "something was lost");
}

/// Sends a command to the server every fifth of a second.
async fn often(server: &RedisServer, command: &[&str], times: u32) -> Report {
    observe(&server.url(), CALM, async || {
        for _ in 0..times {
            sleep(Duration::from_millis(200)).await;
            let done = server.command(command);
            done.expect("an answer of the server");
        }
        Mended(Instant::now())
    })
    .await
}
