use async_trait::async_trait;
use larder_store::scan::{Cursor, MAX_PAGE, Page, Scan};
use larder_store::{Clock, Content, Error, ErrorKind, Result};

use super::{ModelStore, Stored};

/// The start of a cursor, before the last listed key.
const AFTER: &str = "after:";

impl ModelStore {
    /// Returns every key, its content, and whether that has not expired. For broken stores.
    pub(crate) fn listing(&self) -> Vec<(String, Content, bool)> {
        let (held, now) = (self.held.lock(), self.clock.now());
        let listing = held.iter().map(|(key, held)| {
            let form = match held.content {
                Stored::Value(_) => Content::Value,
                Stored::Record(_) => Content::Record,
            };
            (key.clone(), form, held.deadline > now)
        });
        listing.collect()
    }
}

#[async_trait]
impl Scan for ModelStore {
    async fn page(&self, prefix: &str, after: Option<&Cursor>, about: usize) -> Result<Page> {
        if !(1..=MAX_PAGE).contains(&about) {
            return Err(invalid(format!("a page has 1 to {MAX_PAGE} keys")));
        }
        let last = match after {
            None => None,
            Some(cursor) => Some(
                cursor
                    .as_str()
                    .strip_prefix(AFTER)
                    .ok_or_else(|| invalid("the cursor is from another store".to_owned()))?,
            ),
        };
        let (held, now) = (self.held.lock(), self.clock.now());
        let mut listed = held.iter().filter(|(key, held)| {
            let is_later = last.is_none_or(|last| key.as_str() > last);
            is_later && key.starts_with(prefix) && held.deadline > now
        });
        let keys: Vec<String> = (&mut listed)
            .map(|(key, _)| key.clone())
            .take(about)
            .collect();
        let last = keys.last().filter(|_| listed.next().is_some());
        let next = last.map(|last| Cursor::new(format!("{AFTER}{last}")));
        Ok(Page { keys, next })
    }
}

fn invalid(text: String) -> Error {
    Error::new("scan", ErrorKind::Invalid, text)
}
