//! Wakes the waiters for the end of a session.
//!
//! Every operation that ends sessions publishes the user, or the anonymous session. A process has one
//! subscription while anyone waits. A message means "check again", and so does a gap; a lost message
//! costs an interval.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use larder_store::bus::{Bus, Channel, Event, SubscribeRequest, Topic};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::token::{DeviceId, UserTag};

const ENDED: Topic = Topic::broadcast("session-ended");
/// The pause after a subscription failed.
const RETRY: Duration = Duration::from_secs(1);

/// The sessions that a message is about: those of a user, or one that has no user.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Subject([u8; 16]);

impl Subject {
    pub(crate) fn of(session: DeviceId, user: Option<&str>) -> Self {
        match user {
            Some(user) => Self::user(user),
            None => Self(session.bytes()),
        }
    }

    pub(crate) fn user(user: &str) -> Self {
        Self(UserTag::of(user).bytes())
    }
}

/// The waiters in this process. Clones share them.
#[derive(Clone)]
pub(super) struct Watch {
    bus: Option<Arc<dyn Bus>>,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    by_subject: HashMap<Subject, Vec<Arc<Notify>>>,
    /// The task that passes messages on.
    task: Option<AbortHandle>,
}

impl Watch {
    /// Makes one without waiters. Without a bus, only the interval makes them check.
    pub(super) fn new(bus: Option<Arc<dyn Bus>>) -> Self {
        Self {
            bus,
            waiting: Arc::default(),
        }
    }

    /// Tells every process that sessions of `subject`, or those of everyone, have ended. Does not wait.
    pub(super) fn publish(&self, subject: Option<Subject>) {
        self.wake(subject);
        // Without a runtime, nobody in this process sends anything.
        let (Some(bus), Ok(runtime)) = (self.bus.clone(), Handle::try_current()) else {
            return;
        };
        let payload = subject.map_or_else(Bytes::new, |Subject(id)| id.to_vec().into());
        runtime.spawn(async move {
            // If the message is lost, those who wait find out at their next interval.
            let _ = bus.publish(&Channel::new(ENDED, "all"), payload).await;
        });
    }

    /// Registers a waiter for `subject`, until the guard is dropped.
    pub(super) fn register(&self, subject: Subject) -> Registered {
        let notify = Arc::new(Notify::new());
        let mut waiting = self.lock();
        let list = waiting.by_subject.entry(subject).or_default();
        list.push(notify.clone());
        // The runtime of the first waiter may have ended, and the task with it.
        if waiting.task.as_ref().is_none_or(AbortHandle::is_finished)
            && let Some(bus) = self.bus.clone()
        {
            let task = tokio::spawn(pass_on(bus, self.clone()));
            waiting.task = Some(task.abort_handle());
        }
        drop(waiting);
        Registered {
            watch: self.clone(),
            subject,
            notify,
        }
    }

    /// Wakes the waiters for `subject`, or all of them.
    fn wake(&self, subject: Option<Subject>) {
        let waiting = self.lock();
        let notified: Vec<_> = match subject {
            Some(subject) => {
                let list = waiting.by_subject.get(&subject);
                list.into_iter().flatten().cloned().collect()
            }
            None => waiting.by_subject.values().flatten().cloned().collect(),
        };
        drop(waiting);
        for notify in notified {
            notify.notify_one();
        }
    }

    /// Locks, and ignores poison: the content is whole at every moment.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Passes messages on, until it is aborted.
async fn pass_on(bus: Arc<dyn Bus>, watch: Watch) {
    loop {
        let request = SubscribeRequest::to_channel(Channel::new(ENDED, "all"));
        if let Ok(mut events) = bus.subscribe(request).await {
            // Anything that was published earlier is found by a read.
            watch.wake(None);
            while let Some(event) = events.next().await {
                watch.wake(match event {
                    Event::Message(message) => (&*message.payload).try_into().ok().map(Subject),
                    Event::Gap => None,
                });
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// A registered waiter. Dropping it ends the wait.
pub(super) struct Registered {
    watch: Watch,
    subject: Subject,
    notify: Arc<Notify>,
}

impl Registered {
    /// Waits for a reason to check, at most for `interval`. Returns whether there was one.
    pub(super) async fn wait(&self, interval: Duration) -> bool {
        let told = tokio::time::timeout(interval, self.notify.notified());
        told.await.is_ok()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut waiting = self.watch.lock();
        if let Some(list) = waiting.by_subject.get_mut(&self.subject) {
            list.retain(|notify| !Arc::ptr_eq(notify, &self.notify));
            if list.is_empty() {
                waiting.by_subject.remove(&self.subject);
            }
        }
        if waiting.by_subject.is_empty()
            && let Some(task) = waiting.task.take()
        {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use async_trait::async_trait;
    use larder_store::Result;
    use larder_store::bus::{Mailbox, Message, Subscription, mailbox};
    use tokio::time::Instant;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    /// A bus with one subscriber.
    #[derive(Default)]
    struct OneSubscriber {
        mailbox: Mutex<Option<Mailbox>>,
        subscribed: Notify,
    }

    #[async_trait]
    impl Bus for OneSubscriber {
        async fn publish(&self, channel: &Channel, payload: Bytes) -> Result<()> {
            if let Some(mailbox) = &*self.mailbox.lock().unwrap() {
                let channel = channel.clone();
                mailbox.deliver(Message { channel, payload });
            }
            Ok(())
        }

        async fn subscribe(&self, _: SubscribeRequest) -> Result<Subscription> {
            let (mailbox, subscription) = mailbox(NonZeroUsize::new(8).unwrap());
            *self.mailbox.lock().unwrap() = Some(mailbox);
            self.subscribed.notify_one();
            Ok(subscription)
        }
    }

    /// Waits, and returns whether there was a reason to check before the hour was over.
    async fn is_told(registered: &Registered) -> bool {
        let began = Instant::now();
        registered.wait(HOUR).await;
        began.elapsed() < HOUR
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_wakes_its_own_and_a_gap_wakes_all_who_wait() {
        let bus = Arc::new(OneSubscriber::default());
        let watch = Watch::new(Some(bus.clone()));
        let [ada, grace] = ["ada", "grace"].map(|user| watch.register(Subject::user(user)));
        // Anything that was published before the subscription began is found by a read.
        assert!(is_told(&ada).await && is_told(&grace).await);
        // Another process publishes.
        let elsewhere = Watch::new(Some(bus.clone()));
        elsewhere.publish(Some(Subject::user("ada")));
        assert!(is_told(&ada).await && !is_told(&grace).await);
        bus.mailbox.lock().unwrap().as_ref().unwrap().leave_gap();
        assert!(is_told(&ada).await && is_told(&grace).await);
        // A subscription that ends is renewed, and all waiters read again.
        bus.subscribed.notified().await;
        *bus.mailbox.lock().unwrap() = None;
        assert!(is_told(&ada).await && is_told(&grace).await);
        bus.subscribed.notified().await;
        drop((ada, grace));
        assert!(watch.lock().task.is_none() && watch.lock().by_subject.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_bus_the_interval_is_the_reason_to_look() {
        let watch = Watch::new(None);
        let ada = watch.register(Subject::user("ada"));
        assert!(!is_told(&ada).await);
        // Within this process it is announced anyway.
        watch.publish(Some(Subject::user("ada")));
        assert!(is_told(&ada).await);
    }
}
