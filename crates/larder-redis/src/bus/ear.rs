use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use larder_store::{Error, Mailbox, Message};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// One who listens: to several subjects, which are confirmed one by one.
///
/// It hears only while all of them are confirmed. So one that listened, and lost a subject with its
/// connection, hears nothing until the last is confirmed again, and then of one gap.
pub(super) struct Ear {
    pub(super) number: u64,
    pub(super) texts: Vec<Box<str>>,
    sink: Sink,
    /// How many subjects are not confirmed. It changes under the lock of the hub alone.
    pending: AtomicUsize,
    /// All of them were confirmed once.
    listens: AtomicBool,
    refusal: Mutex<Option<Error>>,
    told: Notify,
}

/// Where what is heard goes.
pub(super) enum Sink {
    Mailbox(Mailbox),
    /// It is enough to know that there was something.
    Bell(Arc<Notify>),
}

impl Ear {
    pub(super) fn new(number: u64, texts: Vec<Box<str>>, sink: Sink) -> Self {
        Self {
            number,
            texts,
            sink,
            pending: AtomicUsize::new(0),
            listens: AtomicBool::new(false),
            refusal: Mutex::new(None),
            told: Notify::new(),
        }
    }

    pub(super) fn listens(&self) -> bool {
        self.listens.load(Ordering::Acquire)
    }

    /// Whether it hears what comes now.
    pub(super) fn hears(&self) -> bool {
        self.pending.load(Ordering::Acquire) == 0
    }

    /// One subject more is not confirmed.
    pub(super) fn lost_one(&self) {
        self.pending.fetch_add(1, Ordering::AcqRel);
    }

    /// One subject more is confirmed; tells whether it was the last.
    pub(super) fn won_one(&self) -> bool {
        self.pending.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// All of its subjects are confirmed: whoever subscribes is told, whoever listened before has
    /// missed something.
    pub(super) fn is_complete(&self) {
        if self.listens.swap(true, Ordering::AcqRel) {
            self.leave_gap();
        } else {
            self.told.notify_waiters();
        }
    }

    pub(super) fn hear(&self, message: Option<Message>) {
        match (&self.sink, message) {
            (Sink::Mailbox(mailbox), Some(message)) => mailbox.deliver(message),
            (Sink::Mailbox(_), None) => {}
            (Sink::Bell(bell), _) => bell.notify_one(),
        }
    }

    pub(super) fn leave_gap(&self) {
        match &self.sink {
            Sink::Mailbox(mailbox) => mailbox.leave_gap(),
            Sink::Bell(bell) => bell.notify_one(),
        }
    }

    /// It will not listen.
    pub(super) fn refuse(&self, error: Error) {
        *self.refusal.lock() = Some(error);
        self.told.notify_waiters();
    }

    /// Waits until it listens, or is refused.
    pub(super) async fn confirmed(&self) -> Result<(), Error> {
        loop {
            let told = self.told.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            if let Some(error) = self.refusal.lock().take() {
                return Err(error);
            }
            if self.listens() {
                return Ok(());
            }
            told.await;
        }
    }
}
