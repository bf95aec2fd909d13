use std::sync::{Arc, Weak};

use larder_store::{Error, ErrorKind, Interest, Result};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::links::Links;
use super::registry::SubscriptionRegistry;
use super::subject::{Sort, Subject};
use super::subscriber::Sink;
use crate::node::Limits;
use crate::route::Route;

/// All who listen on the servers of a store.
pub(crate) struct SubscriptionManager {
    registry: Arc<SubscriptionRegistry>,
    limits: Limits,
    links: Arc<Links>,
    tasks: Vec<AbortHandle>,
}

impl SubscriptionManager {
    /// Begins to keep connections for as long as somebody listens; nothing where there can be
    /// none.
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

    /// The command that sends a message to those who listen here.
    ///
    /// On one server all is classic: it has no slots, and who publishes and who listens have to do
    /// the same.
    pub(crate) fn publishes_with(&self, is_sharded: bool) -> &'static str {
        match self.sort(is_sharded) {
            Sort::Shard => "SPUBLISH",
            Sort::Channel | Sort::Pattern => "PUBLISH",
        }
    }

    fn sort(&self, is_sharded: bool) -> Sort {
        match is_sharded && self.links.is_cluster() {
            true => Sort::Shard,
            false => Sort::Channel,
        }
    }

    pub(super) fn subjects(&self, interest: &Interest) -> Vec<Subject> {
        let channels = interest.channels().iter();
        let channels = channels
            .map(|channel| Subject::channel(channel, self.sort(channel.topic().is_sharded())));
        let patterns = interest.patterns().iter().map(Subject::pattern);
        channels.chain(patterns).collect()
    }

    /// Listens until the place is dropped.
    pub(super) async fn listen(
        &self,
        subjects: Vec<Subject>,
        sink: Sink,
    ) -> Result<SubscriptionGuard> {
        let placed = subjects
            .into_iter()
            .map(|it| (self.links.link_for(&it), it));
        let placed: Vec<_> = placed.map(|(link, it)| (it, link)).collect();
        // A connection that has to be made first may take as long as any that is made.
        let has_to_dial = placed.iter().any(|(_, link)| !self.registry.is_up(*link));
        let deadline = match has_to_dial {
            true => self.limits.deadline + self.limits.connect_deadline,
            false => self.limits.deadline,
        };
        let subscriber = self.registry.add(placed, sink)?;
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

    /// A wakeup that fires when anything is published to the channel that reads as `text`, by
    /// [`publishes_with`](Self::publishes_with) as sharded: for those who are woken by another
    /// process, and look for themselves.
    ///
    /// It resolves once it is confirmed, as a subscription does. It costs one round trip, or none
    /// where somebody else of this store listens to the same. Errors are those of a subscription.
    pub(crate) async fn wakeup(&self, text: &str) -> Result<Wakeup> {
        let notify = Arc::new(Notify::new());
        let subject = Subject::plain(text, self.sort(true));
        let guard = self
            .listen(vec![subject], Sink::Wakeup(notify.clone()))
            .await?;
        Ok(Wakeup {
            notify,
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

/// What somebody who listens holds of the registry.
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

/// Rings when there was a message, or one may have been lost.
pub(crate) struct Wakeup {
    notify: Arc<Notify>,
    _guard: SubscriptionGuard,
}

impl Wakeup {
    /// Waits until it rings; at once where it rang since it was waited for last. A dropped wait
    /// loses nothing. It does not ring when the store ends, so a wait needs a deadline.
    pub(crate) async fn notified(&self) {
        self.notify.notified().await;
    }
}
