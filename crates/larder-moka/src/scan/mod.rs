//! Scan: the keys of both spaces, in the order of their text.

mod first;

use async_trait::async_trait;
use larder_store::{Cursor, Error, ErrorKind, MAX_PAGE, Page, Result, Scan};
use tokio::task::yield_now;

use crate::MokaStore;
use first::First;

/// How many evictable keys are looked at before other tasks have their turn.
const STEP: usize = 256;

/// What a cursor begins with; the last key that was listed follows.
const AFTER: &str = "after:";

/// A page is the first keys in the order of their text that come after the cursor, so that no key
/// that stays can be missed, whatever comes and goes. Each looks at every key, keeps as many as the
/// page has, and gives the runtime a turn after every 256 evictable keys and every shard of a pinned
/// kind; a shard is locked while its keys are looked at.
#[async_trait]
impl Scan for MokaStore {
    async fn page(&self, prefix: &str, after: Option<&Cursor>, about: usize) -> Result<Page> {
        if !(1..=MAX_PAGE).contains(&about) {
            return Err(invalid("a page has 1 to 1,000 keys"));
        }
        let after = match after {
            Some(cursor) => Some(place(cursor, prefix)?),
            None => None,
        };
        let mut first = First::new(prefix, after, about);
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

/// The key after which a cursor goes on.
fn place<'a>(cursor: &'a Cursor, prefix: &str) -> Result<&'a str> {
    let key = cursor.as_str().strip_prefix(AFTER);
    key.filter(|key| key.starts_with(prefix))
        .ok_or_else(|| invalid("the cursor is not of this store, or of a scan for another prefix"))
}

fn invalid(text: &'static str) -> Error {
    Error::new("scan", ErrorKind::Invalid, text)
}
