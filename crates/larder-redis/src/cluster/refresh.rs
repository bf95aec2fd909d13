//! Refreshes the map: when it is outdated, while a master is lost, and periodically.

use std::sync::Arc;
use std::time::Duration;

use larder_store::Result;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Shared;
use super::discover::{self, NAME, ask_seed};
use super::fewer::{Doubted, Fewer};
use super::redirect;
use super::slot::SLOTS;
use super::topology::Topology;
use crate::operation::Request;

/// The minimum time between two reads, which allows at most eight per second.
const SHORTEST: Duration = Duration::from_millis(125);

/// The maximum time between two reads while the cluster is in trouble.
const LONGEST: Duration = Duration::from_millis(500);

/// The interval of reads while nothing happens.
///
/// A node that has left the cluster keeps accepting messages and subscribers, and never reports
/// that it has left.
const SLOWLY: Duration = Duration::from_secs(10);

/// The time that a node may take before the next is asked as well.
const PATIENCE: Duration = Duration::from_millis(100);

/// The number of nodes that are asked in one go, at most.
const ASKED: usize = 8;

/// Reads the map for as long as the store lives.
pub(super) async fn refresh(shared: Arc<Shared>) {
    let mut last = Instant::now();
    let (mut gap, mut fewer) = (SHORTEST, Fewer::new());
    loop {
        if shared.is_troubled() {
            // A new request ends the pause early.
            let _ = timeout(jittered(gap), shared.wanted.notified()).await;
            gap = gap.mul_f64(1.25).min(LONGEST);
        } else {
            gap = SHORTEST;
            let _ = timeout(jittered(SLOWLY), shared.wanted.notified()).await;
        }
        sleep_until(last + SHORTEST).await;
        last = Instant::now();
        let outcome = match read(&shared, &mut fewer).await {
            Ok(topology) => {
                shared.install(topology);
                if let Some(more) = read_more(&shared).await {
                    shared.install(more);
                }
                "read"
            }
            Err(error) => {
                tracing::debug!(
                    cluster = %shared.location, %error,
                    "reading the slots of the cluster failed"
                );
                "failed"
            }
        };
        metrics::counter!("larder_redis_topology_reads_total", "outcome" => outcome).increment(1);
    }
}

/// Returns a random time from half of `time` to all of it, so that processes do not act in step.
fn jittered(time: Duration) -> Duration {
    time.mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// Asks the known nodes that have a connection, and then the seeds.
async fn read(shared: &Shared, fewer: &mut Fewer) -> Result<Topology> {
    let mut doubted = match ask_nodes(shared).await {
        Ok(topology) => return Ok(fewer.contradicted_by(topology)),
        Err(doubted) => doubted,
    };
    match ask_seeds(shared).await {
        Ok(topology) => return Ok(fewer.contradicted_by(topology)),
        Err(more) => doubted.extend(more),
    }
    fewer.settle(doubted)
}

async fn ask_nodes(shared: &Shared) -> Result<Topology, Vec<Doubted>> {
    let mut nodes = shared.nodes.all();
    fastrand::shuffle(&mut nodes);
    let up = nodes.into_iter().filter(|(_, node)| node.is_up());
    let deadline = shared.nodes.limits().connect_timeout;
    let asking = up.take(ASKED).map(async |(host_port, node)| {
        let operation = node.begin_shared(Request::read(NAME).within(deadline))?;
        believable(shared, discover::ask(&operation, &host_port.host).await?)
    });
    discover::first(asking.collect(), PATIENCE).await
}

async fn ask_seeds(shared: &Shared) -> Result<Topology, Vec<Doubted>> {
    let mut seeds = shared.seeds.clone();
    fastrand::shuffle(&mut seeds);
    let asking = (0_u32..).zip(seeds).take(ASKED).map(async |(at, seed)| {
        // Each attempt makes a connection: at most eight per second.
        sleep(SHORTEST * at).await;
        believable(shared, ask_seed(&shared.nodes, &seed).await?)
    });
    discover::first(asking.collect(), Duration::ZERO).await
}

/// Asks a seed, if the map has slots that nobody serves. None unless it knows more of them.
///
/// The nodes of such a map may be those that are cut off, and would confirm each other for ever.
async fn read_more(shared: &Shared) -> Option<Topology> {
    let covered = shared.map.load().topology().covered();
    if covered >= usize::from(SLOTS) {
        return None;
    }
    let seed = fastrand::choice(&shared.seeds)?;
    let topology = ask_seed(&shared.nodes, seed).await.ok()?;
    (topology.covered() > covered).then_some(topology)
}

/// Doubts the answer of a node that knows fewer slots than before.
///
/// It is cut off from the others, or was just started; or the cluster has lost them.
fn believable(shared: &Shared, topology: Topology) -> Result<Topology, Doubted> {
    if topology.covered() >= shared.map.load().topology().covered() {
        return Ok(topology);
    }
    if topology.nameless() > 0 {
        return Err(redirect::nameless(NAME).into());
    }
    Err(Doubted::Fewer(topology))
}
