use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use larder_redis::Admin;
use larder_store::program::Wire;
use larder_store::scan::MAX_PAGE;
use larder_store::{Error, ErrorKind, Refusal, Result, Store};
use serde::Serialize;
use tokio::time::sleep;

use super::kind_of;

/// The number of keys that are all measured; after them one in [`SAMPLED`] is.
const ALL_MEASURED: u64 = 5_000;
const SAMPLED: u64 = 50;

/// The number of keys that are measured at once.
pub(crate) const TOGETHER: usize = 25;

/// Surveys the keys of a store that begin with a prefix.
///
/// It pauses after each step for as long as the step took, so it keeps a server busy for at most half of
/// the time, and runs no command that takes longer than some tens of microseconds.
#[derive(Debug)]
pub struct Surveyor {
    admin: Option<Admin>,
    most_listed: usize,
}

/// The keys that a survey found.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Survey {
    /// The number of keys.
    pub keys: u64,
    /// The keys of each kind.
    pub kinds: BTreeMap<String, KindSurvey>,
    /// The largest measured keys, with their sizes in bytes, the largest first.
    pub largest: Vec<(String, u64)>,
}

/// The keys of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KindSurvey {
    /// The number of keys.
    pub keys: u64,
    /// How many of them were measured.
    pub measured: u64,
    /// The memory of the measured keys, in bytes.
    pub measured_bytes: u64,
    /// The size of the largest, in bytes.
    pub largest: u64,
    /// How many of the measured keys have no TTL.
    pub without_ttl: u64,
    /// The shortest TTL that was measured, in milliseconds.
    pub shortest_ttl_ms: Option<u64>,
    /// The longest TTL that was measured, in milliseconds.
    pub longest_ttl_ms: Option<u64>,
}

impl KindSurvey {
    /// Returns the memory of all keys of the kind, estimated from the measured ones, in bytes.
    pub fn bytes(&self) -> u64 {
        let all = u128::from(self.measured_bytes) * u128::from(self.keys);
        let bytes = all / u128::from(self.measured.max(1));
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

impl Surveyor {
    /// Makes a surveyor that measures keys by `admin`, or only counts them without it.
    pub fn new(admin: Option<Admin>) -> Self {
        Self {
            admin,
            most_listed: 10,
        }
    }

    /// Sets how many of the largest keys are listed. Default: 10.
    #[must_use]
    pub fn with_largest(mut self, keys: usize) -> Self {
        self.most_listed = keys;
        self
    }

    /// Surveys the keys of `store` that begin with `prefix`, and calls `progress` after each page.
    ///
    /// The first 5,000 keys are measured, and after that one in fifty. If the user may not run `MEMORY
    /// USAGE`, sizes are 0; keys that the user may not name are only counted.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the store lists no keys, or its servers changed meanwhile: start again.
    /// Otherwise those of the store.
    ///
    /// # Cancellation
    /// A dropped call has no effect.
    pub async fn survey(
        &self,
        store: &Arc<dyn Store>,
        prefix: &str,
        mut progress: impl FnMut(&Survey),
    ) -> Result<Survey> {
        let scan = store
            .clone()
            .scan()
            .ok_or_else(|| Error::new("scan", ErrorKind::Invalid, "the store lists no keys"))?;
        let (mut survey, mut next) = (Survey::default(), None);
        loop {
            let page = scan.page(prefix, next.as_ref(), MAX_PAGE).await?;
            let first = survey.keys;
            survey.keys += page.keys.len() as u64;
            for key in &page.keys {
                survey.kind(key).keys += 1;
            }
            let numbered = page.keys.iter().zip(first..);
            let chosen: Vec<_> = numbered
                .filter(|(_, number)| *number < ALL_MEASURED || number.is_multiple_of(SAMPLED))
                .map(|(key, _)| key.as_str())
                .collect();
            self.measure(&mut survey, &chosen).await?;
            progress(&survey);
            next = page.next;
            if next.is_none() {
                return Ok(survey);
            }
        }
    }

    async fn measure(&self, survey: &mut Survey, keys: &[&str]) -> Result<()> {
        let Some(admin) = &self.admin else {
            return Ok(());
        };
        for keys in keys.chunks(TOGETHER) {
            let started = Instant::now();
            let measured = join_all(keys.iter().map(|key| measure(admin, key))).await;
            for (key, measured) in keys.iter().zip(measured) {
                if let Some(measured) = measured? {
                    survey.note(key, measured, self.most_listed);
                }
            }
            sleep(started.elapsed()).await;
        }
        Ok(())
    }
}

/// The size and the TTL of a key.
struct Measured {
    bytes: u64,
    ttl: Option<Duration>,
}

/// Measures a key. None if it is gone, or the user may not name it.
async fn measure(admin: &Admin, key: &str) -> Result<Option<Measured>> {
    let key = key.as_bytes();
    let (ttl, bytes) = join(
        admin.run_on_key(&[b"PTTL", key], key),
        admin.run_on_key(&[b"MEMORY", b"USAGE", key], key),
    )
    .await;
    let ttl = match ttl {
        Ok(Wire::Int(millis @ 0..)) => Some(Duration::from_millis(millis.unsigned_abs())),
        Ok(Wire::Int(-1)) => None,
        Ok(_) => return Ok(None),
        // A key of another app, on a server that they share, is counted and not measured.
        Err(error) if error.kind() == ErrorKind::Refused(Refusal::Denied) => return Ok(None),
        Err(error) => return Err(error),
    };
    let bytes = match bytes {
        Ok(Wire::Int(bytes)) => bytes.unsigned_abs(),
        Ok(_) => return Ok(None),
        // The number of keys is useful even without their sizes.
        Err(error) if matches!(error.kind(), ErrorKind::Refused(_)) => 0,
        Err(error) => return Err(error),
    };
    Ok(Some(Measured { bytes, ttl }))
}

impl Survey {
    fn kind(&mut self, key: &str) -> &mut KindSurvey {
        self.kinds.entry(kind_of(key).to_owned()).or_default()
    }

    fn note(&mut self, key: &str, measured: Measured, most_listed: usize) {
        let Measured { bytes, ttl } = measured;
        let kind = self.kind(key);
        kind.measured += 1;
        // A server may answer anything.
        kind.measured_bytes = kind.measured_bytes.saturating_add(bytes);
        kind.largest = kind.largest.max(bytes);
        match ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)) {
            None => kind.without_ttl += 1,
            Some(ttl) => {
                let shortest = kind.shortest_ttl_ms.get_or_insert(ttl);
                *shortest = ttl.min(*shortest);
                kind.longest_ttl_ms = kind.longest_ttl_ms.max(Some(ttl));
            }
        }
        let at = self.largest.partition_point(|(_, other)| *other >= bytes);
        let is_listed = self.largest.iter().any(|(listed, _)| listed == key);
        if at < most_listed && bytes > 0 && !is_listed {
            self.largest.insert(at, (key.to_owned(), bytes));
            self.largest.truncate(most_listed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: u64, ttl: Option<u64>) -> Measured {
        let ttl = ttl.map(Duration::from_millis);
        Measured { bytes, ttl }
    }

    #[test]
    fn the_largest_keys_are_listed_in_their_order() {
        let mut survey = Survey::default();
        for (key, bytes) in [
            ("a:{1}", 5),
            ("a:{2}", 9),
            ("a:{3}", 7),
            ("a:{2}", 9),
            ("a:{4}", 1),
        ] {
            survey.note(key, of(bytes, Some(bytes)), 2);
        }
        let listed: Vec<_> = survey.largest.iter().map(|(key, _)| &**key).collect();
        assert_eq!(listed, ["a:{2}", "a:{3}"]);
        let kind = &survey.kinds["a"];
        assert_eq!((kind.measured, kind.largest), (5, 9));
        assert_eq!(
            (kind.shortest_ttl_ms, kind.longest_ttl_ms),
            (Some(1), Some(9))
        );
    }

    #[test]
    fn the_memory_of_a_kind_is_estimated_by_what_was_measured() {
        let mut survey = Survey::default();
        survey.kind("a:{1}").keys = 1_000;
        survey.note("a:{1}", of(30, None), 10);
        survey.note("a:{2}", of(10, None), 10);
        let kind = &survey.kinds["a"];
        assert_eq!((kind.bytes(), kind.without_ttl), (20_000, 2));
        assert_eq!(KindSurvey::default().bytes(), 0);
        survey.note("a:{3}", of(u64::MAX, Some(u64::MAX)), 10);
        survey.note("a:{4}", of(u64::MAX, Some(0)), 10);
        assert_eq!(survey.kinds["a"].measured_bytes, u64::MAX);
    }
}
