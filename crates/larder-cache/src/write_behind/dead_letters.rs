use std::borrow::Cow;
use std::fmt;

use larder_store::{ErrorKind, Result};

use super::journal::{Bury, DeadAt, DeadKeys, Taken};
use super::{Shared, WriteBehind, error};
use crate::CacheKey;
use crate::attributes::Removal;

/// The maximum number of [dead letters](WriteBehind::dead_letters) that one call returns.
pub const MAX_DEAD_LETTERS: usize = 100;

/// A write that failed too often, or that was [left for too long](super::LEFT_WRITE_TIMEOUT). `Debug` shows its
/// version and its attempts.
#[non_exhaustive]
pub struct DeadLetter<K, V> {
    /// The key, and the value, which is not in the source. None if this release cannot read them.
    pub write: Option<(K, V)>,
    /// The number of the write.
    pub version: u64,
    /// How many times it was attempted.
    pub attempts: u32,
    id: Vec<u8>,
}

impl<K, V> DeadLetter<K, V> {
    /// Returns the key as text, such as `write-behind:{7}`, also if this release cannot read the write.
    ///
    /// Not for logs.
    pub fn id(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.id)
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> WriteBehind<K, V> {
    /// Returns the next `many` dead letters after another one, at most [`MAX_DEAD_LETTERS`].
    ///
    /// They are in the order of their ids. A page may be short, so to get them all, ask again after the last
    /// one, until the answer is empty. It takes two round trips.
    ///
    /// They count among the writes that may wait, until they are [tried again](Self::retry) or
    /// [discarded](Self::discard), or their key is written again.
    ///
    /// # Errors
    /// Those of the store; [`ErrorKind::Invalid`] for more than [`MAX_DEAD_LETTERS`].
    pub async fn dead_letters(
        &self,
        after: Option<&DeadLetter<K, V>>,
        many: usize,
    ) -> Result<Vec<DeadLetter<K, V>>> {
        if many > MAX_DEAD_LETTERS {
            let text = format!(
                "one call returns at most {MAX_DEAD_LETTERS} dead letters: make several calls"
            );
            return Err(error(ErrorKind::Invalid, text));
        }
        if many == 0 {
            return Ok(Vec::new());
        }
        let mut ids = self.shared.run(&DeadKeys).await?;
        if let Some(after) = after {
            ids.retain(|id| *id > after.id);
        }
        for ids in ids.chunks(many) {
            let dead = self.shared.run(&DeadAt(ids.to_vec())).await?;
            // Empty if none of them is of any release, or all have gone since.
            if !dead.is_empty() {
                let letters = dead.into_iter().map(|it| self.shared.letter(it));
                return Ok(letters.collect());
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
        self.bury(self.shared.id(key), None, Some(key), true).await
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
        self.bury(self.shared.id(key), None, Some(key), false).await
    }

    /// Does the same as [`retry`](Self::retry) for this letter only, also if this release cannot read it.
    ///
    /// It returns false if the key was written again, even if that write is a dead letter too. For a letter that
    /// cannot be read it removes no cached value, and if its release is not running, the write will be
    /// [left](super::LEFT_WRITE_TIMEOUT) again.
    ///
    /// # Errors
    /// Those of [`retry`](Self::retry).
    ///
    /// # Cancellation
    /// As [`retry`](Self::retry).
    pub async fn retry_letter(&self, letter: &DeadLetter<K, V>) -> Result<bool> {
        let key = letter.write.as_ref().map(|(key, _)| key);
        let version = Some(letter.version);
        self.bury(letter.id.clone(), version, key, true).await
    }

    /// Does the same as [`discard`](Self::discard) for this letter only, also if this release cannot read it.
    ///
    /// It returns false if the key was written again, even if that write is a dead letter too. For a letter that
    /// cannot be read it removes no cached value.
    ///
    /// # Errors
    /// Those of [`retry`](Self::retry).
    ///
    /// # Cancellation
    /// As [`discard`](Self::discard).
    pub async fn discard_letter(&self, letter: &DeadLetter<K, V>) -> Result<bool> {
        let key = letter.write.as_ref().map(|(key, _)| key);
        let version = Some(letter.version);
        self.bury(letter.id.clone(), version, key, false).await
    }

    /// Settles the dead letter with this id, and with this version if there is one.
    async fn bury(
        &self,
        id: Vec<u8>,
        version: Option<u64>,
        key: Option<&K>,
        tries_again: bool,
    ) -> Result<bool> {
        let bury = Bury {
            key: id,
            tries_again,
            keep: self.shared.settings.keep,
            version: version.map(|version| i64::try_from(version).unwrap_or(i64::MAX)),
        };
        let removal = Removal::begin(&self.shared.cache, key.cloned());
        let was_there = self.shared.run(&bury).await?;
        removal.finish_or_log().await;
        if tries_again {
            self.shared.work.notify_one();
        }
        Ok(was_there)
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Shared<K, V> {
    fn letter(&self, dead: Taken) -> DeadLetter<K, V> {
        let opened = self.open(&dead.key, &dead.value);
        DeadLetter {
            write: opened.ok().map(|(write, _)| write),
            version: dead.version.unsigned_abs(),
            attempts: u32::try_from(dead.attempts).unwrap_or(u32::MAX),
            id: dead.key,
        }
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
