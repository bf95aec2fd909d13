use async_trait::async_trait;
use larder_store::wait::{Waiter, Waits};
use larder_store::{Key, Result};

use super::ModelStore;

#[async_trait]
impl Waits for ModelStore {
    async fn wait_for(&self, key: &Key) -> Result<Box<dyn Waiter>> {
        self.waiters.wait_for(key)
    }
}
