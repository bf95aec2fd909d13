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

/// One connection that is listened on, for as long as anybody does.
pub(super) struct Link {
    pub(super) registry: Arc<SubscriptionRegistry>,
    pub(super) id: LinkId,
    pub(super) target: LinkTarget,
    pub(super) limits: Limits,
}

/// Where a link leads.
#[derive(Clone)]
pub(super) enum LinkTarget {
    /// To one server, or to the node of a cluster that serves what is listened to.
    Node(Arc<SupervisedNode>, Option<ClusterView>),
    /// To whichever node of a cluster.
    AnyMaster(ClusterView),
}

/// How a connection ended.
enum End {
    /// It broke, or nothing came back on it.
    Broke,
    /// The server does not take what it is asked for now.
    Refused,
    /// Nobody listened for a while.
    Idle,
}

impl Link {
    /// Keeps a connection for as long as somebody listens, for ever.
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
                    .take_over(&last, self.limits.connect_deadline)
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
            // First, so that nothing more comes by it.
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

    /// A connection, unless nobody wants one any more.
    async fn dial(&self, backoff: &mut Backoff, broken: &Arc<Notify>) -> Option<Listening> {
        let mut outage = false;
        while self.registry.is_wanted(self.id) {
            backoff.admit().await;
            let health = Arc::new(Health::new(broken.clone()));
            let push_handler = PushHandler {
                registry: self.registry.clone(),
                link: self.id,
                health: health.clone(),
            };
            let listening = async {
                let node = self.node().ok_or(ConnectError::Broken)?;
                let connection = node.listen(push_handler, health).await?;
                Ok::<_, ConnectError>((Arc::new(connection), node))
            };
            match listening.await {
                Ok(listening) => {
                    backoff.succeeded();
                    if outage {
                        tracing::info!(server = %self.registry.location(), "listening again");
                    }
                    return Some(listening);
                }
                Err(error) => {
                    if !std::mem::replace(&mut outage, true) {
                        tracing::warn!(
                            server = %self.registry.location(), %error, "no connection to listen on"
                        );
                    }
                    self.registry.down(self.id, self.no_connection());
                    backoff.back_off().await;
                }
            }
        }
        None
    }

    /// Waits until a node has left the nodes that serve slots, where any of them would do. What it
    /// hears then is what reaches it, which may be nothing, and it goes on answering.
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
            "no connection to {} to listen on: it is being dialed again",
            self.registry.location()
        );
        Error::new("subscribe", ErrorKind::NotSent, text)
    }
}
