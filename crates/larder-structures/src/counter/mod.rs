//! A counter with bounds.

mod programs;
#[cfg(test)]
mod traces;

use std::sync::Arc;

use larder_store::program::Inspection;
use larder_store::{Error, ErrorKind, KeyId, Result, Store, Ttl};

use crate::number::check;
use crate::records::{Records, debug_name};

use programs::{Add, Read, Set, Take, WIDEST};
pub use programs::{CounterRecord, InspectCounter};

/// Counts, within bounds, one number for each id.
///
/// A counter is absent until the first addition, and then begins at 0. Numbers are integers within 2^53.
/// An addition that a bound forbids changes neither the value nor its TTL. These are the rules of
/// `INCREX` in Redis 8.8, on every server and in process, except that a value out of the bounds may move
/// towards them. On Redis a counter is the plain text that `INCR` keeps.
///
/// Its TTL begins with the first addition, and later ones do not extend it: so a window of a minute ends
/// after a minute however often it is counted. [`with_ttl_from`](Self::with_ttl_from) changes that.
///
/// Clones are cheap and share everything.
///
/// ```
/// # use std::sync::Arc;
/// use larder_store::{Result, Store, Ttl};
/// use larder_structures::counter::{Counter, Overflow};
///
/// async fn reserve(store: Arc<dyn Store>, showing: u32) -> Result<bool> {
///     let seats = Counter::new(store, "seats", Ttl::from_secs(86_400))?
///         .with_bounds(0..=120, Overflow::Refuse)?;
///     Ok(!seats.add(showing, 2).await?.bounded)
/// }
/// ```
#[derive(Clone)]
pub struct Counter {
    records: Records<CounterRecord>,
    ttl: Ttl,
    ttl_from: TtlFrom,
    bounds: Bounds,
    overflow: Overflow,
}

debug_name!(Counter, records.name);

/// When the TTL of a counter begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TtlFrom {
    /// At the write that creates the counter. This is the default.
    #[default]
    FirstWrite,
    /// At the latest write: each write restarts it.
    LastWrite,
}

/// The effect of an addition past a bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// Nothing: the value stays. This is the default.
    #[default]
    Refuse,
    /// It adds as much as the bound allows.
    Saturate,
}

/// The result of an addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Added {
    /// The value now.
    pub value: i64,
    /// The amount that was added: 0 if the addition was refused.
    pub applied: i64,
    /// Whether a bound forbade the whole amount.
    pub bounded: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) low: i64,
    pub(crate) high: i64,
}

impl Counter {
    /// Makes the counters called `name`, which live for `ttl`.
    ///
    /// The name is in each key. It is 1 to 32 of `a-z`, `0-9`, `-`, `_` and `.`. An in-process store has
    /// a cap on the counters of each name.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the name is invalid or the store runs no programs.
    pub fn new(store: Arc<dyn Store>, name: &str, ttl: Ttl) -> Result<Self> {
        Ok(Self {
            records: Records::new(store, name, "a counter")?,
            ttl,
            ttl_from: TtlFrom::default(),
            bounds: WIDEST,
            overflow: Overflow::default(),
        })
    }

    /// Keeps the value within `bounds`. By default the bounds are ±2^53.
    ///
    /// A value that is already out of bounds, because they were wider before, may still move towards
    /// them. So may that of an absent counter, which begins at 0, if 0 is out of bounds.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the bounds are empty or past 2^53.
    pub fn with_bounds(
        mut self,
        bounds: std::ops::RangeInclusive<i64>,
        overflow: Overflow,
    ) -> Result<Self> {
        let (low, high) = bounds.into_inner();
        check("build", "the lower bound of a counter", low)?;
        check("build", "the upper bound of a counter", high)?;
        if low > high {
            return Err(Error::new(
                "build",
                ErrorKind::Invalid,
                "the lower bound of a counter must not be above its upper bound",
            ));
        }
        self.bounds = Bounds { low, high };
        self.overflow = overflow;
        Ok(self)
    }

    /// Sets when the TTL begins. The default is [`TtlFrom::FirstWrite`].
    #[must_use]
    pub fn with_ttl_from(mut self, ttl_from: TtlFrom) -> Self {
        self.ttl_from = ttl_from;
        self
    }

    /// Adds `by`, which may be negative, to the counter `id`.
    ///
    /// It takes one round trip, or none in process. Adding 0 creates no counter.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`] if `by` is past 2^53. After
    /// [`ErrorKind::MayHaveRun`] it may have been added, once: larder never sends it again. If you do,
    /// the counter may be too high, by at most one `by` for each lost reply.
    ///
    /// # Cancellation
    /// It may or may not have been added.
    pub async fn add(&self, id: impl KeyId, by: i64) -> Result<Added> {
        self.records.run(id, &self.addition(by)).await
    }

    /// Adds to several counters at once, with a result for each. They are not one atomic step.
    ///
    /// It takes one round trip for each node, or none in process.
    ///
    /// # Errors
    /// Each result has those of [`add`](Self::add).
    ///
    /// # Cancellation
    /// Each of them may or may not have been added.
    pub async fn add_many<I: KeyId>(
        &self,
        additions: impl IntoIterator<Item = (I, i64)>,
    ) -> Vec<Result<Added>> {
        let steps = additions
            .into_iter()
            .map(|(id, by)| (self.records.key(id), self.addition(by)))
            .collect::<Vec<_>>();
        self.records.run_many(steps).await
    }

    /// Returns the value of the counter `id`. None if it is absent.
    ///
    /// It takes one round trip, or none in process: on Redis one GET.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn get(&self, id: impl KeyId) -> Result<Option<i64>> {
        Ok(self.records.run(id, &Read).await?.0)
    }

    /// Returns the values of several counters, with a result for each.
    ///
    /// It takes one round trip for each node, or none in process.
    ///
    /// # Errors
    /// Each result has those of the store.
    pub async fn get_many<I: KeyId>(
        &self,
        ids: impl IntoIterator<Item = I>,
    ) -> Vec<Result<Option<i64>>> {
        let steps = ids.into_iter().map(|id| (self.records.key(id), Read));
        let steps = steps.collect::<Vec<_>>();
        let counts = self.records.run_many(steps).await;
        counts.into_iter().map(|count| Ok(count?.0)).collect()
    }

    /// Sets the counter `id`, within its bounds or not, and returns the previous value.
    ///
    /// Its TTL restarts. It takes one round trip, or none in process.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`] if `value` is past 2^53. After
    /// [`ErrorKind::MayHaveRun`] it may have been set; repeating the call is safe if nobody else counts.
    ///
    /// # Cancellation
    /// It may or may not have been set.
    pub async fn set(&self, id: impl KeyId, value: i64) -> Result<Option<i64>> {
        let ttl = self.ttl;
        Ok(self.records.run(id, &Set { value, ttl }).await?.0)
    }

    /// Removes the counter `id`, and returns its value.
    ///
    /// It takes one round trip, or none in process, and no concurrent count is lost.
    ///
    /// # Errors
    /// Those of the store. After [`ErrorKind::MayHaveRun`] the counter may be gone, and its value with
    /// it.
    ///
    /// # Cancellation
    /// The counter may or may not be gone.
    pub async fn take(&self, id: impl KeyId) -> Result<Option<i64>> {
        Ok(self.records.run(id, &Take).await?.0)
    }

    /// Returns the content of the counter `id`, for people and tools. One round trip.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn inspect(&self, id: impl KeyId) -> Result<Inspection> {
        self.records.inspect(id).await
    }

    fn addition(&self, by: i64) -> Add {
        Add {
            by,
            bounds: self.bounds,
            overflow: self.overflow,
            ttl: self.ttl,
            ttl_from: self.ttl_from,
        }
    }
}
