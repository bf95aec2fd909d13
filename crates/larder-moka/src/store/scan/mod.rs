//! Scan: the keys of both spaces, in the order of their text.

mod first_keys;

use async_trait::async_trait;
use larder_store::scan::{Cursor, MAX_PAGE, Page, Scan};
use larder_store::{Error, ErrorKind, Result};
use tokio::task::yield_now;

use super::MokaStore;
use first_keys::FirstKeys;

/// The number of evictable keys that are read before the task yields.
const STEP: usize = 256;

/// The prefix of a cursor, before the last key that was listed.
const AFTER: &str = "after:";

/// A page holds the first keys after the cursor in text order, so a key that stays is never missed.
///
/// Each page reads every key, keeps as many as fit, and yields to the runtime after every 256
/// evictable keys and every shard of a pinned kind. A shard is locked while its keys are read.
#[async_trait]
impl Scan for MokaStore {
    async fn page(&self, prefix: &str, after: Option<&Cursor>, about: usize) -> Result<Page> {
        if !(1..=MAX_PAGE).contains(&about) {
            return Err(invalid("a page must have 1 to 1,000 keys"));
        }
        let after = match after {
            Some(cursor) => Some(last_key(cursor, prefix)?),
            None => None,
        };
        let mut first = FirstKeys::new(prefix, after, about);
        for (number, key) in self.cache.keys(&*self.clock).enumerate() {
            first.offer(key.as_bytes());
            if number % STEP == STEP - 1 {
                yield_now().await;
            }
        }
        for shard in self.pinned.shards() {
            shard.look(&*self.clock, |key| first.offer(key));
            yield_now().await;
        }
        let (keys, has_more) = first.into_keys();
        let last = keys.last().filter(|_| has_more);
        let next = last.map(|last| Cursor::new(format!("{AFTER}{last}")));
        Ok(Page { keys, next })
    }
}

/// Returns the key after which a cursor continues.
fn last_key<'a>(cursor: &'a Cursor, prefix: &str) -> Result<&'a str> {
    let key = cursor.as_str().strip_prefix(AFTER);
    key.filter(|key| key.starts_with(prefix)).ok_or_else(|| {
        invalid("the cursor must come from this store, and from a scan of the same prefix")
    })
}

fn invalid(text: &'static str) -> Error {
    Error::new("scan", ErrorKind::Invalid, text)
}
