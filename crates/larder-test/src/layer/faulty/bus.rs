use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use larder_store::Result;
use larder_store::bus::{Bus, Channel, SubscribeRequest, Subscription};

use super::{Operations, Switch, meet};

/// The bus of a store that is as faulty as the rest of it. What is subscribed goes on hearing.
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
        meet(trouble, "subscribe", self.inner.subscribe(request)).await
    }
}
