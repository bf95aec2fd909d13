//! Routes operations to servers.
//!
//! Callers begin an operation by its key, and never hold a node: [`Route::begin`] for the commands of
//! one key, [`Route::begin_batch`] for those of several.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ::redis::{Cmd, Value};
use larder_store::{Key, Result};
use tokio::time::Instant;

use crate::cluster::{Cluster, RedirectState, Shard, Split};
use crate::node::{Access, Limits, SupervisedNode, cooperate};
use crate::operation::{Operation, Repeat, Request, Sequence};
use crate::script::is_forgotten;

/// The servers of a store.
pub(crate) enum Route {
    One(Arc<SupervisedNode>),
    Cluster(Cluster),
}

impl Route {
    /// Begins an operation on the server of `key`, unless too many are in flight.
    ///
    /// `key` is anything that has a slot, such as the name of a channel.
    pub(crate) async fn begin(&self, key: &[u8], request: Request) -> Result<Routed<'_>> {
        cooperate(match self {
            Self::One(server) => server.begin(request).map(Routed::alone),
            Self::Cluster(cluster) => cluster.begin(key, request).map(Routed::sharded),
        })
        .await
    }

    /// Begins an operation without a key, which any server can run. Those of one `name` keep their
    /// order while its server has a connection.
    pub(crate) async fn begin_anywhere(&self, name: &[u8], request: Request) -> Result<Routed<'_>> {
        cooperate(match self {
            Self::One(server) => server.begin(request).map(Routed::alone),
            Self::Cluster(cluster) => cluster.begin_anywhere(name, request).map(Routed::sharded),
        })
        .await
    }

    /// Begins an operation on several keys, wherever they are.
    pub(crate) async fn begin_batch(&self, request: Request) -> Result<Batch<'_>> {
        match self {
            Self::One(server) => Ok(Batch::One(cooperate(server.begin(request)).await?)),
            Self::Cluster(cluster) => Ok(Batch::Cluster {
                cluster,
                redirects: RedirectState::new(request, request.deadline(cluster.limits())),
                has_lost_run: AtomicBool::new(false),
            }),
        }
    }

    /// Returns the deadline of an operation that begins now.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.limits().timeout
    }

    /// Returns whether a write whose answer was lost may be acknowledged because it is found here.
    pub(crate) fn reads_back(&self) -> bool {
        self.limits().replicas.is_none()
    }

    /// Returns the servers that take writes, of which each key is on one.
    pub(crate) fn serving(&self) -> Vec<Arc<SupervisedNode>> {
        match self {
            Self::One(server) => vec![server.clone()],
            Self::Cluster(cluster) => cluster.serving(),
        }
    }

    pub(crate) fn location(&self) -> &str {
        match self {
            Self::One(server) => server.location(),
            Self::Cluster(cluster) => cluster.location(),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        match self {
            Self::One(server) => server.limits(),
            Self::Cluster(cluster) => cluster.limits(),
        }
    }
}

/// One operation on one key, from its start to its deadline.
pub(crate) struct Routed<'a> {
    operation: Operation<'a>,
    /// Follows redirects, in a cluster.
    shard: Option<Shard<'a>>,
}

impl<'a> Routed<'a> {
    fn alone(operation: Operation<'a>) -> Self {
        Self {
            operation,
            shard: None,
        }
    }

    fn sharded((operation, shard): (Operation<'a>, Shard<'a>)) -> Self {
        Self {
            operation,
            shard: Some(shard),
        }
    }

    /// Returns whether the deadline is still to come.
    pub(crate) fn has_time(&self) -> bool {
        self.operation.has_time()
    }

    /// Sends a command of the operation's key, and returns its answer.
    ///
    /// The answer may be an error of the server.
    ///
    /// # Errors
    /// Those of [`Operation::send`]. After a write whose answer was lost, a refusal becomes
    /// [`ErrorKind::MayHaveRun`](larder_store::ErrorKind::MayHaveRun).
    pub(crate) async fn send(&self, command: &Cmd, repeat: Repeat) -> Result<Value> {
        // An earlier command of it may have been redirected.
        if let Err(error) = self.operation.enter() {
            return cooperate(self.operation.settled(Err(error))).await;
        }
        let outcome = self.operation.send(command, repeat).await;
        let outcome = match &self.shard {
            Some(shard) if shard.is_elsewhere(&outcome) => {
                let following = shard.follow(&self.operation, command, repeat, outcome);
                // Boxed like everything rare, so that the future of the common case stays small.
                Box::pin(following).await
            }
            _ => outcome,
        };
        self.operation.settled(outcome)
    }

    /// Calls a script by its hash, and by its text if the server does not know it.
    ///
    /// In that case nothing ran before.
    ///
    /// # Errors
    /// Those of [`Operation::send`].
    pub(crate) async fn call(
        &self,
        by_hash: &Cmd,
        by_text: impl FnOnce() -> Cmd,
        repeat: Repeat,
    ) -> Result<Value> {
        let value = self.send(by_hash, repeat).await?;
        if !is_forgotten(&value) {
            return Ok(value);
        }
        let by_text = by_text();
        // Boxed like everything rare, so that the future of the common case stays small.
        Box::pin(self.send(&by_text, repeat)).await
    }
}

/// One operation on several keys, from its start to its deadline.
pub(crate) enum Batch<'a> {
    One(Operation<'a>),
    Cluster {
        cluster: &'a Cluster,
        redirects: RedirectState,
        /// Whether a write was repeated after a lost answer, on any node.
        has_lost_run: AtomicBool,
    },
}

impl Batch<'_> {
    /// Returns whether the deadline is still to come.
    pub(crate) fn has_time(&self) -> bool {
        match self {
            Self::One(operation) => operation.has_time(),
            Self::Cluster { redirects, .. } => redirects.has_time(),
        }
    }

    /// Sends commands to the servers of their keys, concurrently.
    ///
    /// It takes one round trip to each server, and returns the answer of each. Commands of one key
    /// run in their order. Replicas confirm each command by its own access.
    ///
    /// `repeat` says whether all commands that are sent together may be sent again together. After
    /// a write whose answer was lost, a refusal is changed as by [`Routed::send`].
    pub(crate) fn send<'k>(
        &self,
        items: impl ExactSizeIterator<Item = (&'k Key, Cmd, Access)>,
        repeat: Repeat,
    ) -> impl Future<Output = Vec<Result<Value>>> + Send {
        let load = match self {
            Self::One(operation) => {
                let mut sequence = Sequence::with_capacity(items.len());
                for (_, command, access) in items {
                    sequence.add(command, access);
                }
                Load::One(operation, sequence)
            }
            Self::Cluster {
                cluster,
                redirects,
                has_lost_run,
            } => Load::Split(cluster.split(redirects.clone(), items, repeat, has_lost_run)),
        };
        async move {
            match load {
                Load::One(_, sequence) if sequence.is_empty() => Vec::new(),
                Load::One(operation, mut sequence) => {
                    let outcomes = operation.send_sequence(&mut sequence, repeat).await;
                    let settled = |outcome| operation.settled(outcome);
                    outcomes.into_iter().map(settled).collect()
                }
                Load::Split(split) => Box::pin(split.send()).await,
            }
        }
    }
}

/// The commands of a batch.
enum Load<'a, 'k> {
    One(&'a Operation<'a>, Sequence),
    Split(Split<'a, 'k>),
}
