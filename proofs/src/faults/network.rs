//! The faults of the way to a server.

use std::time::Duration;

use larder_test::proxy::{Connections, Direction, FaultProxy};
use larder_test::server::RedisServer;
use tokio::time::{Instant, sleep};

use super::{CALM, Faults, Mended, observe};

const SECOND: Duration = Duration::from_secs(1);

pub(super) async fn prove(faults: &mut Faults) {
    black_hole(faults).await;
    delay(faults).await;
}

async fn black_hole(faults: &mut Faults) {
    let server = RedisServer::start().expect("a redis-server");
    let proxy = FaultProxy::start(server.address()).expect("a proxy");
    let report = observe(&proxy.url(), CALM, async || {
        proxy.black_hole(Connections::Open);
        // What is dialed from now on works.
        Mended(Instant::now())
    })
    .await;
    let name = "open connections black-holed";
    faults.take(name, SECOND, &report);
    let later = report.broke + SECOND..report.broke + SECOND * 60;
    let good = report.ledger.good_within(later);
    let what = format!("{good:.1} % are good after a second");
    faults.bar(name, good >= 99.0, &what);
    faults.bar(name, report.ledger.lost == 0, "something was lost");
}

async fn delay(faults: &mut Faults) {
    let server = RedisServer::start().expect("a redis-server");
    let proxy = FaultProxy::start(server.address()).expect("a proxy");
    let report = observe(&proxy.url(), CALM, async || {
        proxy.delay(Direction::Replies, Duration::from_millis(200));
        sleep(5 * SECOND).await;
        proxy.delay(Direction::Replies, Duration::ZERO);
        Mended(Instant::now())
    })
    .await;
    let name = "answers 200 ms late for 5 s";
    faults.take(name, SECOND / 2, &report);
    faults.bar(name, report.ledger.lost == 0, "something was lost");
}
