mod pending;

use larder_layer::replay;
use larder_layer::tags::{Generation, LoadBegin, Tag, TagChange, TagMessage, Tags, Tick, Validity};
use larder_store::{Error, ErrorKind, Result, Timestamp, Ttl};

use crate::cache::Inner;
use crate::election::{Lead, Write};
use crate::envelope::{TagMark, TagMarks};
use crate::far::{Far, Read, is_outage};
use crate::lifetime::{State, Times};
use crate::{Cache, CacheKey};
pub(crate) use pending::PendingTags;

/// The tags of the far store.
pub(crate) struct FarTags {
    pub(crate) client: Tags,
    pub(crate) pending: PendingTags,
    /// The maximum duration of a load: changes are remembered at least that long.
    pub(crate) keep: Ttl,
}

/// The tags of a value that is about to be stored.
pub(crate) enum Noted {
    /// It carries these.
    Carried(TagMarks),
    /// It carries these, but is only kept near, because the store of the tags cannot be reached.
    Near(TagMarks),
    /// One of them changed since the load began, or this cannot be known.
    Outdated,
}

impl<K: CacheKey, V: Send + Sync + 'static> Cache<K, V> {
    /// Removes every value with this tag, in every cache of the store.
    ///
    /// It takes one write and one message, however many values there are. Once it has returned, no
    /// process reads a value from the far store that was loaded before, and no load that began
    /// before is stored. Near copies in this process are gone; other processes drop theirs when the
    /// message arrives; if it is lost, the copies stay for at most their near TTL.
    ///
    /// # Errors
    /// Those of the far store and of its bus; [`ErrorKind::Invalid`] if the store runs no programs.
    /// This process uses no value with the tag until the removal has succeeded, which it goes on
    /// trying. Without a far store there is no error.
    ///
    /// # Cancellation
    /// A dropped call has removed the near copies, and may or may not have removed the far ones.
    pub async fn remove_tag(&self, tag: impl AsRef<str>) -> Result<()> {
        self.change_tags(&[Tag::new(tag.as_ref())], TagChange::Remove)
            .await
    }

    /// Ends the freshness of every value with this tag, in every cache of the store.
    ///
    /// They are then served only if a load fails or is slow, within
    /// [`with_stale_if_error`](crate::CacheBuilder::with_stale_if_error).
    ///
    /// # Errors
    /// Those of [`remove_tag`](Self::remove_tag).
    ///
    /// # Cancellation
    /// As [`remove_tag`](Self::remove_tag).
    pub async fn expire_tag(&self, tag: impl AsRef<str>) -> Result<()> {
        self.change_tags(&[Tag::new(tag.as_ref())], TagChange::Expire)
            .await
    }

    /// Removes every value of this cache, by one write.
    ///
    /// # Errors
    /// Those of [`remove_tag`](Self::remove_tag); [`ErrorKind::Invalid`] if there is a far store and the
    /// cache was built without [`with_clear`](crate::CacheBuilder::with_clear).
    ///
    /// # Cancellation
    /// As [`remove_tag`](Self::remove_tag).
    pub async fn clear(&self) -> Result<()> {
        let inner = &self.inner;
        match (&inner.far, inner.clear_tag) {
            (None, _) => {
                inner.flights.invalidate_all();
                inner.near.invalidate_where(|_, _| true);
                Ok(())
            }
            (Some(_), Some(tag)) => self.change_tags(&[tag], TagChange::Remove).await,
            (Some(_), None) => Err(Error::new(
                "clear",
                ErrorKind::Invalid,
                "clear() needs a cache that was built with CacheBuilder::with_clear",
            )),
        }
    }

    pub(crate) async fn change_tags(&self, tags: &[Tag], change: TagChange) -> Result<()> {
        let inner = &self.inner;
        inner.listen();
        inner.sweep(tags, change);
        let Some(far) = &inner.far else {
            return Ok(());
        };
        let Some(far_tags) = &far.tags else {
            return Err(Error::new(
                "change tags",
                ErrorKind::Invalid,
                "tags need a store that runs programs: use memory:// or redis://",
            ));
        };
        let turns = far_tags.pending.turns();
        let results = far_tags.client.change(tags, change, far_tags.keep).await;
        let mut done = results.into_iter().collect::<Result<()>>();
        // A copy that was read from the far store in between may be older than the change.
        inner.sweep(tags, change);
        if done.is_ok() {
            far_tags.pending.settle(tags, change, turns);
            done = inner.publish_tags(far_tags, tags, change).await;
        } else {
            inner.metrics.far_delete_errors.increment(1);
        }
        if done.is_err() {
            inner.quarantine_tags(far_tags, tags, change);
            replay(inner);
        }
        done
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Inner<K, V> {
    /// Drops the near copies that carry one of these tags, or keeps them only for a load that
    /// fails.
    ///
    /// A copy that is being read or loaded meanwhile is not kept.
    pub(crate) fn sweep(&self, tags: &[Tag], change: TagChange) {
        let carries = |marks: &TagMarks| marks.tags().any(|tag| tags.contains(&tag));
        if change == TagChange::Remove || !self.has_fallback() {
            self.near.invalidate_where(|_, kept| carries(&kept.tags));
            return;
        }
        self.near.expire_reads();
        let near: Vec<_> = self
            .near
            .iter()
            .filter(|(_, held)| carries(&held.value.tags))
            .map(|(key, _)| key)
            .collect();
        for key in near {
            self.expire_near(&key);
        }
    }

    /// Tells other processes that tags have changed. One round trip.
    pub(crate) async fn publish_tags(
        &self,
        far_tags: &FarTags,
        tags: &[Tag],
        change: TagChange,
    ) -> Result<()> {
        let published = far_tags.client.publish(tags, change).await;
        published.or_else(|error| self.not_published(error))
    }

    /// Handles the message that another process changed tags.
    pub(crate) fn heard_tags(&self, payload: &[u8]) {
        let (Some(far), Some(message)) = (&self.far, TagMessage::from_bytes(payload)) else {
            return;
        };
        let Some(tags) = &far.tags else { return };
        if message.sender != tags.client.sender() {
            tags.client.forget(&message.tags);
            self.sweep(&message.tags, message.change);
        }
    }

    /// Notes the tags of a value that is about to be stored. One round trip, none without tags.
    pub(crate) async fn note_tags(
        &self,
        tags: &[Tag],
        lead: &Lead<V>,
        began: Timestamp,
        times: &Times,
    ) -> Noted {
        if tags.is_empty() {
            return Noted::Carried(TagMarks::default());
        }
        if tags.len() > TagMarks::MAX {
            let most = TagMarks::MAX;
            tracing::error!(
                kind = self.kind.name(),
                most,
                "a value has too many tags: not cached"
            );
            return Noted::Outdated;
        }
        let Some(far) = self.far.as_ref().filter(|_| lead.write != Write::Not) else {
            return Noted::Carried(near_marks(tags));
        };
        let began = match lead.write {
            // By the store's clock, like the changes of tags, or a little ahead of it.
            Write::Fenced(fence) => {
                Timestamp::from_micros(i64::try_from(fence.as_u64()).unwrap_or(i64::MAX))
            }
            _ => began,
        };
        let began = LoadBegin::new(lead.tick, began);
        match self.note_far(far, tags, began, times).await {
            Ok(Some(marks)) => Noted::Carried(marks),
            Ok(None) => Noted::Outdated,
            Err(error) => {
                self.metrics.far_put_errors.increment(1);
                far.log_failed_write(&error);
                match is_outage(&error) {
                    // As without the far store: a change of a tag drops it.
                    true => Noted::Near(near_marks(tags)),
                    false => Noted::Outdated,
                }
            }
        }
    }

    /// Notes the tags of a value that is inserted. One round trip, none without tags.
    ///
    /// Returns None if one of the tags is being changed.
    pub(crate) async fn note_inserted(
        &self,
        far: &Far<V>,
        tags: &[Tag],
        times: &Times,
    ) -> Result<Option<TagMarks>> {
        if tags.is_empty() {
            return Ok(Some(TagMarks::default()));
        }
        // The caller already has the value.
        self.note_far(far, tags, LoadBegin::after_all_changes(), times)
            .await
    }

    /// Notes the tags of a value for the far store. Returns None if the value is outdated.
    async fn note_far(
        &self,
        far: &Far<V>,
        tags: &[Tag],
        began: LoadBegin,
        times: &Times,
    ) -> Result<Option<TagMarks>> {
        let far_tags = far.tags.as_ref().ok_or_else(|| {
            let text = "tags need a store that runs programs: use memory:// or redis://";
            Error::new("note tags", ErrorKind::Invalid, text)
        })?;
        if far_tags.pending.concerns(tags) {
            return Ok(None);
        }
        let now = self.clock.now();
        // Somebody who reads the value may keep it fresh up to its deadline.
        let end = times.deadline.max(times.stale_until).as_micros();
        let ttl = Ttl::covering_micros(end.saturating_sub(now.as_micros()));
        let noted = far_tags.client.note(tags, began, ttl, now).await?;
        Ok(noted.map(|carried| marks(carried.into_iter())))
    }

    /// Adds the cache's own tag to those of a value that an operation writes.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if there are too many.
    pub(crate) fn checked_tags(&self, operation: &'static str, tags: Vec<Tag>) -> Result<Vec<Tag>> {
        let tags = self.with_own_tag(tags);
        if tags.len() > TagMarks::MAX {
            let text = format!("a value carries at most {} tags", TagMarks::MAX);
            return Err(Error::new(operation, ErrorKind::Invalid, text));
        }
        Ok(tags)
    }

    /// Adds the cache's own tag to those of a value.
    pub(crate) fn with_own_tag(&self, mut tags: Vec<Tag>) -> Vec<Tag> {
        tags.extend(self.clear_tag);
        tags.sort_unstable();
        tags.dedup();
        tags
    }
}

impl<V: Send + Sync + 'static> Far<V> {
    /// Returns the start of a load, to be taken before its source is read.
    pub(crate) fn tick(&self) -> Tick {
        let tags = self.tags.as_ref();
        tags.map(|tags| tags.client.tick()).unwrap_or_default()
    }

    /// Returns those of the entries that are still valid, now that their tags may have changed.
    ///
    /// No round trip if the generations of all their tags are known here, otherwise one for each
    /// node.
    pub(crate) async fn validate(
        &self,
        reads: Vec<Result<Read<V>>>,
        now: Timestamp,
    ) -> Vec<Result<Read<V>>> {
        let carried: Vec<Vec<_>> = reads.iter().map(|read| carried(read)).collect();
        if carried.iter().all(Vec::is_empty) {
            return reads;
        }
        let validity = match &self.tags {
            // Without programs the tags cannot be read, so a value with tags is of no use.
            None => carried
                .iter()
                .map(|carried| match carried.is_empty() {
                    true => Ok(Validity::Current),
                    false => Ok(Validity::Removed),
                })
                .collect(),
            Some(far_tags) => {
                let values: Vec<_> = carried.iter().map(Vec::as_slice).collect();
                let mut validity = far_tags.client.validity(&values, now).await;
                for (validity, carried) in validity.iter_mut().zip(&carried) {
                    let mut tags = carried.iter().map(|(tag, _)| *tag);
                    if tags.any(|tag| far_tags.pending.concerns(&[tag])) {
                        *validity = Ok(Validity::Removed);
                    }
                }
                validity
            }
        };
        let judged = reads.into_iter().zip(validity);
        judged
            .map(|(read, validity)| Ok(judge(read?, validity?, now)))
            .collect()
    }
}

fn carried<V>(read: &Result<Read<V>>) -> Vec<(Tag, Generation)> {
    let Ok(Read::Stored(stored)) = read else {
        return Vec::new();
    };
    let of = |mark: &TagMark| {
        let generation = Generation::from_bytes(mark.generation);
        (Tag::from_hash(mark.hash), generation)
    };
    stored.tags.as_slice().iter().map(of).collect()
}

fn judge<V>(read: Read<V>, validity: Validity, now: Timestamp) -> Read<V> {
    let Read::Stored(mut stored) = read else {
        return read;
    };
    match validity {
        Validity::Current => return Read::Stored(stored),
        Validity::Expired => stored.times.expire(now),
        Validity::Removed => return Read::Unusable(stored.version),
    }
    match stored.times.state(now) {
        State::Ended => Read::Unusable(stored.version),
        _ => Read::Stored(stored),
    }
}

fn marks(carried: impl Iterator<Item = (Tag, Generation)>) -> TagMarks {
    let marks: Vec<_> = carried
        .map(|(tag, generation)| TagMark {
            hash: tag.hash(),
            generation: *generation.as_bytes(),
        })
        .collect();
    // There are no more than the maximum: the caller has counted them.
    TagMarks::new(&marks).unwrap_or_default()
}

/// Returns the marks of a near copy that is not in the far store.
pub(crate) fn near_marks(tags: &[Tag]) -> TagMarks {
    let none = Generation::from_bytes([0; 16]);
    marks(tags.iter().map(|tag| (*tag, none)))
}
