use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use larder_store::Error;
use larder_store::bus::{Mailbox, Message};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// A subscriber to several subjects, which are confirmed one by one.
///
/// It receives messages only while all of them are confirmed. So a subscriber that lost a subject with
/// its connection receives nothing until the last one is confirmed again, and then one gap.
pub(super) struct Subscriber {
    pub(super) number: u64,
    pub(super) texts: Vec<Box<str>>,
    sink: Sink,
    /// The number of unconfirmed subjects. It changes only under the lock of the registry.
    pending: AtomicUsize,
    /// Whether all of them have been confirmed at least once.
    is_subscribed: AtomicBool,
    refusal: Mutex<Option<Error>>,
    settled: Notify,
}

/// The destination of messages.
pub(super) enum Sink {
    Mailbox(Mailbox),
    /// A message is only a signal.
    Wakeup(Arc<Signal>),
}

/// Fires for a message, for a gap, and at the end of the subscription.
#[derive(Default)]
pub(super) struct Signal {
    fired: Notify,
    has_gap: AtomicBool,
    has_ended: AtomicBool,
}

impl Signal {
    /// Waits until it fires; returns whether it fired only for messages.
    pub(super) async fn fired(&self) -> bool {
        self.fired.notified().await;
        !self.has_gap.swap(false, Ordering::AcqRel)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    fn gap(&self) {
        self.has_gap.store(true, Ordering::Release);
        self.fired.notify_one();
    }

    fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
        self.gap();
    }
}

impl Subscriber {
    pub(super) fn new(number: u64, texts: Vec<Box<str>>, sink: Sink) -> Self {
        Self {
            number,
            texts,
            sink,
            pending: AtomicUsize::new(0),
            is_subscribed: AtomicBool::new(false),
            refusal: Mutex::new(None),
            settled: Notify::new(),
        }
    }

    pub(super) fn is_subscribed(&self) -> bool {
        self.is_subscribed.load(Ordering::Acquire)
    }

    /// Returns whether it receives messages now.
    pub(super) fn is_active(&self) -> bool {
        self.pending.load(Ordering::Acquire) == 0
    }

    /// Counts one more unconfirmed subject.
    pub(super) fn unconfirm_one(&self) {
        self.pending.fetch_add(1, Ordering::AcqRel);
    }

    /// Counts one more confirmed subject; returns whether it was the last.
    pub(super) fn confirm_one(&self) -> bool {
        self.pending.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Resolves a subscription whose subjects are all confirmed, or leaves a gap.
    pub(super) fn on_confirmed(&self) {
        if self.is_subscribed.swap(true, Ordering::AcqRel) {
            self.leave_gap();
        } else {
            self.settled.notify_waiters();
        }
    }

    pub(super) fn deliver(&self, message: Option<Message>) {
        match (&self.sink, message) {
            (Sink::Mailbox(mailbox), Some(message)) => mailbox.deliver(message),
            (Sink::Mailbox(_), None) => {}
            (Sink::Wakeup(signal), _) => signal.fired.notify_one(),
        }
    }

    pub(super) fn leave_gap(&self) {
        match &self.sink {
            Sink::Mailbox(mailbox) => mailbox.leave_gap(),
            Sink::Wakeup(signal) => signal.gap(),
        }
    }

    /// Fails or ends the subscription.
    pub(super) fn refuse(&self, error: Error) {
        *self.refusal.lock() = Some(error);
        if let Sink::Wakeup(signal) = &self.sink {
            signal.end();
        }
        self.settled.notify_waiters();
    }

    /// Waits until it is subscribed or refused.
    pub(super) async fn confirmed(&self) -> Result<(), Error> {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            if let Some(error) = self.refusal.lock().take() {
                return Err(error);
            }
            if self.is_subscribed() {
                return Ok(());
            }
            settled.await;
        }
    }
}
