use std::fmt;

use larder_store::{ErrorKind, Result};

use super::journal::{Bury, DeadAt, DeadKeys, Taken};
use super::{Shared, WriteBehind, error};
use crate::CacheKey;
use crate::attributes::Removal;

/// The maximum number of [dead letters](WriteBehind::dead_letters) that one call returns.
pub const MAX_DEAD_LETTERS: usize = 100;

/// A write that failed too often. `Debug` shows its version and its attempts.
#[non_exhaustive]
pub struct DeadLetter<K, V> {
    /// The key.
    pub key: K,
    /// The value, which is not in the source.
    pub value: V,
    /// The number of the write.
    pub version: u64,
    /// How many times it was attempted.
    pub attempts: u32,
}

impl<K: CacheKey, V: Send + Sync + 'static> WriteBehind<K, V> {
    /// Returns dead letters after a key: those of the next `many`, at most [`MAX_DEAD_LETTERS`], that this
    /// release can read.
    ///
    /// They are in the order of their ids. A page may be short, so to get them all, ask again after the key
    /// of the last one, until the answer is empty. It takes two round trips, and one more for each page that
    /// cannot be read at all.
    ///
    /// They count among the writes that may wait, until they are [tried again](Self::retry) or
    /// [discarded](Self::discard), or their key is written again.
    ///
    /// # Errors
    /// Those of the store; [`ErrorKind::Invalid`] for more than [`MAX_DEAD_LETTERS`].
    pub async fn dead_letters(
        &self,
        after: Option<&K>,
        many: usize,
    ) -> Result<Vec<DeadLetter<K, V>>> {
        if many > MAX_DEAD_LETTERS {
            let text = "one call returns at most 100 dead letters: make several calls";
            return Err(error(ErrorKind::Invalid, text));
        }
        if many == 0 {
            return Ok(Vec::new());
        }
        let after = after.map(|key| self.shared.id(key));
        let mut keys = self.shared.run(&DeadKeys).await?;
        if let Some(after) = after {
            keys.retain(|key| *key > after);
        }
        for keys in keys.chunks(many) {
            let dead = self.shared.run(&DeadAt(keys.to_vec())).await?;
            let letters = dead.into_iter().filter_map(|it| self.shared.letter(it));
            let letters: Vec<_> = letters.collect();
            if !letters.is_empty() {
                return Ok(letters);
            }
        }
        Ok(Vec::new())
    }

    /// Tries the dead letter of `key` again, and returns whether there was one.
    ///
    /// The cached value is removed, since it may be the older one of the source. It takes one round trip, and
    /// those of [`Cache::remove`](crate::Cache::remove).
    ///
    /// # Errors
    /// Those of the store. An error of the cache is logged, and its removal tried again.
    ///
    /// # Cancellation
    /// A dropped call may or may not have queued it again. The cached value is removed.
    pub async fn retry(&self, key: &K) -> Result<bool> {
        let was_there = self.bury(key, true).await?;
        self.shared.work.notify_one();
        Ok(was_there)
    }

    /// Discards the dead letter of `key`, and returns whether there was one.
    ///
    /// The cached value is removed, since it may be the discarded one. It takes one round trip, and those of
    /// [`Cache::remove`](crate::Cache::remove).
    ///
    /// # Errors
    /// Those of [`retry`](Self::retry).
    ///
    /// # Cancellation
    /// A dropped call may or may not have discarded it. The cached value is removed.
    pub async fn discard(&self, key: &K) -> Result<bool> {
        self.bury(key, false).await
    }

    async fn bury(&self, key: &K, tries_again: bool) -> Result<bool> {
        let bury = Bury {
            key: self.shared.id(key),
            tries_again,
            keep: self.shared.settings.keep,
        };
        let removal = Removal::begin(&self.shared.cache, Some(key.clone()));
        let was_there = self.shared.run(&bury).await?;
        removal.finish_or_log().await;
        Ok(was_there)
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Shared<K, V> {
    fn letter(&self, dead: Taken) -> Option<DeadLetter<K, V>> {
        let ((key, value), _) = self.open(&dead.key, &dead.value).ok()?;
        Some(DeadLetter {
            key,
            value,
            version: dead.version.unsigned_abs(),
            attempts: u32::try_from(dead.attempts).unwrap_or(u32::MAX),
        })
    }
}

impl<K, V> fmt::Debug for DeadLetter<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetter")
            .field("version", &self.version)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}
