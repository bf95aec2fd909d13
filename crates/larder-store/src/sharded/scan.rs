use std::sync::Arc;

use async_trait::async_trait;

use crate::scan::{Cursor, Page, Scan};
use crate::{Error, ErrorKind, Result};

/// Lists one shard after the other. A cursor is the number of the shard and, behind a colon, the shard's
/// own cursor, which is empty at the start.
pub(super) struct ShardedScan {
    pub(super) inner: Vec<Arc<dyn Scan>>,
}

#[async_trait]
impl Scan for ShardedScan {
    async fn page(&self, prefix: &str, after: Option<&Cursor>, about: usize) -> Result<Page> {
        let (number, after) = match after {
            None => (0, None),
            Some(cursor) => self.read(cursor).ok_or_else(not_ours)?,
        };
        let mut page = self.inner[number]
            .page(prefix, after.as_ref(), about)
            .await?;
        page.next = match page.next {
            Some(next) => Some(Cursor::new(format!("{number}:{}", next.as_str()))),
            None if number + 1 < self.inner.len() => Some(Cursor::new(format!("{}:", number + 1))),
            None => None,
        };
        Ok(page)
    }
}

impl ShardedScan {
    fn read(&self, cursor: &Cursor) -> Option<(usize, Option<Cursor>)> {
        let (number, after) = cursor.as_str().split_once(':')?;
        let number: usize = number.parse().ok().filter(|it| *it < self.inner.len())?;
        let after = (!after.is_empty()).then(|| Cursor::new(after));
        Some((number, after))
    }
}

fn not_ours() -> Error {
    let text = "the cursor is from another store";
    Error::new("scan", ErrorKind::Invalid, text)
}
