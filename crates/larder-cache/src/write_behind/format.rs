//! The writes of a journal as bytes, in the form of the cache's far values.

use larder_layer::tags::Tag;
use larder_store::program::Record;
use larder_store::{Key, Result, Timestamp, count_poisoned};

use super::Shared;
use super::journal::Journal;
use crate::CacheKey;
use crate::envelope::TagMarks;
use crate::lifetime::Times;
use crate::tags::near_marks;
use crate::values::Unreadable;

impl<K: CacheKey, V: Send + Sync + 'static> Shared<K, V> {
    /// Returns the bytes of a write for the journal.
    pub(super) fn seal(&self, id: &[u8], queued: &(K, V), tags: Vec<Tag>) -> Result<Vec<u8>> {
        let inner = &self.cache.inner;
        let tags = inner.checked_tags("write behind", tags)?;
        let never = Timestamp::from_micros(i64::MAX);
        let times = Times {
            loaded_at: inner.clock.now(),
            load_micros: 0,
            refresh_at: never,
            fresh_until: never,
            stale_until: never,
            deadline: never,
        };
        let (key, marks) = (self.bound_to(id), near_marks(&tags));
        inner
            .format
            .seal(&*self.codec, &key, Some(queued), times, marks)
    }

    /// Opens the bytes of a write, and returns its tags too. Damaged ones are counted.
    pub(super) fn open(&self, id: &[u8], sealed: &[u8]) -> Result<((K, V), TagMarks), Unreadable> {
        let (format, codec, key) = (&self.cache.inner.format, &*self.codec, self.bound_to(id));
        let opened = format.open(codec, &key, sealed).and_then(|envelope| {
            let queued = format.decode(codec, &key, sealed, &envelope)?;
            Ok((queued.ok_or(Unreadable::Damaged)?, envelope.tags))
        });
        if let Err(Unreadable::Damaged) = opened {
            count_poisoned(self.journal.kind());
        }
        opened
    }

    /// Returns the key to which the bytes of a write are bound: a write is of one journal and one key.
    fn bound_to(&self, id: &[u8]) -> Key {
        Key::new(Journal::KIND, (self.journal.as_bytes(), id))
    }
}
