use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::bus::{Bus, Channel, SubscribeRequest, Subscription};
use crate::{Namespace, Result};

pub(super) struct PrefixedBus {
    pub(super) namespace: Namespace,
    pub(super) inner: Arc<dyn Bus>,
}

#[async_trait]
impl Bus for PrefixedBus {
    async fn publish(&self, channel: &Channel, payload: Bytes) -> Result<()> {
        let channel = channel.within(&self.namespace);
        self.inner.publish(&channel, payload).await
    }

    async fn subscribe(&self, request: SubscribeRequest) -> Result<Subscription> {
        let request = request.within(&self.namespace);
        let subscription = self.inner.subscribe(request).await?;
        Ok(subscription.seen_from(self.namespace.clone()))
    }
}
