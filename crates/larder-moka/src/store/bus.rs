use async_trait::async_trait;
use bytes::Bytes;
use larder_store::Result;
use larder_store::bus::{Bus, Channel, Message, SubscribeRequest, Subscription, check_message};

use super::MokaStore;
use crate::bus::Subscribers;

/// Both methods answer without waiting. When `publish` answers, the message is in the mailbox of each
/// subscription.
#[async_trait]
impl Bus for MokaStore {
    async fn publish(&self, channel: &Channel, payload: Bytes) -> Result<()> {
        check_message(&payload)?;
        let channel = channel.clone();
        self.subscribers.publish(&Message { channel, payload });
        Ok(())
    }

    async fn subscribe(&self, request: SubscribeRequest) -> Result<Subscription> {
        request.check()?;
        Subscribers::subscribe(&self.subscribers, request.distinct())
    }
}
