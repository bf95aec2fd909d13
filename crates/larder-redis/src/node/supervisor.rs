use std::ops::Deref;
use std::sync::Arc;

use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::Node;
use super::backoff::Backoff;
use crate::connection::ConnectError;

/// A node with a task that replaces its broken connection. Dropping it ends the task.
pub(crate) struct SupervisedNode {
    node: Arc<Node>,
    _supervisor: Supervisor,
}

impl SupervisedNode {
    /// Starts to supervise `node`, in the runtime that this is called in.
    pub(crate) fn new(node: Arc<Node>) -> Self {
        Self {
            _supervisor: Supervisor::start(node.clone()),
            node,
        }
    }
}

impl Deref for SupervisedNode {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

/// Replaces the broken connection of a node until it is dropped.
struct Supervisor(AbortHandle);

impl Supervisor {
    fn start(node: Arc<Node>) -> Self {
        // Created here, so that the node is notified even if the task never runs.
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

/// Ends the node when its supervisor ends.
struct Ended(Arc<Node>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.end();
    }
}

async fn supervise(node: Arc<Node>) {
    let mut backoff = Backoff::new();
    loop {
        node.supervisor.notified().await;
        probe(&node).await;
        if node.has_lost_its_connection() {
            node.raise_alarm();
        }
        let mut outage = false;
        while node.good_connection().is_none() {
            backoff.admit().await;
            let is_first = node.connections() == 0;
            match dial(&node).await {
                Ok(()) => {
                    backoff.succeeded();
                    if !is_first {
                        metrics::counter!(
                            "larder_redis_connections_replaced_total",
                            "server" => node.location.clone()
                        )
                        .increment(1);
                    }
                    if std::mem::take(&mut outage) {
                        tracing::info!(server = %node.location, "connected again");
                    }
                }
                Err(error) => {
                    node.dial_failed();
                    if !std::mem::replace(&mut outage, true) {
                        let master = node.named_master().map(tracing::field::display);
                        tracing::warn!(
                            server = %node.location, master, %error,
                            "cannot connect to the server: operations fail until it answers; trying again"
                        );
                        node.raise_alarm();
                    }
                    backoff.back_off().await;
                }
            }
        }
    }
}

/// Probes the connection while it is suspect.
async fn probe(node: &Node) {
    while let Some(connection) = node.good_connection()
        && connection.health().is_suspect()
    {
        tokio::select! {
            () = connection.probe(node.limits.timeout) => {}
            // The connection broke in the meantime, or answered and fell silent again.
            () = node.supervisor.notified() => {}
        }
    }
}

/// Dials a connection. Waiting operations fail once it takes longer than their deadline.
async fn dial(node: &Node) -> Result<(), ConnectError> {
    let connection = node.replace_connection();
    tokio::pin!(connection);
    tokio::select! {
        biased;
        done = &mut connection => return done,
        () = sleep(node.limits.timeout) => {}
    }
    node.set_down(true);
    connection.await
}
