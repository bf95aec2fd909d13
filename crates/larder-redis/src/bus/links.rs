use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use larder_store::Result;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::link::{Link, LinkTarget};
use super::registry::{LinkId, SubscriptionRegistry};
use super::subject::Subject;
use crate::cluster::ClusterView;
use crate::node::{Limits, SupervisedNode};
use crate::route::Route;

/// The link for all channels that are not sharded; the only one on one server.
const MAIN: LinkId = 0;

/// The interval of checks of sharded subjects against the slots.
///
/// They are also checked after each change of the slots.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The links of a store: one, and in a cluster one for each master.
///
/// A master has one if it has sharded subscriptions.
pub(super) struct Links {
    registry: Arc<SubscriptionRegistry>,
    limits: Limits,
    view: Option<ClusterView>,
    /// The runtime of the links' tasks. In another runtime they would end with that one.
    runtime: Handle,
    shards: Mutex<Shards>,
}

#[derive(Default)]
struct Shards {
    /// The links by the address of their master.
    links: HashMap<Arc<str>, (LinkId, AbortHandle)>,
    last: LinkId,
}

impl Links {
    /// Makes the links of `route` and the tasks that run them. None if its servers cannot push.
    pub(super) fn start(
        registry: &Arc<SubscriptionRegistry>,
        route: &Route,
    ) -> Option<(Arc<Self>, Vec<AbortHandle>)> {
        let (view, target) = match route {
            Route::One(node) if node.can_listen() => (None, LinkTarget::Node(node.clone(), None)),
            Route::Cluster(cluster) => {
                let view = cluster.view();
                view.any_master().filter(|master| master.can_listen())?;
                (Some(view.clone()), LinkTarget::AnyMaster(view))
            }
            Route::One(_) => return None,
        };
        let links = Arc::new(Self {
            registry: registry.clone(),
            limits: *route.limits(),
            view,
            runtime: Handle::current(),
            shards: Mutex::default(),
        });
        let (main, ended) = (links.link(MAIN, target), Ended(registry.clone()));
        let main = async move {
            let _ended = ended;
            main.run().await;
        };
        let mut tasks = vec![tokio::spawn(main).abort_handle()];
        if let Some(view) = links.view.clone() {
            let following = links.clone().follow(view);
            tasks.push(tokio::spawn(following).abort_handle());
        }
        Some((links, tasks))
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.view.is_some()
    }

    /// Returns the link that carries a subject.
    ///
    /// # Errors
    /// If no node serves the slot of a sharded subject: any other node would refuse it.
    pub(super) fn link_for(&self, subject: &Subject) -> Result<LinkId> {
        match self.view.as_ref().filter(|_| subject.is_sharded()) {
            Some(view) => {
                let master = view.serving("subscribe", subject.text().as_bytes())?;
                Ok(self.link_to(master, view))
            }
            None => Ok(MAIN),
        }
    }

    fn to_shard(&self, subject: &Subject) -> Option<LinkId> {
        let view = self.view.as_ref().filter(|_| subject.is_sharded())?;
        let master = view.master_of(subject.text().as_bytes())?;
        Some(self.link_to(master, view))
    }

    /// Returns the link to a master of a cluster, and begins it if there is none.
    fn link_to(&self, master: Arc<SupervisedNode>, view: &ClusterView) -> LinkId {
        let mut shards = self.shards.lock();
        if let Some((id, _)) = shards.links.get(master.location()) {
            return *id;
        }
        shards.last += 1;
        let id = shards.last;
        let location: Arc<str> = master.location().into();
        let link = self.link(id, LinkTarget::Node(master, Some(view.clone())));
        let task = self.runtime.spawn(link.run()).abort_handle();
        shards.links.insert(location, (id, task));
        id
    }

    fn link(&self, id: LinkId, target: LinkTarget) -> Link {
        Link {
            registry: self.registry.clone(),
            id,
            target,
            limits: self.limits,
        }
    }

    /// Moves subjects with the slots.
    async fn follow(self: Arc<Self>, view: ClusterView) {
        let mut generation = view.generation();
        loop {
            match timeout(CHECK_INTERVAL, generation.changed()).await {
                Ok(Ok(())) => {
                    self.registry.reassign(|subject| self.to_shard(subject));
                    // Messages may be lost while one node takes over from another.
                    self.registry.leave_gaps(MAIN);
                }
                Ok(Err(_)) => return,
                Err(_) => self.registry.reassign(|subject| self.to_shard(subject)),
            }
            self.close_unused(&view.masters());
        }
    }

    /// Ends the idle links to nodes that no longer serve slots.
    fn close_unused(&self, masters: &[Arc<SupervisedNode>]) {
        let ids = self.shard_ids();
        let idle: HashSet<_> = ids.filter(|id| !self.registry.is_wanted(*id)).collect();
        self.shards.lock().links.retain(|location, (id, task)| {
            let serves = masters
                .iter()
                .any(|master| master.location() == &**location);
            let stays = serves || !idle.contains(id);
            if !stays {
                task.abort();
            }
            stays
        });
        self.registry
            .keep_links(|| self.shard_ids().chain([MAIN]).collect());
    }

    fn shard_ids(&self) -> impl Iterator<Item = LinkId> + use<> {
        let shards = self.shards.lock();
        let ids: Vec<_> = shards.links.values().map(|(id, _)| *id).collect();
        ids.into_iter()
    }

    pub(super) fn end(&self) {
        for (_, task) in self.shards.lock().links.values() {
            task.abort();
        }
    }
}

/// Ends the registry when the main link ends.
struct Ended(Arc<SubscriptionRegistry>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.end();
    }
}
