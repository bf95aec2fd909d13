use std::sync::Arc;

use async_trait::async_trait;
use larder_store::Result;
use larder_store::scan::{Cursor, Page, Scan};

use super::{Operations, Switch, meet};

/// The scan of a faulty store. It never lies.
pub(super) struct FaultyScan {
    pub(super) switch: Switch,
    pub(super) inner: Arc<dyn Scan>,
}

#[async_trait]
impl Scan for FaultyScan {
    async fn page(&self, prefix: &str, after: Option<&Cursor>, about: usize) -> Result<Page> {
        let trouble = self.switch.begin(Operations::Reads);
        meet(trouble, "scan", self.inner.page(prefix, after, about)).await
    }
}
