//! A count of distinct elements in a few kilobytes.

mod programs;
mod registers;
#[cfg(test)]
mod traces;

use std::sync::Arc;

use bytes::Bytes;
use larder_store::program::Inspection;
use larder_store::{Error, ErrorKind, KeyId, Result, Store, Ttl};

use crate::records::{Records, debug_name};

use programs::{Add, Clear, Count, Merge, ReadRegisters};
pub use programs::{InspectUnique, UniqueRecord};
use registers::Registers;

/// Counts distinct elements, with an error of about 0.81 %, in at most 16 KiB for each id.
///
/// It is a HyperLogLog. In process it uses the hash, the registers and the estimator of Redis, so the same
/// elements give the same number. An element is 1 to 1,024 bytes, and cannot be listed or removed again.
/// Elements that visitors choose freely can be made to collide; count ids of your own.
///
/// Each addition restarts the TTL. Clones are cheap and share everything.
///
/// ```
/// # use std::sync::Arc;
/// use larder_store::{Result, Store, Ttl};
/// use larder_structures::unique_count::UniqueCount;
///
/// async fn visit(store: Arc<dyn Store>, day: u32, visitor: &str) -> Result<u64> {
///     let visitors = UniqueCount::new(store, "visitors", Ttl::from_secs(40 * 86_400))?;
///     visitors.add(day, [visitor]).await?;
///     visitors.count_union(day - 6..=day).await
/// }
/// ```
#[derive(Clone)]
pub struct UniqueCount {
    records: Records<UniqueRecord>,
    ttl: Ttl,
}

debug_name!(UniqueCount, records.name);

/// The maximum number of elements of one call.
const MAX_ELEMENTS: usize = 1_000;
/// The maximum length of an element, in bytes.
const MAX_ELEMENT: usize = 1_024;
/// The number of sketches that are read at once.
const READ: usize = 64;

impl UniqueCount {
    /// Makes the counts called `name`, each of which lives for `ttl` after its last addition.
    ///
    /// The name is in each key. It is 1 to 32 of `a-z`, `0-9`, `-`, `_` and `.`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the name is invalid or the store runs no programs.
    pub fn new(store: Arc<dyn Store>, name: &str, ttl: Ttl) -> Result<Self> {
        Ok(Self {
            records: Records::new(store, name, "a unique count")?,
            ttl,
        })
    }

    /// Adds elements, at most 1,000, and returns whether the count may have changed.
    ///
    /// It takes one round trip, or none in process or for no elements.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`] for too many elements or one that is out of its
    /// bounds. After [`ErrorKind::MayHaveRun`] they may have been added; repeating the call is safe.
    ///
    /// # Cancellation
    /// All of them are added, or none.
    pub async fn add<E: AsRef<[u8]>>(
        &self,
        id: impl KeyId,
        elements: impl IntoIterator<Item = E>,
    ) -> Result<bool> {
        let elements = elements.into_iter();
        let copied = elements.map(|element| Bytes::copy_from_slice(element.as_ref()));
        let elements: Vec<_> = copied.take(MAX_ELEMENTS + 1).collect();
        let is_ours = |element: &Bytes| (1..=MAX_ELEMENT).contains(&element.len());
        if elements.len() > MAX_ELEMENTS || !elements.iter().all(is_ours) {
            return Err(Error::new(
                "add",
                ErrorKind::Invalid,
                "one call adds at most 1,000 elements of 1 to 1,024 bytes each",
            ));
        }
        if elements.is_empty() {
            return Ok(false);
        }
        let ttl = self.ttl;
        self.records.run(id, &Add { ttl, elements }).await
    }

    /// Returns the approximate number of distinct elements. 0 if there is no count.
    ///
    /// It takes one round trip, or none in process.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn count(&self, id: impl KeyId) -> Result<u64> {
        self.records.run(id, &Count).await
    }

    /// Returns the approximate number of distinct elements in any of some counts: for example the visitors
    /// of a week, from its days.
    ///
    /// The counts may be on several nodes: their registers, up to 12 KiB each, are read and merged here. It
    /// takes one round trip for each node and 64 counts, or none in process. The result is not a snapshot.
    ///
    /// # Errors
    /// Those of the store, if any of the counts cannot be read.
    pub async fn count_union<I: KeyId>(&self, ids: impl IntoIterator<Item = I>) -> Result<u64> {
        Ok(self.union(ids).await?.count())
    }

    /// Adds the elements of some counts to the count `into`: for example the days of a month to the month.
    ///
    /// It takes the round trips of [`count_union`](Self::count_union) and one more.
    ///
    /// # Errors
    /// Those of the store. After [`ErrorKind::MayHaveRun`] they may have been merged; repeating the call is
    /// safe.
    ///
    /// # Cancellation
    /// All of them are merged, or none.
    pub async fn merge<I: KeyId>(
        &self,
        into: impl KeyId,
        ids: impl IntoIterator<Item = I>,
    ) -> Result<()> {
        let into = self.records.key(into);
        let (ttl, registers) = (self.ttl, self.union(ids).await?);
        let merge = Merge { ttl, registers };
        self.records.programs().run(&into, &merge).await
    }

    /// Removes the count `id`, and returns whether there was one.
    ///
    /// # Errors
    /// Those of the store. Repeating the call is safe.
    ///
    /// # Cancellation
    /// It may or may not have been removed.
    pub async fn clear(&self, id: impl KeyId) -> Result<bool> {
        self.records.run(id, &Clear).await
    }

    /// Returns whether there is a count, for people and tools. One round trip.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn inspect(&self, id: impl KeyId) -> Result<Inspection> {
        self.records.inspect(id).await
    }

    async fn union<I: KeyId>(&self, ids: impl IntoIterator<Item = I>) -> Result<Registers> {
        let keys: Vec<_> = ids.into_iter().map(|id| self.records.key(id)).collect();
        let mut union = Registers::default();
        for keys in keys.chunks(READ) {
            let steps = keys.iter().map(|key| (key.clone(), ReadRegisters));
            let steps: Vec<_> = steps.collect();
            for registers in self.records.run_many(steps).await {
                union.merge(&registers?);
            }
        }
        Ok(union)
    }
}
