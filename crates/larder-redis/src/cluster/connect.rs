//! Finds the cluster by its seeds.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use ::redis::{ConnectionAddr, ConnectionInfo};
use arc_swap::ArcSwap;
use futures_util::future::join_all;
use larder_store::{Error, ErrorKind, Result};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::discover;
use super::map::SlotMap;
use super::nodes::Nodes;
use super::redirect::NAMELESS;
use super::refresh::refresh;
use super::topology::Topology;
use super::{Cluster, Shared};
use crate::connection::{Address, HostPort};
use crate::node::Limits;

/// The time that one seed may take before the next is tried as well.
const PATIENCE: Duration = Duration::from_millis(100);

/// Finds the cluster by the first seed that knows it, and connects to its masters.
///
/// # Errors
/// Those of the seeds, if none knows it; or if no master can be reached. If only some masters are
/// lost, the store works for the others.
pub(crate) async fn connect(
    location: Arc<str>,
    seeds: Vec<ConnectionInfo>,
    template: Address,
    limits: Limits,
) -> Result<Cluster> {
    let wanted = Arc::new(Notify::new());
    let nodes = Nodes::new(template, limits, wanted.clone());
    let seeds: Vec<_> = seeds.iter().filter_map(host_port).collect();
    let topology = find(&nodes, &seeds, &location).await?;
    let map = SlotMap::new(topology, &nodes);
    let deadline = Instant::now() + limits.connect_timeout;
    let up = join_all(map.masters().iter().map(|master| master.is_up_by(deadline)));
    if !up.await.contains(&true) {
        let named = match map.topology().ranges().first() {
            Some(range) => why_not(&nodes, &range.master, deadline).await,
            None => "no node".to_owned(),
        };
        return Err(error(
            ErrorKind::NotSent,
            format!(
                "the seeds of {location} answer, but no master can be reached at its announced \
                 address, such as {named}: check cluster-announce-ip and \
                 cluster-announce-hostname"
            ),
        ));
    }
    let shared = Arc::new(Shared {
        location,
        map: ArcSwap::from_pointee(map),
        nodes,
        seeds,
        wanted,
        troubled_until: AtomicU64::new(0),
        epoch: Instant::now(),
        generation: watch::Sender::new(0),
    });
    let refresher = tokio::spawn(refresh(shared.clone())).abort_handle();
    Ok(Cluster { shared, refresher })
}

/// Describes an unreachable node, with the reason if it is found in time.
async fn why_not(nodes: &Nodes, host_port: &HostPort, deadline: Instant) -> String {
    let node = nodes.node(host_port);
    match timeout_at(deadline, node.replace_connection()).await {
        Ok(Err(error)) => format!("{} ({error})", node.location()),
        _ => node.location().to_owned(),
    }
}

async fn find(nodes: &Nodes, seeds: &[HostPort], location: &str) -> Result<Topology> {
    let asking = seeds.iter().map(|seed| ask_serving_seed(nodes, seed));
    let asking = discover::first(asking.collect(), PATIENCE);
    let deadline = nodes.limits().connect_timeout;
    match timeout(deadline.mul_f64(1.1), asking).await {
        Ok(Ok(topology)) => Ok(topology),
        // An error that can be fixed is more useful than an absent node.
        Ok(Err(errors)) => Err(errors
            .into_iter()
            .min_by_key(|error| error.kind() == ErrorKind::NotSent)
            .unwrap_or_else(|| nobody(location, deadline))),
        Err(_) => Err(nobody(location, deadline)),
    }
}

/// Asks a seed, which must know which nodes serve the slots.
async fn ask_serving_seed(nodes: &Nodes, seed: &HostPort) -> Result<Topology> {
    let topology = discover::ask_seed(nodes, seed).await?;
    match topology.covered() {
        _ if topology.nameless() > 0 => Err(error(
            ErrorKind::Invalid,
            format!("{seed} knows the cluster, but {NAMELESS}"),
        )),
        0 => Err(error(
            ErrorKind::NotSent,
            format!("{seed} is a node of a cluster that serves no slot yet"),
        )),
        _ => Ok(topology),
    }
}

fn host_port(info: &ConnectionInfo) -> Option<HostPort> {
    match info.addr() {
        ConnectionAddr::Tcp(host, port) => Some(HostPort {
            host: host.clone(),
            port: *port,
        }),
        _ => None,
    }
}

fn nobody(location: &str, deadline: Duration) -> Error {
    error(
        ErrorKind::NotSent,
        format!("no seed of {location} answered within {deadline:?}: check the addresses"),
    )
}

fn error(kind: ErrorKind, text: String) -> Error {
    Error::new("connect", kind, text)
}
