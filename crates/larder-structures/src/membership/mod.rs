//! Membership: whether an element was certainly never added, in a few bits for each.

mod filter;
mod programs;
#[cfg(test)]
mod traces;

use std::sync::Arc;

use bytes::Bytes;
use larder_store::program::Inspection;
use larder_store::{Error, ErrorKind, KeyId, Result, Store, Ttl};

use crate::records::{Records, debug_name};

use filter::Shape;
use programs::{Add, Clear, Contains, CountBits};
pub use programs::{FilterRecord, InspectFilter};

/// Reports which elements were certainly never added: one Bloom filter per id, with about 10 bits per element.
///
/// It never denies an element that was added. For an element that was not added it may claim that it was,
/// with the declared error as long as the filter has at most as many as its capacity; [`fill`](Self::fill)
/// shows how full it is. Elements cannot be listed or removed.
///
/// A filter needs no module of Redis: it is one string, with its shape in a header, and the same bits in
/// process. It takes up to 16 MiB. An element is 1 to 1,024 bytes. Each addition restarts the TTL. Each
/// method takes one round trip, or none in process. Clones are cheap and share everything.
///
/// # Deployment caveats
/// The positions of an element follow from its bytes alone. Anyone who chooses elements freely can choose
/// some that fill the same bits; add ids of your own, or a keyed hash.
///
/// ```
/// # use std::sync::Arc;
/// use larder_store::{Result, Store, Ttl};
/// use larder_structures::membership::Membership;
///
/// async fn is_first(store: Arc<dyn Store>, day: u32, mail: &str) -> Result<bool> {
///     let sent = Membership::new(store, "sent", 100_000, 0.01, Ttl::from_secs(7 * 86_400))?;
///     sent.add(day, mail).await
/// }
/// ```
#[derive(Clone)]
pub struct Membership {
    records: Records<FilterRecord>,
    shape: Shape,
    ttl: Ttl,
}

debug_name!(Membership, records.name);

/// How full a filter is.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Fill {
    /// The approximate number of elements that were added.
    pub members: u64,
    /// The number of elements for which it was made.
    pub capacity: u64,
    /// The current chance of a false positive.
    pub error: f64,
}

/// The maximum number of elements of one call.
const MAX_ELEMENTS: usize = 500;
/// The maximum length of an element, in bytes.
const MAX_ELEMENT: usize = 1_024;

impl Membership {
    /// Makes the filters called `name` for `capacity` elements with `error`, a chance between 0 and 1.
    ///
    /// Each lives for `ttl` after its last addition. The name is in each key. It is 1 to 32 of `a-z`, `0-9`,
    /// `-`, `_` and `.`. An existing filter keeps its capacity and error: to change them, use another name.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the name or the error is invalid, the filter would be larger than
    /// 16 MiB, or the store runs no programs.
    pub fn new(
        store: Arc<dyn Store>,
        name: &str,
        capacity: u64,
        error: f64,
        ttl: Ttl,
    ) -> Result<Self> {
        let shape = Shape::new(capacity, error).ok_or_else(|| {
            let text = "a filter has a capacity of at least 1, an error between 0 and 1, and at most 16 \
                        MiB: some 14 million elements at 0.01";
            Error::new("build", ErrorKind::Invalid, text)
        })?;
        Ok(Self {
            records: Records::new(store, name, "a membership")?,
            shape,
            ttl,
        })
    }

    /// Adds an element, and returns whether it is certainly new. False means that it may have been added
    /// before.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`] if the element is out of its bounds or the filter was
    /// made with another capacity or error. After [`ErrorKind::MayHaveRun`] it may have been added: a second
    /// addition is safe, and then returns false.
    ///
    /// # Cancellation
    /// It may or may not have been added.
    pub async fn add(&self, id: impl KeyId, element: impl AsRef<[u8]>) -> Result<bool> {
        Ok(self.add_many(id, [element]).await? == [true])
    }

    /// Adds elements, at most 500, and returns for each whether it is certainly new.
    ///
    /// # Errors
    /// Those of [`add`](Self::add).
    ///
    /// # Cancellation
    /// All of them are added, or none.
    pub async fn add_many<E: AsRef<[u8]>>(
        &self,
        id: impl KeyId,
        elements: impl IntoIterator<Item = E>,
    ) -> Result<Vec<bool>> {
        let elements = checked("add", elements)?;
        if elements.is_empty() {
            return Ok(Vec::new());
        }
        let (shape, ttl) = (self.shape, self.ttl);
        let add = Add {
            shape,
            ttl,
            elements,
        };
        self.records
            .run(id, &add)
            .await?
            .ok_or_else(|| other("add"))
    }

    /// Returns whether an element may have been added. False is certain.
    ///
    /// # Errors
    /// Those of [`add`](Self::add).
    pub async fn contains(&self, id: impl KeyId, element: impl AsRef<[u8]>) -> Result<bool> {
        Ok(self.contains_many(id, [element]).await? == [true])
    }

    /// Returns for each of some elements, at most 500, whether it may have been added.
    ///
    /// # Errors
    /// Those of [`add`](Self::add).
    pub async fn contains_many<E: AsRef<[u8]>>(
        &self,
        id: impl KeyId,
        elements: impl IntoIterator<Item = E>,
    ) -> Result<Vec<bool>> {
        let elements = checked("contains", elements)?;
        if elements.is_empty() {
            return Ok(Vec::new());
        }
        let shape = self.shape;
        let found = self.records.run(id, &Contains { shape, elements }).await?;
        found.ok_or_else(|| other("contains"))
    }

    /// Returns how full a filter is. The store counts its bits.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`] if the filter was made with another capacity or error.
    pub async fn fill(&self, id: impl KeyId) -> Result<Fill> {
        let shape = self.shape;
        let set = self.records.run(id, &CountBits { shape }).await?;
        let set = set.ok_or_else(|| other("fill"))?;
        let share = set as f64 / shape.bits as f64;
        Ok(Fill {
            members: shape.estimate(set),
            capacity: shape.capacity,
            error: share.powi(shape.hashes as i32),
        })
    }

    /// Removes a filter, and returns whether there was one.
    ///
    /// # Errors
    /// Those of the store. Repeating the call is safe.
    ///
    /// # Cancellation
    /// It may or may not have been removed.
    pub async fn clear(&self, id: impl KeyId) -> Result<bool> {
        self.records.run(id, &Clear).await
    }

    /// Returns the parameters of a filter and its number of set bits, for people and tools. One round trip.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn inspect(&self, id: impl KeyId) -> Result<Inspection> {
        self.records.inspect(id).await
    }
}

fn checked<E: AsRef<[u8]>>(
    operation: &'static str,
    elements: impl IntoIterator<Item = E>,
) -> Result<Vec<Bytes>> {
    let elements = elements.into_iter().take(MAX_ELEMENTS + 1);
    let copied = elements.map(|element| Bytes::copy_from_slice(element.as_ref()));
    let elements: Vec<_> = copied.collect();
    let is_ours = |element: &Bytes| (1..=MAX_ELEMENT).contains(&element.len());
    if elements.len() <= MAX_ELEMENTS && elements.iter().all(is_ours) {
        return Ok(elements);
    }
    Err(Error::new(
        operation,
        ErrorKind::Invalid,
        "one call takes at most 500 elements of 1 to 1,024 bytes each",
    ))
}

fn other(operation: &'static str) -> Error {
    Error::new(
        operation,
        ErrorKind::Invalid,
        "the filter was made with another capacity or error: give this one another name",
    )
}
