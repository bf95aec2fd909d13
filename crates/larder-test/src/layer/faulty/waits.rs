use std::sync::Arc;

use async_trait::async_trait;
use larder_store::wait::{Waiter, Waits};
use larder_store::{Key, Result};

use super::{Operations, Switch, meet};

/// The waits of a faulty store. Only the registration of a waiter has faults.
pub(super) struct FaultyWaits {
    pub(super) switch: Switch,
    pub(super) inner: Arc<dyn Waits>,
}

#[async_trait]
impl Waits for FaultyWaits {
    async fn wait_for(&self, key: &Key) -> Result<Box<dyn Waiter>> {
        let trouble = self.switch.begin(Operations::Programs);
        meet(trouble, "wait", self.inner.wait_for(key)).await
    }
}
