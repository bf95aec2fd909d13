//! Servers for tests start, obey and go away.

mod cluster;
mod limits;
mod obey;
mod outlive;
mod proxy;
mod proxy_faults;
mod sentinels;
mod start;
mod tls;
mod tls_together;
mod trace;

use std::error::Error;
use std::time::Duration;

use larder_test::server::Reply;

type Outcome = Result<(), Box<dyn Error>>;

/// Far more than anything here takes; reached only by a test that fails.
const DEADLINE: Duration = Duration::from_secs(20);

fn pong() -> Reply {
    Reply::Simple("PONG".into())
}
