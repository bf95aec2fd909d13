use std::sync::Arc;

use async_trait::async_trait;

use crate::wait::{Waiter, Waits};
use crate::{Key, Namespace, Result};

/// The waits of a store, seen from inside a namespace.
pub(super) struct PrefixedWaits {
    pub(super) namespace: Namespace,
    pub(super) inner: Arc<dyn Waits>,
}

#[async_trait]
impl Waits for PrefixedWaits {
    async fn wait_for(&self, key: &Key) -> Result<Box<dyn Waiter>> {
        self.inner.wait_for(&key.within(&self.namespace)).await
    }
}
