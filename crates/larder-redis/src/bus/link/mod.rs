mod serving;

use std::future::pending;
use std::sync::Arc;

use larder_store::{Error, ErrorKind};
use tokio::sync::Notify;

use super::push_handler::PushHandler;
use super::registry::{LinkId, SubscriptionRegistry};
use crate::cluster::ClusterView;
use crate::connection::{ConnectError, Connection, Health};
use crate::node::{Backoff, Limits, SupervisedNode};

/// A connection, and the server at its other end.
type Listening = (Arc<Connection>, Arc<SupervisedNode>);

/// Keeps one connection for subscriptions while there are any.
pub(super) struct Link {
    pub(super) registry: Arc<SubscriptionRegistry>,
    pub(super) id: LinkId,
    pub(super) target: LinkTarget,
    pub(super) limits: Limits,
}

/// The server that a link connects to.
#[derive(Clone)]
pub(super) enum LinkTarget {
    /// One server, or the node of a cluster that serves the channels.
    Node(Arc<SupervisedNode>, Option<ClusterView>),
    /// Any master of a cluster.
    AnyMaster(ClusterView),
}

/// The end of a connection.
enum End {
    /// It broke, or no answer came on it.
    Broke,
    /// The server refuses the subscriptions for now.
    Refused,
    /// There were no subscribers for a while.
    Idle,
}

impl Link {
    /// Keeps a connection while there are subscribers; never returns.
    pub(super) async fn run(self) {
        let notifier = self.registry.notifier(self.id);
        let broken = Arc::new(Notify::new());
        let mut backoff = Backoff::new();
        let mut last: Option<Arc<Connection>> = None;
        loop {
            while !self.registry.is_wanted(self.id) {
                self.registry.clear_failure(self.id);
                notifier.notified().await;
            }
            let Some((connection, node)) = self.dial(&mut backoff, &broken).await else {
                continue;
            };
            if let Some(last) = last.take() {
                connection
                    .take_over(&last, self.limits.connect_timeout)
                    .await;
                let server = self.registry.location().clone();
                metrics::counter!("larder_redis_bus_reconnects_total", "server" => server)
                    .increment(1);
            }
            self.registry.up(self.id);
            let end = tokio::select! {
                end = self.serve(&connection, &notifier, &broken) => end,
                () = self.left(&node) => End::Broke,
            };
            // First, so that nothing more arrives through it.
            connection.close().await;
            self.registry.lost(self.id);
            match end {
                End::Broke => last = Some(connection),
                End::Refused => {
                    last = Some(connection);
                    backoff.back_off().await;
                }
                End::Idle => {}
            }
        }
    }

    /// Dials until there is a connection. None once there are no subscribers left.
    async fn dial(&self, backoff: &mut Backoff, broken: &Arc<Notify>) -> Option<Listening> {
        let mut outage = false;
        while self.registry.is_wanted(self.id) {
            backoff.admit().await;
            let push_handler = |health: Arc<Health>| PushHandler {
                registry: self.registry.clone(),
                link: self.id,
                health,
            };
            let listening = async {
                let node = self.node().ok_or(ConnectError::Broken)?;
                let connection = node.listen(push_handler, broken).await?;
                Ok::<_, ConnectError>((Arc::new(connection), node))
            };
            match listening.await {
                Ok(listening) => {
                    backoff.succeeded();
                    if outage {
                        tracing::info!(server = %self.registry.location(), "the subscription connection is back");
                    }
                    return Some(listening);
                }
                Err(error) => {
                    if !std::mem::replace(&mut outage, true) {
                        let master = self.node().and_then(|node| node.named_master());
                        tracing::warn!(
                            server = %self.registry.location(),
                            master = master.map(tracing::field::display), %error,
                            "cannot open the subscription connection: messages may be lost until it is back; trying again"
                        );
                    }
                    self.registry.down(self.id, self.no_connection());
                    backoff.back_off().await;
                }
            }
        }
        None
    }

    /// Waits until a node no longer serves slots, if any such node would do.
    ///
    /// Such a node only gets the messages that reach it, perhaps none, and goes on answering.
    async fn left(&self, node: &SupervisedNode) {
        if let LinkTarget::AnyMaster(view) = &self.target {
            let mut generation = view.generation();
            while view.serves(node) && generation.changed().await.is_ok() {}
        } else {
            pending().await
        }
    }

    fn node(&self) -> Option<Arc<SupervisedNode>> {
        match &self.target {
            LinkTarget::Node(node, _) => Some(node.clone()),
            LinkTarget::AnyMaster(view) => view.any_master(),
        }
    }

    fn no_connection(&self) -> Error {
        let text = format!(
            "no subscription connection to {}: reconnecting",
            self.registry.location()
        );
        Error::new("subscribe", ErrorKind::NotSent, text)
    }
}
