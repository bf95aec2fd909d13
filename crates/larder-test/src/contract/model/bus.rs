use std::sync::{Arc, Weak};

use async_trait::async_trait;
use bytes::Bytes;
use larder_store::Result;
use larder_store::bus::{
    Bus, Channel, Mailbox, Message, SubscribeRequest, Subscription, check_message, mailbox,
};
use parking_lot::Mutex;

use super::ModelStore;

/// All subscriptions of a store, oldest first.
#[derive(Default)]
pub(crate) struct Listeners(Mutex<Vec<Listener>>);

struct Listener {
    request: SubscribeRequest,
    mailbox: Arc<Mailbox>,
}

impl Listeners {
    /// Returns a subscription that gets the message `first` before any other.
    pub(crate) fn add(
        self: &Arc<Self>,
        request: SubscribeRequest,
        first: Option<Message>,
    ) -> Subscription {
        let (mailbox, subscription) = mailbox(request.buffer());
        if let Some(first) = first {
            mailbox.deliver(first);
        }
        let mailbox = Arc::new(mailbox);
        let place = Place {
            listeners: Arc::downgrade(self),
            mailbox: Arc::downgrade(&mailbox),
        };
        self.0.lock().push(Listener { request, mailbox });
        subscription.with_guard(place)
    }

    /// Puts `message` into each mailbox as many times as `times` says.
    pub(crate) fn deliver(
        &self,
        message: &Message,
        mut times: impl FnMut(&SubscribeRequest) -> usize,
    ) {
        for listener in &*self.0.lock() {
            for _ in 0..times(&listener.request) {
                listener.mailbox.deliver(message.clone());
            }
        }
    }

    /// Gives each subscription a gap.
    pub(crate) fn leave_gaps(&self) {
        for listener in &*self.0.lock() {
            listener.mailbox.leave_gap();
        }
    }

    /// Ends the subscriptions for which `ends` returns true.
    pub(crate) fn end(&self, ends: impl Fn(&SubscribeRequest) -> bool) {
        self.0.lock().retain(|listener| !ends(&listener.request));
    }
}

/// The guard of a subscription, which removes it from the list.
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

/// Returns whether `request` includes `channel`.
pub(crate) fn wants(request: &SubscribeRequest, channel: &Channel) -> bool {
    request.channels().contains(channel)
        || request
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
        self.listeners.deliver(&message, |request| {
            usize::from(wants(request, &message.channel))
        });
        Ok(())
    }

    async fn subscribe(&self, request: SubscribeRequest) -> Result<Subscription> {
        request.check()?;
        Ok(self.listeners.add(request, None))
    }
}
