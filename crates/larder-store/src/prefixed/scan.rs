use std::sync::Arc;

use async_trait::async_trait;

use crate::scan::{Cursor, Page, Scan};
use crate::{Namespace, Result};

pub(super) struct PrefixedScan {
    pub(super) namespace: Namespace,
    pub(super) inner: Arc<dyn Scan>,
}

#[async_trait]
impl Scan for PrefixedScan {
    async fn page(&self, prefix: &str, after: Option<&Cursor>, about: usize) -> Result<Page> {
        let namespace = self.namespace.prefix();
        let prefix = format!("{namespace}{prefix}");
        let mut page = self.inner.page(&prefix, after, about).await?;
        for key in &mut page.keys {
            if key.starts_with(namespace) {
                key.drain(..namespace.len());
            }
        }
        Ok(page)
    }
}
