use std::sync::Arc;

use async_trait::async_trait;

use super::Shards;
use crate::wait::{Waiter, Waits};
use crate::{Key, Result};

pub(super) struct ShardedWaits {
    pub(super) shards: Arc<Shards>,
    pub(super) inner: Vec<Arc<dyn Waits>>,
}

#[async_trait]
impl Waits for ShardedWaits {
    async fn wait_for(&self, key: &Key) -> Result<Box<dyn Waiter>> {
        self.inner[self.shards.number_of(key)].wait_for(key).await
    }
}
