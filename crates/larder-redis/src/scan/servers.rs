use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use ::redis::{Pipeline, Value};
use futures_util::future::join_all;
use larder_store::{Error, ErrorKind, Refusal, Result};
use tokio::time::{Instant, sleep};

use super::position::invalid;
use crate::classify;
use crate::node::SupervisedNode;
use crate::operation::{Repeat, Request};
use crate::reply::text;
use crate::route::Route;

/// The time that the nodes of a cluster may take to agree on who serves what.
const PATIENCE: Duration = Duration::from_secs(1);

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// The servers that a scan goes over, in its order.
///
/// A cursor is valid only for the process that returned it, and a scan is complete only if each key
/// was on one server for all of it. So each server is asked for its run id, and each node of a
/// cluster for its slots: this store's own view may be outdated, and a node may know of a move of
/// which the others have not heard yet.
pub(super) struct Servers {
    pub(super) masters: Vec<Arc<SupervisedNode>>,
    /// It changes after a restart, a failover, or a move of a slot, even there and back.
    pub(super) fingerprint: u64,
}

impl Servers {
    /// Asks which servers there are now.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] while a slot moves, because its keys are then on two nodes. Otherwise
    /// those of an operation.
    pub(super) async fn look(route: &Route) -> Result<Self> {
        let started = Instant::now();
        loop {
            if let Some(servers) = Self::ask(route).await? {
                return Ok(servers);
            }
            if started.elapsed() >= PATIENCE {
                return Err(unavailable(
                    "the nodes of the cluster disagree about who serves which slots",
                ));
            }
            sleep(PAUSE).await;
        }
    }

    /// Asks the servers once. None if a node serves other slots than this store knows.
    async fn ask(route: &Route) -> Result<Option<Self>> {
        let mut hasher = DefaultHasher::new();
        let cluster = match route {
            Route::One(server) => {
                let run_id = ask_one(server).await?;
                run_id.hash(&mut hasher);
                return Ok(Some(Self {
                    masters: vec![server.clone()],
                    fingerprint: hasher.finish(),
                }));
            }
            Route::Cluster(cluster) => cluster,
        };
        let slots = cluster.slots();
        let asking: Vec<_> = slots.iter().map(|(node, _)| ask_node(node)).collect();
        for ((_, expected), said) in slots.iter().zip(join_all(asking).await) {
            let (run_id, node) = said?;
            if node.is_moving {
                return Err(invalid(
                    "a slot is moving between nodes: start the scan again when it has moved",
                ));
            }
            if node.slots != *expected {
                cluster.note_outdated();
                return Ok(None);
            }
            (run_id, node).hash(&mut hasher);
        }
        Ok(Some(Self {
            masters: slots.into_iter().map(|(node, _)| node).collect(),
            fingerprint: hasher.finish(),
        }))
    }
}

async fn ask_one(server: &SupervisedNode) -> Result<String> {
    let mut asking = Pipeline::with_capacity(1);
    asking.cmd("INFO").arg("server");
    let mut answers = send(server, &asking).await?.into_iter();
    run_id(&read(answers.next(), "+info")?)
}

async fn ask_node(node: &SupervisedNode) -> Result<(String, Myself)> {
    let mut asking = Pipeline::with_capacity(2);
    asking.cmd("INFO").arg("server");
    asking.cmd("CLUSTER").arg("NODES");
    let mut answers = send(node, &asking).await?.into_iter();
    let run_id = run_id(&read(answers.next(), "+info")?)?;
    let nodes = read(answers.next(), "+cluster|nodes")?;
    let myself = Myself::read(&nodes).ok_or_else(|| classify::unexpected("scan"))?;
    Ok((run_id, myself))
}

async fn send(server: &SupervisedNode, asking: &Pipeline) -> Result<Vec<Value>> {
    let operation = server.begin(Request::read("scan"))?;
    let answers = operation.send_all(asking, Repeat::Safe).await;
    answers.into_iter().collect()
}

/// Returns the text of an answer, for which the user needs `right`.
fn read(answer: Option<Value>, right: &str) -> Result<String> {
    match answer {
        Some(Value::ServerError(error)) if error.code() == "NOPERM" => Err(Error::new(
            "scan",
            ErrorKind::Refused(Refusal::Denied),
            format!("a scan must identify the server, which this user may not do: grant {right}"),
        )),
        Some(Value::ServerError(error)) => Err(classify::refused("scan", &error)),
        answer => match answer.as_ref().and_then(text) {
            Some(text) => Ok(text.to_owned()),
            None => Err(classify::unexpected("scan")),
        },
    }
}

/// Returns the id that a process got when it started.
fn run_id(info: &str) -> Result<String> {
    let mut lines = info.lines();
    let run_id = lines.find_map(|line| line.strip_prefix("run_id:"));
    let run_id = run_id.map(|id| id.trim().to_owned());
    run_id.ok_or_else(|| unavailable("the answer to INFO server has no run_id"))
}

fn unavailable(text: &'static str) -> Error {
    Error::new("scan", ErrorKind::Refused(Refusal::Unavailable), text)
}

/// A cluster node's description of itself.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Myself {
    id: String,
    /// It grows when the node takes over a slot.
    epoch: u64,
    slots: Vec<(u16, u16)>,
    /// Whether a slot is moving here, or away.
    is_moving: bool,
}

impl Myself {
    /// Reads the answer of `CLUSTER NODES`.
    fn read(nodes: &str) -> Option<Self> {
        let mut lines = nodes.lines().map(|line| line.split(' '));
        let mut fields = lines.find(|fields| {
            let flags = fields.clone().nth(2).unwrap_or_default();
            flags.split(',').any(|flag| flag == "myself")
        })?;
        let id = fields.next()?.to_owned();
        // The address, the flags, the master, the ping and the pong come before the epoch, and the
        // state of the link after it.
        let epoch = fields.nth(5)?.parse().ok()?;
        fields.next()?;
        let mut node = Self {
            id,
            epoch,
            slots: Vec::new(),
            is_moving: false,
        };
        for range in fields {
            if range.starts_with('[') {
                node.is_moving = true;
                continue;
            }
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            node.slots.push((first.parse().ok()?, last.parse().ok()?));
        }
        Some(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: &str = "b 127.0.0.1:2@12 master - 0 1 2 connected 5-16383\n";

    #[test]
    fn a_node_is_read_by_its_own_line() {
        let own = "a 127.0.0.1:1@11,host myself,master - 0 0 7 connected 0-3 5 9-16383";
        let read = Myself::read(&format!("{OTHER}{own}\n")).unwrap();
        assert_eq!((&*read.id, read.epoch, read.is_moving), ("a", 7, false));
        assert_eq!(read.slots, [(0, 3), (5, 5), (9, 16_383)]);
        for moving in ["[93-<-b]", "[77->-b]"] {
            assert!(Myself::read(&format!("{own} {moving}")).unwrap().is_moving);
        }
        let replica = Myself::read("a 127.0.0.1:1@11 myself,slave b 0 0 7 connected\n");
        assert!(replica.unwrap().slots.is_empty());
        for nothing in ["", OTHER, "a x myself", "a x myself - 0 0 seven connected"] {
            assert_eq!(Myself::read(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_run_id_is_a_line_of_its_own() {
        assert_eq!(run_id("# Server\r\nrun_id:abc\r\n").unwrap(), "abc");
        assert!(run_id("# Server\r\nx_run_id:abc\r\n").is_err());
    }
}
