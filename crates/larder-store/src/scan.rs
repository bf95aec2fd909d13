//! A scan lists the keys of a store, for people and tools.

use std::fmt;

use async_trait::async_trait;

use crate::Result;

/// The maximum size of a page that a caller may request.
pub const MAX_PAGE: usize = 1_000;

/// A page of keys.
///
/// `Debug` shows only their number: raw keys hold session ids and addresses, and do not belong in
/// logs.
#[derive(Clone, Default)]
pub struct Page {
    /// The keys as text. [`Key::parse`](crate::Key::parse) reads one back.
    pub keys: Vec<String>,
    /// The start of the next page. None after the last page.
    pub next: Option<Cursor>,
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("keys", &self.keys.len())
            .field("is_last", &self.next.is_none())
            .finish()
    }
}

/// A position in a scan, which only the store that made it can read.
#[derive(Clone, PartialEq, Eq)]
pub struct Cursor(Box<str>);

impl Cursor {
    /// Makes a cursor from `text`, for stores.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// Returns its text, for a tool that shows pages to people.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cursor")
    }
}

/// Lists keys by prefix, page by page, for people and tools.
///
/// Never call it while handling a request: it looks at every key of the store.
///
/// A key that exists from the first page to the last is on at least one page, and may be on two. A
/// key that is created or deleted meanwhile may be missing. A key that was deleted before, or has expired, is on
/// no page. A record of several parts may be listed as its parts. Leases, and other keys that a
/// store adds for itself, are not listed.
#[async_trait]
pub trait Scan: Send + Sync {
    /// Returns a page of keys that begin with `prefix`, from the start or after `after`.
    ///
    /// The prefix is plain text, not a pattern. A page has about `about` keys, which must be from 1
    /// to [`MAX_PAGE`]. It may have fewer, or even none, if few keys match, and a few more if the
    /// server returns more in one step. Only a page without a next one is the last. A store on servers
    /// works in small steps and pauses after each for as long as it took, so a scan takes at most half of a
    /// server's time. A store in process yields between its steps.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a page size out of bounds and for a
    /// cursor of another store; otherwise those of [`Store`](crate::Store).
    ///
    /// # Cancellation
    /// A dropped call has no effect.
    async fn page(&self, prefix: &str, after: Option<&Cursor>, about: usize) -> Result<Page>;
}
