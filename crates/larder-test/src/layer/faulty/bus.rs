use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use larder_store::Result;
use larder_store::bus::{Bus, Channel, Event, Mailbox, SubscribeRequest, Subscription, mailbox};
use tokio::task::JoinHandle;

use super::{Operations, Switch, meet};

/// The bus of a faulty store.
///
/// Existing subscriptions keep getting messages, except those that the switch loses.
pub(super) struct FaultyBus {
    pub(super) switch: Switch,
    pub(super) inner: Arc<dyn Bus>,
}

#[async_trait]
impl Bus for FaultyBus {
    async fn publish(&self, channel: &Channel, payload: Bytes) -> Result<()> {
        let trouble = self.switch.begin(Operations::Bus);
        meet(trouble, "publish", self.inner.publish(channel, payload)).await
    }

    async fn subscribe(&self, request: SubscribeRequest) -> Result<Subscription> {
        let trouble = self.switch.begin(Operations::Bus);
        let buffer = request.buffer();
        let inner = meet(trouble, "subscribe", self.inner.subscribe(request)).await?;
        if !self.switch.may_lose_messages() {
            return Ok(inner);
        }
        let (mailbox, subscription) = mailbox(buffer);
        let passing = tokio::spawn(pass(inner, mailbox, self.switch.clone()));
        Ok(subscription.with_guard(Aborted(passing)))
    }
}

/// Passes messages and gaps on, until the inner subscription ends.
async fn pass(mut from: Subscription, to: Mailbox, switch: Switch) {
    while let Some(event) = from.next().await {
        match event {
            Event::Message(message) if !switch.loses_message() => to.deliver(message),
            Event::Message(_) => {}
            Event::Gap => to.leave_gap(),
        }
    }
}

/// A task that is aborted when this is dropped.
struct Aborted(JoinHandle<()>);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}
