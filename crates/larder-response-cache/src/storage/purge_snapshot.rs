use std::sync::atomic::Ordering;

use larder_layer::tags::Tag;
use larder_store::{Condition, Entry, Key, Result, Timestamp, Ttl, Version, count_poisoned};

use super::tag_changes::{ChangeCount, TagChanges};
use super::{ATTEMPTS, CommitOutcome, Existing, NotStored, Storage, UriSnapshot};
use crate::request::{PrimaryKey, TAG, tag_changes_key};

/// How long the store remembers purges: longer than any fetch takes.
///
/// If it forgets one during a fetch, the response is not stored, and nothing else happens.
const KNOWN_FOR: Ttl = Ttl::from_secs(24 * 60 * 60);

/// The purges so far when a fetch began. None for those that could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PurgeSnapshot {
    /// The version of the URI's purge group, which changes with each purge.
    group: Option<Version>,
    pub(super) tags: Option<ChangeCount>,
}

impl Storage {
    /// Records the purges so far, before the origin is called. It takes one round trip, and more if the
    /// store has no record of purges yet.
    ///
    /// Returns the time of the call to the origin. It is later than any that was returned before.
    pub(crate) async fn begin_fetch(
        &self,
        key: &PrimaryKey,
        snapshot: &mut UriSnapshot,
    ) -> Timestamp {
        let keys = [key.purge_group_key(), tag_changes_key()];
        let purges = &mut snapshot.purges;
        // Without the store there is nothing to record. If only a purge waits for it, the tags can be read.
        if !matches!(snapshot.held, Existing::Unknown) || self.purges.concern_uri(key) {
            let mut held = self.far.get_each(&keys).await.into_iter();
            let [group, tags] = &keys;
            if let Some(Ok(held)) = held.next() {
                purges.group = self.group_or_first(group, held).await;
            }
            if let Some(Ok(held)) = held.next() {
                purges.tags = self.count_or_first(tags, held).await;
            }
        }
        let now = self.now().as_micros();
        let next = |last: i64| now.max(last.saturating_add(1));
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        let last = self
            .last_fetch
            .fetch_update(set, fetch, |last| Some(next(last)));
        Timestamp::from_micros(next(last.unwrap_or_else(|last| last)))
    }

    /// Returns the version of a purge group. If there is none, it makes a first one.
    async fn group_or_first(&self, key: &Key, held: Option<Entry>) -> Option<Version> {
        if let Some(held) = held {
            return Some(held.version);
        }
        let condition = Condition::IfAbsent;
        let made = self.far.put_value(key, Vec::new(), KNOWN_FOR, condition);
        match made.await.ok()? {
            Some(version) => Some(version),
            // Another process was first.
            None => Some(self.far.get_value(key).await.ok()??.version),
        }
    }

    /// Returns the count of changes of tags. If there is no readable count, it begins a new one.
    async fn count_or_first(&self, key: &Key, held: Option<Entry>) -> Option<ChangeCount> {
        let read = |held: &Entry| TagChanges::read(&held.value).map(|changes| changes.count());
        let condition = match held {
            None => Condition::IfAbsent,
            Some(held) => match read(&held) {
                Some(count) => return Some(count),
                None => {
                    count_poisoned(TAG);
                    Condition::IfVersion(held.version)
                }
            },
        };
        let first = TagChanges::none();
        let made = self.far.put_value(key, first.bytes(), KNOWN_FOR, condition);
        match made.await.ok()? {
            Some(_) => Some(first.count()),
            None => read(&self.far.get_value(key).await.ok()??),
        }
    }

    /// Records that a URI of this purge group is purged.
    pub(super) async fn count_purge(&self, key: &PrimaryKey) -> Result<()> {
        let (key, condition) = (key.purge_group_key(), Condition::Always);
        let counted = self.far.put_value(&key, Vec::new(), KNOWN_FOR, condition);
        counted.await.map(drop)
    }

    /// Checks that no URI of the purge group was purged since the fetch began. Unknown counts as a purge.
    pub(super) async fn check_not_purged(
        &self,
        key: &PrimaryKey,
        since: PurgeSnapshot,
    ) -> CommitOutcome {
        let group = since.group.ok_or(NotStored::NoRoom)?;
        let now = self.far.get_value(&key.purge_group_key()).await?;
        match now {
            Some(held) if held.version == group => Ok(()),
            _ => Err(NotStored::Superseded),
        }
    }

    /// Records that a tag changes. It takes two round trips, and more while others change.
    pub(super) async fn count_tag_change(&self, tag: Tag) -> Result<()> {
        let key = tag_changes_key();
        for _ in 0..ATTEMPTS {
            let Some(held) = self.far.get_value(&key).await? else {
                break;
            };
            let Some(changes) = TagChanges::read(&held.value) else {
                break;
            };
            let (bytes, condition) = (
                changes.with(tag).bytes(),
                Condition::IfVersion(held.version),
            );
            let counted = self.far.put_value(&key, bytes, KNOWN_FOR, condition);
            if counted.await?.is_some() {
                return Ok(());
            }
        }
        // A new count keeps every response with tags that is being fetched from being stored. That costs
        // less than a purge that fails.
        let bytes = TagChanges::none().bytes();
        let counted = self
            .far
            .put_value(&key, bytes, KNOWN_FOR, Condition::Always);
        counted.await.map(drop)
    }

    /// Checks that none of these tags changed since the fetch began. Unknown counts as a change.
    pub(super) async fn check_tags_unchanged(
        &self,
        tags: &[Tag],
        since: PurgeSnapshot,
    ) -> CommitOutcome {
        let count = since.tags.ok_or(NotStored::NoRoom)?;
        let held = self.far.get_value(&tag_changes_key()).await?;
        let changes = held.and_then(|held| TagChanges::read(&held.value));
        match changes {
            Some(changes) if !changes.concern(count, tags.iter().copied()) => Ok(()),
            _ => Err(NotStored::Superseded),
        }
    }
}
