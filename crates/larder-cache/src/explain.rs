use std::fmt;
use std::time::Duration;

use larder_store::{Error, Timestamp};

use crate::far::Read;
use crate::lifetime::{State, Times};
use crate::{Cache, CacheKey};

/// Where the value of a key is, how old it is, and why a read would miss it.
///
/// `Display` shows it in a few lines, without the key and the value.
#[derive(Debug)]
#[non_exhaustive]
pub struct Explanation {
    /// The near tier.
    pub near: Tier,
    /// The far store.
    pub far: Tier,
    /// Whether this process is loading the value now.
    pub is_loading: bool,
    /// Whether an invalidation of the key is still waiting for the far store, so that its far value
    /// is not read.
    pub is_quarantined: bool,
}

/// The entry of a key in one tier.
#[derive(Debug)]
#[non_exhaustive]
pub enum Tier {
    /// There is no such tier, or the cache keeps nothing there.
    None,
    /// The tier has nothing.
    Absent,
    /// It has unusable bytes: damaged, expired, or written by another codec.
    Unusable,
    /// It did not answer.
    Failed(Error),
    /// It has an entry.
    Entry(TierEntry),
}

/// An entry of a tier.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TierEntry {
    /// The time since its load began, or since it was inserted.
    pub age: Duration,
    /// How long its load took.
    pub load: Duration,
    /// How much longer it is fresh. Zero if it is not.
    pub fresh_for: Duration,
    /// How much longer it may be served if a load fails. Zero if it may not.
    pub stale_for: Duration,
    /// How much longer the tier serves it; near, for the near TTL at most.
    pub served_for: Duration,
    /// Whether a reader begins a refresh.
    pub is_refresh_due: bool,
    /// Whether it records that the source has no value.
    pub is_not_found: bool,
    /// The number of its tags.
    pub tags: usize,
}

/// The result of a comparison of near copies with the far store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checked {
    /// The number of copies that were compared.
    pub compared: usize,
    /// The number of copies for which the far store has another value, an unusable one, or none.
    pub inconsistent: usize,
}

impl<K: CacheKey, V: Send + Sync + 'static> Cache<K, V> {
    /// Explains where the value of `key` is, for people and tools. One round trip.
    ///
    /// It does not count as a read, so it does not protect the value from eviction.
    pub async fn explain(&self, key: &K) -> Explanation {
        let inner = &self.inner;
        let now = inner.clock.now();
        let near = match (inner.keeps_near, inner.near.peek(key)) {
            (false, _) => Tier::None,
            (true, None) => Tier::Absent,
            (true, Some(held)) => {
                let kept = held.value;
                let end = match kept.is_stale {
                    true => kept.retry_at,
                    false => kept.near_until.min(kept.times.fresh_until),
                };
                let is_value = kept.value.is_some();
                Tier::Entry(entry(
                    &kept.times,
                    now,
                    end,
                    is_value,
                    kept.tags.as_slice().len(),
                ))
            }
        };
        let far = match &inner.far {
            None => Tier::None,
            Some(far) => match far.read(&far.key(key), now).await {
                Ok(Read::Absent) => Tier::Absent,
                Ok(Read::Unusable(_)) => Tier::Unusable,
                Err(error) => Tier::Failed(error),
                Ok(Read::Stored(stored)) => {
                    let (times, tags) = (&stored.times, stored.tags.as_slice().len());
                    let is_value = stored.value.is_some();
                    Tier::Entry(entry(times, now, times.fresh_until, is_value, tags))
                }
            },
        };
        Explanation {
            near,
            far,
            is_loading: inner.flights.is_in_flight(key),
            is_quarantined: inner.pending.contains(key),
        }
    }

    /// Compares up to `sample` near copies with the far store, and counts those that differ.
    ///
    /// Call it from time to time to learn how far near tiers lag behind: a copy differs from a
    /// change in another process until the message arrives, or until its near TTL if the message is
    /// lost. It takes one round trip for each node of the far store.
    ///
    /// Like every read, it judges tags by the state that this process last read. If the message about a change of a
    /// tag was lost, it sees the change only when it reads that state again, after half the near TTL at most.
    pub async fn check_near(&self, sample: usize) -> Checked {
        let inner = &self.inner;
        let Some(far) = &inner.far else {
            return Checked::default();
        };
        let now = inner.clock.now();
        let copies = inner.near.iter().filter_map(|(key, held)| {
            let kept = held.value;
            let is_served = now < kept.near_until && now < kept.times.fresh_until;
            Some((key, kept.version.filter(|_| is_served)?))
        });
        // Chosen at random, because the iterator has an order of its own.
        let mut chosen = Vec::new();
        for (seen, copy) in copies.enumerate() {
            if chosen.len() < sample {
                chosen.push(copy);
            } else if let Some(slot) = chosen.get_mut(rand::random_range(0..=seen)) {
                *slot = copy;
            }
        }
        let keys: Vec<_> = chosen.iter().map(|(key, _)| far.key(key)).collect();
        let reads = far.read_many(&keys, now).await;
        let mut checked = Checked::default();
        for ((key, version), read) in chosen.into_iter().zip(reads) {
            let found = match read {
                // It was expired by a tag.
                Ok(Read::Stored(stored)) if stored.times.state(now) == State::Stale => None,
                Ok(Read::Stored(stored)) => Some(stored.version),
                Ok(Read::Unusable(_) | Read::Absent) => None,
                Err(_) => continue,
            };
            // A copy that has been replaced in the meantime says nothing.
            let held = inner.near.peek(&key).and_then(|held| held.value.version);
            if held == Some(version) {
                checked.compared += 1;
                checked.inconsistent += usize::from(found != Some(version));
            }
        }
        inner.metrics.checked.increment(checked.compared as u64);
        inner
            .metrics
            .inconsistent
            .increment(checked.inconsistent as u64);
        checked
    }
}

fn entry(times: &Times, now: Timestamp, end: Timestamp, is_value: bool, tags: usize) -> TierEntry {
    TierEntry {
        age: now.since(times.loaded_at),
        load: Duration::from_micros(u64::from(times.load_micros)),
        fresh_for: times.fresh_until.since(now),
        stale_for: times.stale_until.since(now.max(times.fresh_until)),
        served_for: end.since(now),
        is_refresh_due: times.state(now) == State::RefreshDue,
        is_not_found: !is_value,
        tags,
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "near: {}", self.near)?;
        write!(f, "far: {}", self.far)?;
        if self.is_quarantined {
            f.write_str("\nfar store not read: an invalidation of the key is pending there")?;
        }
        if self.is_loading {
            f.write_str("\nbeing loaded in this process")?;
        }
        Ok(())
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("not used"),
            Self::Absent => f.write_str("a miss, nothing is there"),
            Self::Unusable => {
                f.write_str("a miss, the entry is damaged, expired, or of another codec")
            }
            Self::Failed(error) => write!(f, "a miss, {error}"),
            Self::Entry(entry) => entry.fmt(f),
        }
    }
}

impl fmt::Display for TierEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.is_not_found {
            true => "'not found'",
            false => "a value",
        };
        write!(f, "{what}, {:?} old", self.age)?;
        if self.fresh_for > Duration::ZERO {
            write!(f, ", fresh for {:?}", self.fresh_for)?;
        } else {
            write!(f, ", a miss because it is no longer fresh")?;
        }
        if self.served_for < self.fresh_for {
            write!(f, ", served here for {:?}", self.served_for)?;
        }
        if self.stale_for > Duration::ZERO {
            write!(f, ", then for {:?} if a load fails", self.stale_for)?;
        }
        if self.is_refresh_due {
            f.write_str(", due for a refresh")?;
        }
        if self.tags > 0 {
            write!(f, ", {} tags", self.tags)?;
        }
        Ok(())
    }
}
