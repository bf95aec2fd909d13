use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Bus, Channel, Interest, Namespace, Result, Subscription};

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

    async fn subscribe(&self, interest: Interest) -> Result<Subscription> {
        let interest = interest.within(&self.namespace);
        let subscription = self.inner.subscribe(interest).await?;
        Ok(subscription.seen_from(self.namespace.clone()))
    }
}
