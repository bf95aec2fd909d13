use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::{Event, Message};
use crate::Namespace;

/// Makes a mailbox with room for `buffer` messages, and its subscription, for stores.
pub fn mailbox(buffer: NonZeroUsize) -> (Mailbox, Subscription) {
    let inner = Arc::new(Mutex::new(Inner {
        messages: VecDeque::new(),
        room: buffer.get(),
        has_gap: false,
        is_closed: false,
        subscriber: None,
    }));
    let subscription = Subscription {
        inner: inner.clone(),
        namespaces: Vec::new(),
        _guard: None,
    };
    (Mailbox(inner), subscription)
}

/// The store's end of a [`Subscription`]. Nothing here waits. The subscription ends when this is
/// dropped.
pub struct Mailbox(Arc<Mutex<Inner>>);

struct Inner {
    messages: VecDeque<Message>,
    room: usize,
    /// Whether messages were lost after those that wait here.
    has_gap: bool,
    is_closed: bool,
    subscriber: Option<Waker>,
}

impl Inner {
    /// Takes the next event, if any. A closed mailbox ends after its last one.
    fn take(&mut self) -> Poll<Option<Event>> {
        if let Some(message) = self.messages.pop_front() {
            return Poll::Ready(Some(Event::Message(message)));
        }
        if std::mem::take(&mut self.has_gap) {
            return Poll::Ready(Some(Event::Gap));
        }
        match self.is_closed {
            true => Poll::Ready(None),
            false => Poll::Pending,
        }
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").finish_non_exhaustive()
    }
}

impl Mailbox {
    /// Adds a message, or leaves a gap if there is no room.
    ///
    /// After a gap, no message is added until the subscriber has read the gap, so that it marks the
    /// place of the missing messages.
    pub fn deliver(&self, message: Message) {
        let mut inner = lock(&self.0);
        if inner.has_gap || inner.messages.len() >= inner.room {
            inner.has_gap = true;
        } else {
            inner.messages.push_back(message);
        }
        wake(inner);
    }

    /// Tells the subscriber that messages may have been lost.
    pub fn leave_gap(&self) {
        let mut inner = lock(&self.0);
        inner.has_gap = true;
        wake(inner);
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        let mut inner = lock(&self.0);
        inner.is_closed = true;
        wake(inner);
    }
}

/// The events of one subscriber.
///
/// Dropping it ends the subscription.
pub struct Subscription {
    inner: Arc<Mutex<Inner>>,
    namespaces: Vec<Namespace>,
    _guard: Option<Box<dyn Any + Send + Sync>>,
}

impl Subscription {
    /// Waits for the next event. Returns None once the store is gone and every message was read.
    ///
    /// # Cancellation
    /// A dropped call loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Polls for the next event, for futures that are written by hand.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        if let Poll::Ready(event) = lock(&self.inner).take() {
            return Poll::Ready(event.map(|event| self.as_seen(event)));
        }
        // Cloning and dropping a waker run code of its owner, so both are done outside the lock.
        let waker = cx.waker().clone();
        let mut inner = lock(&self.inner);
        match inner.take() {
            Poll::Pending => {
                let before = inner.subscriber.replace(waker);
                drop(inner);
                drop(before);
                Poll::Pending
            }
            Poll::Ready(event) => {
                drop(inner);
                Poll::Ready(event.map(|event| self.as_seen(event)))
            }
        }
    }

    /// Drops `guard` together with the subscription, for stores and decorators.
    ///
    /// Guards that were added before are kept.
    #[must_use]
    pub fn with_guard(mut self, guard: impl Any + Send + Sync) -> Self {
        self._guard = Some(Box::new((guard, self._guard.take())));
        self
    }

    /// Shows the names of channels as seen inside `namespace`, for decorators.
    #[must_use]
    pub fn seen_from(mut self, namespace: Namespace) -> Self {
        self.namespaces.push(namespace);
        self
    }

    fn as_seen(&self, event: Event) -> Event {
        let Event::Message(Message { channel, payload }) = event else {
            return event;
        };
        let channel = self
            .namespaces
            .iter()
            .fold(channel, |channel, namespace| channel.seen_from(namespace));
        Event::Message(Message { channel, payload })
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("waiting", &lock(&self.inner).messages.len())
            .finish_non_exhaustive()
    }
}

/// Locks, and ignores poison, because the content is whole at every moment.
fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Wakes the subscriber after releasing the lock.
fn wake(mut inner: MutexGuard<'_, Inner>) {
    let subscriber = inner.subscriber.take();
    drop(inner);
    if let Some(subscriber) = subscriber {
        subscriber.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::task::Wake;
    use std::time::Duration;

    use super::*;
    use crate::bus::{Channel, Topic};

    const TOPIC: Topic = Topic::broadcast("seat");

    fn message(text: &'static str) -> Message {
        Message {
            channel: Channel::new(TOPIC, 1_u32),
            payload: text.into(),
        }
    }

    fn next(subscription: &mut Subscription) -> Poll<Option<Event>> {
        subscription.poll_next(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_gap_stands_where_messages_are_missing() {
        let (mailbox, mut subscription) = mailbox(NonZeroUsize::new(2).unwrap());
        for text in ["a", "b", "c", "d"] {
            mailbox.deliver(message(text));
        }
        for text in ["a", "b"] {
            assert_eq!(
                next(&mut subscription),
                Poll::Ready(Some(Event::Message(message(text))))
            );
            // Lost too, although there is room: the gap has not been read yet.
            mailbox.deliver(message("lost"));
        }
        assert_eq!(next(&mut subscription), Poll::Ready(Some(Event::Gap)));
        assert_eq!(next(&mut subscription), Poll::Pending);
        mailbox.deliver(message("e"));
        mailbox.leave_gap();
        mailbox.leave_gap();
        drop(mailbox);
        assert_eq!(
            next(&mut subscription),
            Poll::Ready(Some(Event::Message(message("e"))))
        );
        assert_eq!(next(&mut subscription), Poll::Ready(Some(Event::Gap)));
        assert_eq!(next(&mut subscription), Poll::Ready(None));
        assert_eq!(next(&mut subscription), Poll::Ready(None));
    }

    /// A waker that leaves a gap when it is dropped.
    struct GapOnDrop(Arc<Mailbox>);

    impl Wake for GapOnDrop {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for GapOnDrop {
        fn drop(&mut self) {
            self.0.leave_gap();
        }
    }

    #[test]
    fn no_waker_is_dropped_under_the_lock() {
        let (mailbox, mut subscription) = mailbox(NonZeroUsize::MIN);
        let waker = Waker::from(Arc::new(GapOnDrop(Arc::new(mailbox))));
        let mut context = Context::from_waker(&waker);
        assert!(subscription.poll_next(&mut context).is_pending());
        let (done, told) = mpsc::channel();
        std::thread::spawn(move || {
            // Now only the mailbox holds the waker.
            drop(waker);
            let polled = [next(&mut subscription), next(&mut subscription)];
            done.send(polled).unwrap();
        });
        let polled = told.recv_timeout(Duration::from_secs(10));
        assert_eq!(
            polled.expect("it waits for a lock that it holds itself"),
            [Poll::Pending, Poll::Ready(Some(Event::Gap))]
        );
    }

    #[test]
    fn guards_go_with_the_subscription() {
        let guard = Arc::new(());
        let (_mailbox, subscription) = mailbox(NonZeroUsize::MIN);
        let subscription = subscription.with_guard(guard.clone());
        let subscription = subscription.with_guard(guard.clone());
        assert_eq!(Arc::strong_count(&guard), 3);
        drop(subscription);
        assert_eq!(Arc::strong_count(&guard), 1);
    }

    #[test]
    fn a_channel_is_shown_as_it_reads_in_the_namespace() {
        let namespaces = ["a", "b"].map(|app| Namespace::new("prod", app).unwrap());
        let (mailbox, subscription) = mailbox(NonZeroUsize::MIN);
        // The outer namespace stands in front of the inner one.
        let mut subscription = subscription
            .seen_from(namespaces[1].clone())
            .seen_from(namespaces[0].clone());
        let mut sent = message("x");
        sent.channel = sent.channel.within(&namespaces[0]).within(&namespaces[1]);
        mailbox.deliver(sent);
        assert_eq!(
            next(&mut subscription),
            Poll::Ready(Some(Event::Message(message("x"))))
        );
    }
}
