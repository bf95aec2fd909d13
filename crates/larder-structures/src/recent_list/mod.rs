//! The newest items of a list, in pages that do not shift.

mod programs;
#[cfg(test)]
mod traces;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use larder_store::program::{Inspection, MAX_INT};
use larder_store::{Error, ErrorKind, KeyId, Result, Store, Ttl};

use crate::records::{Records, debug_name};

use programs::{Beside, Clear, Len, Push, Read, Remove};
pub use programs::{InspectRecent, RecentRecord};

/// Keeps the newest items of a list for each id: notices, a feed, the last changes.
///
/// Each item has an [`ItemId`] that is higher than all earlier ones. A page begins next to an id and not at
/// an offset, so a reader sees no item twice and misses none, whatever is pushed or removed meanwhile.
///
/// A list keeps 1,000 items, unless [`with_max_items`](Self::with_max_items) is set; a new item replaces the
/// oldest. An item is at most 64 KiB, and a page at most a megabyte. Each push restarts the TTL. Each method takes one
/// round trip, or none in process. Clones are cheap and share everything.
///
/// ```
/// # use std::sync::Arc;
/// use larder_store::{Result, Store, Ttl};
/// use larder_structures::recent_list::{Page, RecentList};
///
/// async fn notices(store: Arc<dyn Store>, user: u32) -> Result<Page> {
///     let notices = RecentList::new(store, "notices", Ttl::from_secs(30 * 86_400))?;
///     notices.push(user, "your seats are booked").await?;
///     let first = notices.newest(user, 20).await?;
///     match first.next {
///         Some(next) => notices.before(user, next, 20).await,
///         None => Ok(first),
///     }
/// }
/// ```
#[derive(Clone)]
pub struct RecentList {
    records: Records<RecentRecord>,
    ttl: Ttl,
    max_items: u32,
}

debug_name!(RecentList, records.name);

/// Identifies an item of a list, for pages: a number that rises with each item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId(i64);

/// An item and its id. `Debug` shows only the id.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Item {
    /// Its id.
    pub id: ItemId,
    /// The pushed bytes.
    pub value: Bytes,
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Item");
        shown.field("id", &self.id).finish_non_exhaustive()
    }
}

/// Some items of a list, and the start of the next page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// The items, in the requested order.
    pub items: Vec<Item>,
    /// The id of the last item, from which to continue. None if there are no more.
    pub next: Option<ItemId>,
}

/// The maximum number of items of a page: 1,000, or a megabyte of them.
pub const MAX_PAGE: u32 = 1_000;

/// The bytes of the items of a page: a larger message would hold up other calls.
const PAGE_BYTES: u32 = 1024 * 1024;

/// The maximum length of an item, in bytes: 64 KiB.
pub const MAX_ITEM: usize = 64 * 1024;
/// The maximum number of items that a list can keep: 100,000.
pub const MAX_ITEMS: u32 = 100_000;

impl ItemId {
    /// Returns the id as a number, for a link to the next page. It reveals roughly when the item was pushed.
    pub fn as_u64(self) -> u64 {
        self.0.unsigned_abs()
    }

    /// Makes the id with this number. A number that no item has is a position between items.
    pub fn from_u64(number: u64) -> Self {
        Self(i64::try_from(number).unwrap_or(MAX_INT).min(MAX_INT))
    }
}

impl RecentList {
    /// Makes the lists called `name`, each of which lives for `ttl` after its last push.
    ///
    /// The name is in each key. It is 1 to 32 of `a-z`, `0-9`, `-`, `_` and `.`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the name is invalid or the store runs no programs.
    pub fn new(store: Arc<dyn Store>, name: &str, ttl: Ttl) -> Result<Self> {
        Ok(Self {
            records: Records::new(store, name, "a recent list")?,
            ttl,
            max_items: 1_000,
        })
    }

    /// Keeps the newest `items`, 1 to [`MAX_ITEMS`]. The default is 1,000.
    #[must_use]
    pub fn with_max_items(mut self, items: u32) -> Self {
        self.max_items = items.clamp(1, MAX_ITEMS);
        self
    }

    /// Adds an item as the newest, and returns its id.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::TooLarge`] for an item past [`MAX_ITEM`]. After
    /// [`ErrorKind::MayHaveRun`] the item may have been added, once: larder never pushes it again. If you
    /// do, a reader may see it twice.
    ///
    /// # Cancellation
    /// The item may or may not have been added.
    pub async fn push(&self, id: impl KeyId, item: impl Into<Bytes>) -> Result<ItemId> {
        let item = item.into();
        if item.len() > MAX_ITEM {
            let text = "an item is at most 64 KiB: keep a key of what is larger";
            return Err(Error::new("push", ErrorKind::TooLarge, text));
        }
        let push = Push {
            // A copy, because the item may be a slice of a large buffer, which a store in this process would
            // keep.
            item: Bytes::copy_from_slice(&item),
            ttl: self.ttl,
            max_items: self.max_items,
        };
        Ok(ItemId(self.records.run(id, &push).await?))
    }

    /// Returns the `many` newest items, newest first, at most [`MAX_PAGE`] or a megabyte of them.
    ///
    /// Continue with [`Page::next`]: a page that holds a megabyte has fewer than `many`.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`] for too many.
    pub async fn newest(&self, id: impl KeyId, many: u32) -> Result<Page> {
        self.read(id, Beside::Before(MAX_INT), many).await
    }

    /// Returns the `many` items before another, newest first: the next page.
    ///
    /// # Errors
    /// Those of [`newest`](Self::newest).
    pub async fn before(&self, id: impl KeyId, item: ItemId, many: u32) -> Result<Page> {
        self.read(id, Beside::Before(item.0), many).await
    }

    /// Returns the `many` items after another, oldest first: those that are new since then.
    ///
    /// # Errors
    /// Those of [`newest`](Self::newest).
    pub async fn after(&self, id: impl KeyId, item: ItemId, many: u32) -> Result<Page> {
        self.read(id, Beside::After(item.0), many).await
    }

    /// Removes an item, and returns whether it was there. The TTL stays, and its id is not used again.
    ///
    /// # Errors
    /// Those of the store. Repeating the call is safe.
    ///
    /// # Cancellation
    /// It may or may not have been removed.
    pub async fn remove(&self, id: impl KeyId, item: ItemId) -> Result<bool> {
        self.records.run(id, &Remove { number: item.0 }).await
    }

    /// Removes all items, and returns how many there were. Later items still have higher ids.
    ///
    /// # Errors
    /// Those of the store. Repeating the call is safe.
    ///
    /// # Cancellation
    /// All of them are removed, or none.
    pub async fn clear(&self, id: impl KeyId) -> Result<u64> {
        self.records.run(id, &Clear).await
    }

    /// Returns the number of items.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn len(&self, id: impl KeyId) -> Result<u64> {
        self.records.run(id, &Len).await
    }

    /// Returns the number of items, for people and tools. One round trip.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn inspect(&self, id: impl KeyId) -> Result<Inspection> {
        self.records.inspect(id).await
    }

    async fn read(&self, id: impl KeyId, beside: Beside, many: u32) -> Result<Page> {
        if many > MAX_PAGE {
            let text = "a page has at most 1,000 items: ask for the rest in further pages";
            return Err(Error::new("page", ErrorKind::Invalid, text));
        }
        let read = Read {
            beside,
            many,
            bytes: PAGE_BYTES,
        };
        let found = self.records.run(id, &read).await?;
        let item = |(number, value)| Item {
            id: ItemId(number),
            value,
        };
        let items: Vec<_> = found.items.into_iter().map(item).collect();
        let next = items.last().filter(|_| found.has_more).map(|item| item.id);
        Ok(Page { items, next })
    }
}
