use std::sync::Arc;

use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::fault::Fault;
use super::node::Node;
use super::pace::Pace;

/// The task that replaces the lines of a node that broke. It ends when this is dropped.
pub(crate) struct Supervisor(AbortHandle);

impl Supervisor {
    pub(crate) fn start(node: Arc<Node>) -> Self {
        Self(tokio::spawn(supervise(node)).abort_handle())
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn supervise(node: Arc<Node>) {
    let mut pace = Pace::new();
    loop {
        node.supervisor.notified().await;
        let mut outage = false;
        while node.good_lines() < node.limits.connections {
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
                    if node.good_lines() == 0 {
                        node.set_down(true);
                        if !std::mem::replace(&mut outage, true) {
                            tracing::warn!(server = %node.location, %fault, "no connection");
                        }
                    }
                    pace.back_off().await;
                }
            }
        }
    }
}

/// Dials one line. Those who wait for it are sent away when it takes longer than they may wait.
async fn dial(node: &Node) -> Result<(), Fault> {
    let line = node.add_line();
    tokio::pin!(line);
    tokio::select! {
        biased;
        done = &mut line => return done,
        () = sleep(node.limits.deadline) => {}
    }
    if node.good_lines() == 0 {
        node.set_down(true);
    }
    line.await
}
