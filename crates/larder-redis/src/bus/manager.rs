use std::sync::{Arc, Weak};

use larder_store::bus::SubscribeRequest;
use larder_store::{Error, ErrorKind, Result};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::links::Links;
use super::registry::SubscriptionRegistry;
use super::subject::{Sort, Subject};
use super::subscriber::{Signal, Sink};
use crate::node::{Limits, cooperate};
use crate::route::Route;

/// Manages the subscriptions of a store.
pub(crate) struct SubscriptionManager {
    registry: Arc<SubscriptionRegistry>,
    limits: Limits,
    links: Arc<Links>,
    tasks: Vec<AbortHandle>,
}

impl SubscriptionManager {
    /// Starts the links of `route`. None if its servers cannot push.
    pub(crate) fn start(route: &Route, subscriptions: usize) -> Option<Arc<Self>> {
        let registry = Arc::new(SubscriptionRegistry::new(
            subscriptions,
            route.location().into(),
        ));
        let (links, tasks) = Links::start(&registry, route)?;
        Some(Arc::new(Self {
            registry,
            limits: *route.limits(),
            links,
            tasks,
        }))
    }

    /// Returns the sort of a channel, for publishers and subscribers.
    ///
    /// On one server no channel is sharded: it has no slots.
    pub(super) fn sort(&self, is_sharded: bool) -> Sort {
        match is_sharded && self.links.is_cluster() {
            true => Sort::Shard,
            false => Sort::Channel,
        }
    }

    pub(super) fn subjects(&self, request: &SubscribeRequest) -> Vec<Subject> {
        let channels = request.channels().iter();
        let channels = channels
            .map(|channel| Subject::channel(channel, self.sort(channel.topic().is_sharded())));
        let patterns = request.patterns().iter().map(Subject::pattern);
        channels.chain(patterns).collect()
    }

    /// Subscribes until the guard is dropped.
    pub(super) async fn listen(
        &self,
        subjects: Vec<Subject>,
        sink: Sink,
    ) -> Result<SubscriptionGuard> {
        let placed = subjects.into_iter().map(|it| {
            let link = self.links.link_for(&it)?;
            Ok((it, link))
        });
        let placed: Vec<_> = cooperate(placed.collect::<Result<_>>()).await?;
        // If a connection must be made first, this may take as long as any connection may take.
        let has_to_dial = placed.iter().any(|(_, link)| !self.registry.is_up(*link));
        let deadline = match has_to_dial {
            true => self.limits.timeout + self.limits.connect_timeout,
            false => self.limits.timeout,
        };
        let subscriber = cooperate(self.registry.add(placed, sink)).await?;
        let guard = SubscriptionGuard {
            registry: Arc::downgrade(&self.registry),
            number: subscriber.number,
            texts: subscriber.texts.clone(),
        };
        match timeout(deadline, subscriber.confirmed()).await {
            Ok(confirmed) => confirmed.map(|()| guard),
            Err(_) => {
                let location = self.registry.location();
                let text = format!("{location} did not answer within {deadline:?}");
                Err(Error::new("subscribe", ErrorKind::NotSent, text))
            }
        }
    }

    /// Subscribes to the channel `text`, which is sharded on a cluster, for wakeups only.
    ///
    /// It resolves once the server has confirmed it, as a subscription does. It costs one round
    /// trip, or none if the store is subscribed already. Errors are those of a subscription.
    pub(crate) async fn wakeup(&self, text: &str) -> Result<Wakeup> {
        let signal = Arc::new(Signal::default());
        let subject = Subject::plain(text, self.sort(true));
        let guard = self
            .listen(vec![subject], Sink::Wakeup(signal.clone()))
            .await?;
        Ok(Wakeup {
            signal,
            _guard: guard,
        })
    }
}

impl Drop for SubscriptionManager {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
        self.links.end();
        self.registry.end();
    }
}

/// Unsubscribes when it is dropped.
pub(super) struct SubscriptionGuard {
    registry: Weak<SubscriptionRegistry>,
    number: u64,
    texts: Vec<Box<str>>,
}

impl Drop for SubscriptionGuard {
    fn drop(&mut self) {
        if let Some(registry) = self.registry.upgrade() {
            registry.remove(self.number, &self.texts);
        }
    }
}

/// Fires when a message came, when one may have been lost, and when the subscription ends.
pub(crate) struct Wakeup {
    signal: Arc<Signal>,
    _guard: SubscriptionGuard,
}

impl Wakeup {
    /// Waits until it fires; returns at once if it fired since the last wait. Returns true if it
    /// fired only for messages, and false if one may have been lost.
    ///
    /// A dropped wait loses nothing.
    pub(crate) async fn notified(&self) -> bool {
        self.signal.fired().await
    }

    /// Returns whether it will not fire again: the user may no longer subscribe, or the store has
    /// ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.signal.has_ended()
    }
}
