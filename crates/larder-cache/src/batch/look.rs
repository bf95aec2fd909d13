use std::collections::HashMap;
use std::sync::Arc;

use larder_store::Version;

use crate::cache::{Inner, Look};
use crate::election::FirstRead;
use crate::far::Far;
use crate::{Cache, CacheKey, LoadError, Source};

/// The maximum number of keys that are read far in one round trip.
const KEYS_PER_READ: usize = 1_000;

/// Reads the far store for some keys. One round trip for each 1,000 of them.
pub(super) async fn read_many<K: CacheKey, V: Send + Sync + 'static>(
    inner: &Inner<K, V>,
    far: &Far<V>,
    keys: &[&K],
) -> Vec<FirstRead<V>> {
    let mut reads = Vec::with_capacity(keys.len());
    for keys in keys.chunks(KEYS_PER_READ) {
        let far_keys: Vec<_> = keys.iter().map(|key| far.key(*key)).collect();
        let begun = keys.iter().zip(&far_keys);
        let begun: Vec<_> = begun
            .map(|(key, far_key)| inner.begin_read(*key, far_key))
            .collect();
        let step = inner.begin_step();
        let read = far.read_many(&far_keys, inner.clock.now()).await;
        let read = read.into_iter().zip(begun);
        reads.extend(read.map(|(read, reading)| FirstRead {
            read,
            reading,
            step,
        }));
    }
    reads
}

impl<K: CacheKey, V: Send + Sync + 'static> Cache<K, V> {
    /// Answers the keys that need no load, if nothing is kept near, and adds those of them to `due` that
    /// are to be refreshed. Returns the others.
    ///
    /// Without a near tier each call reads the far store itself, so that it sees every invalidation that was
    /// acknowledged before it, even if it then follows another call's load.
    pub(super) async fn look_many<'a, E>(
        &self,
        keys: Vec<&'a K>,
        answers: &mut HashMap<&'a K, Result<Arc<V>, LoadError<E>>>,
        due: &mut Vec<(&'a K, Option<Version>)>,
    ) -> Vec<&'a K> {
        let inner = &self.inner;
        let Some(far) = inner.far.as_ref().filter(|_| !inner.keeps_near) else {
            return keys;
        };
        let (usable, mut left): (Vec<_>, Vec<_>) = keys
            .into_iter()
            .partition(|key| inner.usable_far(key).is_some());
        for key in &left {
            inner.not_looked(key);
        }
        let reads = read_many(inner, far, &usable).await;
        for (key, first) in usable.into_iter().zip(reads) {
            let Ok(read) = first.read else {
                inner.metrics.far_get_errors.increment(1);
                inner.not_looked(key);
                left.push(key);
                continue;
            };
            let found = match inner.looked(key, read, &first.reading, true) {
                Look::Fresh(kept) => kept.and_then(|kept| inner.found(kept, Source::Far)),
                Look::RefreshDue(kept) => {
                    due.push((key, kept.version));
                    inner.found(kept, Source::Far)
                }
                Look::Stale(kept) if inner.is_paused(key, &kept) => inner.found_stale(kept),
                Look::Stale(_) | Look::Absent | Look::NoFar => {
                    left.push(key);
                    continue;
                }
            };
            let answer = found.map(|found| found.value).ok_or(LoadError::NotFound);
            answers.insert(key, answer);
        }
        left
    }
}
