use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use larder_store::{Error, ErrorKind, Refusal, Result};
use tokio::time::{sleep, timeout};

use super::history::History;
use super::replica::{NAME, Replica};
use super::replication_info::ReplicationInfo;
use super::{Replicas, Shared, address_of};
use crate::connection::{Address, HostPort};
use crate::node::{Limits, SupervisedNode};
use crate::operation::{Repeat, Request};

/// The maximum time between two looks.
const SELDOM: Duration = Duration::from_secs(1);

/// The maximum number of replicas of one master that are read.
const MOST: usize = 16;

/// Refuses a user who may not run `INFO`, since no replica would ever be read.
pub(super) async fn may_watch(shared: &Shared) -> Result<()> {
    let masters = shared.masters.all();
    let Some((master, _)) = masters.iter().find(|(master, _)| master.is_up()) else {
        return Ok(());
    };
    let operation =
        master.begin(Request::read("connect").within(master.limits().connect_timeout))?;
    let answer = operation
        .send(&ReplicationInfo::command(), Repeat::Safe)
        .await?;
    let location = master.location();
    if ReplicationInfo::is_denied(&answer) {
        return Err(Error::new(
            "connect",
            ErrorKind::Refused(Refusal::Denied),
            format!(
                "reads from replicas need INFO, which this user of {location} may not run: \
                 grant +info"
            ),
        ));
    }
    if let Some(ReplicationInfo::Master { replicas, .. }) = ReplicationInfo::read(&answer)
        && replicas.is_empty()
    {
        tracing::warn!(server = location, "no replica yet: reads go to the master");
    }
    Ok(())
}

/// Measures the replicas periodically.
pub(super) async fn watch(shared: Arc<Shared>, template: Address, limits: Limits) {
    let every = (shared.max_staleness / 4).min(SELDOM);
    let mut histories: HashMap<usize, History> = HashMap::new();
    loop {
        let masters = shared.masters.all();
        let mut known = std::mem::take(&mut histories);
        let looks = masters.into_iter().map(|(master, host_ports)| {
            let history = known.remove(&address_of(&master));
            let history = history.unwrap_or_else(|| History::new(shared.max_staleness));
            let shard = Shard {
                shared: &shared,
                template: &template,
                limits,
                every,
            };
            shard.look(master, host_ports, history)
        });
        let mut replicas = HashMap::new();
        for (found, history) in join_all(looks).await {
            let oldest = shared.oldest();
            let fresh = found
                .all
                .iter()
                .filter(|it| it.fresh_since(oldest).is_some());
            let server = found.master.location().to_owned();
            metrics::gauge!("larder_redis_replicas", "server" => server).set(fresh.count() as f64);
            let address = address_of(&found.master);
            histories.insert(address, history);
            replicas.insert(address, found);
        }
        shared.replicas.store(Arc::new(replicas));
        sleep(every.mul_f64(0.75 + fastrand::f64() / 4.0)).await;
    }
}

/// The replicas of one master, measured once.
struct Shard<'a> {
    shared: &'a Shared,
    template: &'a Address,
    limits: Limits,
    every: Duration,
}

impl Shard<'_> {
    async fn look(
        self,
        master: Arc<SupervisedNode>,
        host_ports: Option<Vec<HostPort>>,
        mut history: History,
    ) -> (Replicas, History) {
        let known = self.shared.replicas.load();
        let known = known.get(&address_of(&master));
        let known = known.map_or_else(Vec::new, |known| known.all.clone());
        // Read before asking, so that the answer includes everything that was acknowledged until
        // then.
        let at = self.shared.now();
        let named = match timeout(self.every, self.ask(&master)).await {
            Ok(Some(ReplicationInfo::Master { position, replicas })) => {
                history.note(&position.id, position.offset, at);
                Some(host_ports.unwrap_or(replicas))
            }
            _ => None,
        };
        let is_heard = named.is_some();
        let all = match named {
            // It may be unavailable for a moment.
            None => known,
            Some(host_ports) => self.replicas(known, host_ports),
        };
        join_all(all.iter().map(|it| it.look(&history, is_heard, self.every))).await;
        (Replicas { master, all }, history)
    }

    async fn ask(&self, master: &SupervisedNode) -> Option<ReplicationInfo> {
        let operation = master.begin(Request::read(NAME)).ok()?;
        let answer = operation
            .send(&ReplicationInfo::command(), Repeat::Safe)
            .await;
        ReplicationInfo::read(&answer.ok()?)
    }

    /// Returns the replicas at `host_ports`, with their connections. Replicas that are no longer
    /// listed stay while they are fresh, because one that lost its master for a moment comes back.
    fn replicas(&self, known: Vec<Arc<Replica>>, host_ports: Vec<HostPort>) -> Vec<Arc<Replica>> {
        let oldest = self.shared.oldest();
        let stays = |it: &Arc<Replica>| {
            host_ports.contains(&it.host_port) || it.fresh_since(oldest).is_some()
        };
        let mut replicas: Vec<_> = known.into_iter().filter(stays).collect();
        for host_port in host_ports {
            if replicas.len() < MOST && !replicas.iter().any(|it| it.host_port == host_port) {
                let to = self.shared.masters.replicas();
                let replica = Replica::new(host_port, self.template, self.limits, to);
                replicas.push(Arc::new(replica));
            }
        }
        replicas
    }
}
