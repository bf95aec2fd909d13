//! Counts by time: for example in the last hour, and in each minute of it.

mod programs;
#[cfg(test)]
mod traces;

use std::sync::Arc;
use std::time::Duration;

use larder_store::program::{Inspection, MAX_INT};
use larder_store::{Error, ErrorKind, KeyId, Result, Store, Timestamp, Ttl};

use crate::records::{Records, debug_name};

use programs::{Add, Read, Step};
pub use programs::{BucketsRecord, InspectBuckets};

/// Counts events by the time at which they happen, in one record for each id.
///
/// A bucket covers a step of time, from a multiple of it since 1970 in UTC, by the store's clock; so all
/// processes count into the same one. Each [`Level`] keeps a number of buckets of its step, and older ones are
/// removed when a new one begins. A count goes into the running bucket of each level, so reading a day need
/// not sum its minutes. If the store's clock goes back by more than a level keeps, that level ignores counts
/// until the clock has caught up.
///
/// After the last count the record lives for the span of its longest level, and one step more. Each method takes one
/// round trip, or none in process. Clones are cheap and share everything.
///
/// ```
/// # use std::sync::Arc;
/// use std::time::Duration;
/// use larder_store::{Result, Store};
/// use larder_structures::buckets::{Buckets, Level};
///
/// async fn booked(store: Arc<dyn Store>, film: u32) -> Result<u64> {
///     let bookings = Buckets::new(store, "bookings", &[Level::minutes(60), Level::days(30)])?;
///     bookings.add(film, 2).await?;
///     bookings.sum(film, Duration::from_secs(7 * 86_400)).await
/// }
/// ```
#[derive(Clone)]
pub struct Buckets {
    records: Records<BucketsRecord>,
    levels: Arc<[Step]>,
    ttl: Ttl,
}

debug_name!(Buckets, records.name);

/// The length of a level's buckets, and how many are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    step: Duration,
    keep: u32,
}

/// The count of one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bucket {
    /// When it begins, by the store's clock.
    pub start: Timestamp,
    /// The count so far; the running bucket may still grow.
    pub count: u64,
}

/// The maximum number of levels.
const MAX_LEVELS: usize = 4;
/// The maximum number of buckets of a level.
const MAX_KEEP: u32 = 1_000;

impl Level {
    /// Keeps `keep` buckets, 1 to 1,000, of `step` each: whole seconds, at most a year.
    pub const fn new(step: Duration, keep: u32) -> Self {
        Self { step, keep }
    }

    /// Keeps buckets of a minute.
    pub const fn minutes(keep: u32) -> Self {
        Self::new(Duration::from_secs(60), keep)
    }

    /// Keeps buckets of an hour.
    pub const fn hours(keep: u32) -> Self {
        Self::new(Duration::from_secs(3_600), keep)
    }

    /// Keeps buckets of a day.
    pub const fn days(keep: u32) -> Self {
        Self::new(Duration::from_secs(86_400), keep)
    }

    fn checked(self) -> Option<Step> {
        let seconds = self.step.as_secs();
        let is_ours = (1..=366 * 86_400).contains(&seconds)
            && self.step.subsec_nanos() == 0
            && (1..=MAX_KEEP).contains(&self.keep);
        is_ours.then(|| Step {
            step: seconds as i64 * 1_000_000,
            keep: self.keep.into(),
        })
    }
}

impl Buckets {
    /// Makes the counts called `name`, with 1 to 4 levels, the shortest step first.
    ///
    /// The name is in each key. It is 1 to 32 of `a-z`, `0-9`, `-`, `_` and `.`. A level that you add later
    /// begins empty; one that keeps fewer buckets than before removes the others at its next bucket.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the name or a level is invalid or the store runs no programs.
    pub fn new(store: Arc<dyn Store>, name: &str, levels: &[Level]) -> Result<Self> {
        let steps: Option<Vec<_>> = levels.iter().map(|level| level.checked()).collect();
        let steps = steps.filter(|steps| {
            let is_sorted = steps.windows(2).all(|pair| pair[0].step < pair[1].step);
            is_sorted && (1..=MAX_LEVELS).contains(&steps.len())
        });
        let Some(steps) = steps else {
            return Err(invalid(
                "build",
                "buckets have 1 to 4 levels, the shortest step first, each of whole seconds up to a \
                 year, with 1 to 1,000 buckets",
            ));
        };
        let longest = steps
            .iter()
            .map(|level| level.step * (level.keep + 1))
            .max();
        Ok(Self {
            records: Records::new(store, name, "buckets")?,
            levels: steps.into(),
            ttl: Ttl::covering_micros(longest.unwrap_or(0)),
        })
    }

    /// Adds `by` to the running bucket of each level.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`] if `by` or a bucket would be past 2^53. After
    /// [`ErrorKind::MayHaveRun`] it may have been counted, once: larder never sends it again.
    ///
    /// # Cancellation
    /// It may or may not have been counted, in all levels or none.
    pub async fn add(&self, id: impl KeyId, by: u64) -> Result<()> {
        let add = Add {
            by: i64::try_from(by).unwrap_or(i64::MAX),
            ttl: self.ttl,
            levels: self.levels.to_vec(),
        };
        if add.by > MAX_INT || !self.records.run(id, &add).await? {
            return Err(invalid(
                "add",
                "a bucket counts up to 2^53: nothing was counted",
            ));
        }
        Ok(())
    }

    /// Returns the sum over the last `span`, including the running bucket.
    ///
    /// It sums the buckets of the shortest level that covers the span, as many as the span has steps, rounded
    /// up; so it may miss a part of one step. If no level covers the span, the whole level that goes back furthest is
    /// summed.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn sum(&self, id: impl KeyId, span: Duration) -> Result<u64> {
        let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        let many = |level: &Step| (span / level.step + i64::from(span % level.step > 0)).max(1);
        let covers = |level: &&Step| many(level) <= level.keep;
        let furthest = || {
            self.levels
                .iter()
                .max_by_key(|level| level.step * level.keep)
        };
        let level = self.levels.iter().find(covers).or_else(furthest);
        let Some(level) = level else {
            return Ok(0);
        };
        let read = Read {
            step: level.step,
            many: many(level).min(level.keep),
        };
        let (_, counts) = self.records.run(id, &read).await?;
        Ok(counts
            .into_iter()
            .fold(0, |sum, count| sum.saturating_add(count.unsigned_abs())))
    }

    /// Returns the last `many` buckets of the level with this step, oldest first, the running one last.
    ///
    /// Empty buckets are included, with 0.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`] if no level has this step and keeps that many.
    pub async fn series(&self, id: impl KeyId, step: Duration, many: u32) -> Result<Vec<Bucket>> {
        let step = i64::try_from(step.as_micros()).unwrap_or(i64::MAX);
        let keeps = |level: &Step| level.step == step && (1..=level.keep).contains(&many.into());
        if !self.levels.iter().any(keeps) {
            return Err(invalid(
                "series",
                "no level has this step and keeps so many buckets",
            ));
        }
        let many = many.into();
        let (running, counts) = self.records.run(id, &Read { step, many }).await?;
        let buckets = (running - many + 1..).zip(counts);
        let bucket = |(number, count): (i64, i64)| Bucket {
            start: Timestamp::from_micros(number * step),
            count: count.unsigned_abs(),
        };
        Ok(buckets.map(bucket).collect())
    }

    /// Returns the number of buckets, for people and tools. One round trip.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn inspect(&self, id: impl KeyId) -> Result<Inspection> {
        self.records.inspect(id).await
    }
}

fn invalid(operation: &'static str, text: &'static str) -> Error {
    Error::new(operation, ErrorKind::Invalid, text)
}
