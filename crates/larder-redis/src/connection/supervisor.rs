use std::sync::Arc;

use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::fault::Fault;
use super::node::Node;
use super::pace::Pace;

/// The task that replaces the line of a node when it broke. It ends when this is dropped.
pub(crate) struct Supervisor(AbortHandle);

impl Supervisor {
    pub(crate) fn start(node: Arc<Node>) -> Self {
        // Made here: it tells the node also where the task never comes to run.
        let ended = Ended(node.clone());
        let supervising = async move {
            let _ended = ended;
            supervise(node).await;
        };
        Self(tokio::spawn(supervising).abort_handle())
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Tells the node that its supervisor has ended.
struct Ended(Arc<Node>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.end();
    }
}

async fn supervise(node: Arc<Node>) {
    let mut pace = Pace::new();
    loop {
        node.supervisor.notified().await;
        probe(&node).await;
        if node.has_lost_its_line() {
            node.raise_alarm();
        }
        let mut outage = false;
        while node.good_line().is_none() {
            pace.admit().await;
            match dial(&node).await {
                Ok(()) => {
                    pace.succeeded();
                    metrics::counter!(
                        "larder_redis_connections_replaced_total",
                        "server" => node.location.clone()
                    )
                    .increment(1);
                    if std::mem::take(&mut outage) {
                        tracing::info!(server = %node.location, "connected again");
                    }
                }
                Err(fault) => {
                    node.set_down(true);
                    if !std::mem::replace(&mut outage, true) {
                        tracing::warn!(server = %node.location, %fault, "no connection");
                        node.raise_alarm();
                    }
                    pace.back_off().await;
                }
            }
        }
    }
}

/// Asks the line for an answer for as long as it is suspect.
async fn probe(node: &Node) {
    while let Some(line) = node.good_line()
        && line.health().is_suspect()
    {
        tokio::select! {
            () = line.probe(node.limits.deadline) => {}
            // It broke meanwhile, or was heard of and fell silent again.
            () = node.supervisor.notified() => {}
        }
    }
}

/// Dials a line. Those who wait for it are sent away when it takes longer than they may wait.
async fn dial(node: &Node) -> Result<(), Fault> {
    let line = node.replace_line();
    tokio::pin!(line);
    tokio::select! {
        biased;
        done = &mut line => return done,
        () = sleep(node.limits.deadline) => {}
    }
    node.set_down(true);
    line.await
}
