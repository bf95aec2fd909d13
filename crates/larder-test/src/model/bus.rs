use std::sync::{Arc, Weak};

use async_trait::async_trait;
use bytes::Bytes;
use larder_store::{
    Bus, Channel, Interest, Mailbox, Message, Result, Subscription, check_message, mailbox,
};
use parking_lot::Mutex;

use super::ModelStore;

/// All subscriptions of a store, in the order in which they were made.
#[derive(Default)]
pub(crate) struct Listeners(Mutex<Vec<Listener>>);

struct Listener {
    interest: Interest,
    mailbox: Arc<Mailbox>,
}

impl Listeners {
    /// A subscription that hears `first` before anything else.
    pub(crate) fn add(
        self: &Arc<Self>,
        interest: Interest,
        first: Option<Message>,
    ) -> Subscription {
        let (mailbox, subscription) = mailbox(interest.buffer());
        if let Some(first) = first {
            mailbox.deliver(first);
        }
        let mailbox = Arc::new(mailbox);
        let place = Place {
            listeners: Arc::downgrade(self),
            mailbox: Arc::downgrade(&mailbox),
        };
        self.0.lock().push(Listener { interest, mailbox });
        subscription.with_guard(place)
    }

    /// Puts `message` into each mailbox as many times as `times` says.
    pub(crate) fn deliver(&self, message: &Message, mut times: impl FnMut(&Interest) -> usize) {
        for listener in &*self.0.lock() {
            for _ in 0..times(&listener.interest) {
                listener.mailbox.deliver(message.clone());
            }
        }
    }

    /// Leaves a gap for all.
    pub(crate) fn leave_gaps(&self) {
        for listener in &*self.0.lock() {
            listener.mailbox.leave_gap();
        }
    }

    /// Ends the subscriptions that `ends` says.
    pub(crate) fn end(&self, ends: impl Fn(&Interest) -> bool) {
        self.0.lock().retain(|listener| !ends(&listener.interest));
    }
}

/// Goes with a subscription, and takes it off the list.
struct Place {
    listeners: Weak<Listeners>,
    mailbox: Weak<Mailbox>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(listeners) = self.listeners.upgrade() {
            let mine = |listener: &Listener| {
                std::ptr::eq(Arc::as_ptr(&listener.mailbox), self.mailbox.as_ptr())
            };
            listeners.0.lock().retain(|listener| !mine(listener));
        }
    }
}

/// Whether `interest` wants what is sent to `channel`.
pub(crate) fn wants(interest: &Interest, channel: &Channel) -> bool {
    interest.channels().contains(channel)
        || interest
            .patterns()
            .iter()
            .any(|pattern| pattern.matches(channel))
}

#[async_trait]
impl Bus for ModelStore {
    async fn publish(&self, channel: &Channel, payload: Bytes) -> Result<()> {
        check_message(&payload)?;
        let channel = channel.clone();
        let message = Message { channel, payload };
        self.listeners.deliver(&message, |interest| {
            usize::from(wants(interest, &message.channel))
        });
        Ok(())
    }

    async fn subscribe(&self, interest: Interest) -> Result<Subscription> {
        interest.check()?;
        Ok(self.listeners.add(interest, None))
    }
}
