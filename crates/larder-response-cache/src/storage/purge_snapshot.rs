use std::sync::atomic::Ordering;

use larder_store::{Condition, Entry, Key, Timestamp, Ttl, Version, count_poisoned};

use super::Storage;
use super::commit::ATTEMPTS;
use super::tag_changes::{ChangeCount, TagChanges};
use crate::request::{PrimaryKey, TAG, tag_changes_key};
use crate::storage::TagSnapshot;
use crate::storage::Unavailable;

/// How long it is known which purges there were: longer than any fetch. What is forgotten during a
/// fetch keeps its response from being stored, no more.
const KNOWN_FOR: Ttl = Ttl::from_secs(24 * 60 * 60);

/// Which purges there were when a fetch began; None if the store did not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PurgeSnapshot {
    /// Of the URI's group: a version that changes with each.
    uri: Option<Version>,
    tags: Option<ChangeCount>,
}

impl Storage {
    /// Notes which purges there were, before the origin is asked. Returns when it is asked, which is
    /// later than any time that was returned before. One round trip.
    pub(crate) async fn begin(
        &self,
        primary: &PrimaryKey,
        purges: &mut PurgeSnapshot,
    ) -> Timestamp {
        let keys = [primary.purges(), tag_changes_key()];
        if let Ok(held) = self.far.get_many(&keys).await {
            let mut held = held.into_iter();
            let [uri, tags] = &keys;
            purges.uri = self.uri_or_first(uri, held.next().flatten()).await;
            purges.tags = self.tags_or_first(tags, held.next().flatten()).await;
        }
        let now = self.now().as_micros();
        let next = |last: i64| now.max(last.saturating_add(1));
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        let last = self.begun.fetch_update(set, fetch, |last| Some(next(last)));
        Timestamp::from_micros(next(last.unwrap_or_else(|last| last)))
    }

    /// The version under the key of a group, or else a first one.
    async fn uri_or_first(&self, key: &Key, held: Option<Entry>) -> Option<Version> {
        if let Some(held) = held {
            return Some(held.version);
        }
        let made = self
            .far
            .mark(key, Vec::new(), KNOWN_FOR, Condition::IfAbsent);
        match made.await.ok()? {
            Some(version) => Some(version),
            // Another process was first.
            None => Some(self.known(key).await.ok()??.version),
        }
    }

    /// The turn of the changes of tags, of a new count if there is none that can be read.
    async fn tags_or_first(&self, key: &Key, held: Option<Entry>) -> Option<ChangeCount> {
        let read = |held: &Entry| TagChanges::read(&held.value).map(|changes| changes.turn());
        let condition = match held {
            None => Condition::IfAbsent,
            Some(held) => match read(&held) {
                Some(turn) => return Some(turn),
                None => {
                    count_poisoned(TAG);
                    Condition::IfVersion(held.version)
                }
            },
        };
        let first = TagChanges::none();
        let made = self.far.mark(key, first.bytes(), KNOWN_FOR, condition);
        match made.await.ok()? {
            Some(_) => Some(first.turn()),
            None => self.known(key).await.ok()?.as_ref().and_then(read),
        }
    }

    async fn known(&self, key: &Key) -> Result<Option<Entry>, Unavailable> {
        let held = self.far.get_many(std::slice::from_ref(key)).await?;
        Ok(held.into_iter().next().flatten())
    }

    /// Notes that a URI of this group is purged.
    pub(super) async fn count_purge(&self, primary: &PrimaryKey) -> Result<(), Unavailable> {
        let key = primary.purges();
        let noted = self
            .far
            .mark(&key, Vec::new(), KNOWN_FOR, Condition::Always);
        noted.await.map(drop)
    }

    /// Whether no URI of the group was purged since the fetch began, as far as is known.
    pub(super) async fn is_not_purged(&self, primary: &PrimaryKey, since: PurgeSnapshot) -> bool {
        let now = self.known(&primary.purges()).await;
        let now = now.ok().flatten().map(|held| held.version);
        since.uri.is_some() && now == since.uri
    }

    /// Notes that a tag changes. Two round trips, more while others change.
    pub(super) async fn count_tag_change(&self, tag: &str) -> Result<(), Unavailable> {
        let key = tag_changes_key();
        for _ in 0..ATTEMPTS {
            let Some(held) = self.known(&key).await? else {
                break;
            };
            let Some(changes) = TagChanges::read(&held.value) else {
                break;
            };
            let (bytes, condition) = (changes.and(tag).bytes(), Condition::IfVersion(held.version));
            let noted = self.far.mark(&key, bytes, KNOWN_FOR, condition);
            if noted.await?.is_some() {
                return Ok(());
            }
        }
        // A new count keeps whatever is being fetched with tags from being stored, which costs less
        // than a purge that is refused.
        let bytes = TagChanges::none().bytes();
        let noted = self.far.mark(&key, bytes, KNOWN_FOR, Condition::Always);
        noted.await.map(drop)
    }

    /// Whether none of these tags changed since the fetch began, as far as is known.
    pub(super) async fn are_tags_unchanged(
        &self,
        tags: &[TagSnapshot],
        since: PurgeSnapshot,
    ) -> bool {
        let (Some(turn), Ok(Some(held))) = (since.tags, self.known(&tag_changes_key()).await)
        else {
            return false;
        };
        let tags = tags.iter().map(|tagged| tagged.tag.as_str());
        TagChanges::read(&held.value).is_some_and(|changes| !changes.concern(turn, tags))
    }
}
