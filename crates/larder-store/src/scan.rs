//! Scan: the keys of a store, for people and tools.

use std::fmt;

use async_trait::async_trait;

use crate::Result;

/// The most keys that a page is asked for.
pub const MAX_PAGE: usize = 1_000;

/// Some of the keys of a store.
///
/// `Debug` shows how many they are: raw keys hold session ids and addresses, and belong in no log.
#[derive(Clone, Default)]
pub struct Page {
    /// The keys as text. [`Key::parse`](crate::Key::parse) reads one back.
    pub keys: Vec<String>,
    /// Where the next page begins; nothing after the last.
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

/// Where a scan goes on: made by a store, and read by that store alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Cursor(Box<str>);

impl Cursor {
    /// A cursor that reads as `text`, for stores.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// Its text, for a tool that shows pages to people.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cursor")
    }
}

/// The capability to list keys by prefix, page by page. For people and tools, and never on the path
/// of a request: it looks at every key of the store.
///
/// A key that is there from the first page to the last is on one of them at least, and may be on
/// two. One that comes or goes meanwhile may be on one or on none. One that has ended is on none. A
/// record in several parts may be listed as its parts. What a store keeps beside its keys, such as
/// leases, is not listed.
#[async_trait]
pub trait Scan: Send + Sync {
    /// The next page of the keys that begin with `prefix`, from the begin or from `after` on. The
    /// prefix is text and no pattern.
    ///
    /// A page has about `about` keys, of 1 to [`MAX_PAGE`]: fewer, or none, where few fit, and a
    /// few more where the server gives more in one step. Only a page without a next one is the
    /// last. A store works in small steps and pauses between them for as long as each took, so that
    /// a scan takes half of a server's time at most.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a page size out of bounds and for a
    /// cursor that is not this store's; else as those of [`Store`](crate::Store).
    ///
    /// # Cancellation
    /// A dropped call has no effect.
    async fn page(&self, prefix: &str, after: Option<&Cursor>, about: usize) -> Result<Page>;
}
