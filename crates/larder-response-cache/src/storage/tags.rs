use std::sync::Arc;

use http::HeaderMap;
use larder_store::{Condition, Entry as StoreEntry, Key, Timestamp, Version, count_poisoned};

use super::{PurgeSnapshot, Storage, TAG_TTL, TagStatus};
use crate::request::TAG;
use crate::storage::{StoredResponse, TagSnapshot};

/// The most tags of a response.
const MAX_TAGS: usize = 64;
/// The longest tag, in bytes.
const MAX_TAG: usize = 256;

/// What the store holds of a tag.
#[derive(Clone, Copy)]
pub(super) struct TagRecord {
    /// Changes when the tag is purged, and is another one after it was evicted.
    pub(super) generation: Version,
    /// When the tag was last told to be stale.
    pub(super) expired: Timestamp,
}

impl TagRecord {
    /// A new generation, of which nothing is stored yet.
    pub(super) fn made() -> Self {
        Self {
            generation: Version::random(),
            expired: Timestamp::default(),
        }
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (generation, expired) = bytes.split_first_chunk()?;
        Some(Self {
            generation: Version::from_bytes(*generation),
            expired: Timestamp::from_micros(i64::from_le_bytes(expired.try_into().ok()?)),
        })
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        let mut bytes = self.generation.as_bytes().to_vec();
        bytes.extend_from_slice(&self.expired.as_micros().to_le_bytes());
        bytes
    }
}

impl Storage {
    /// Notes the tags of a response and the generation of each. None if one was purged since the
    /// response was asked for, or it cannot be known, or there are too many to purge by.
    pub(super) async fn tag(&self, entry: &mut StoredResponse, since: PurgeSnapshot) -> Option<()> {
        let tags = self.tags_of(&entry.headers)?;
        if tags.is_empty() {
            return Some(());
        }
        let keys: Vec<_> = tags.iter().map(|tag| Key::new(TAG, tag.as_str())).collect();
        let held = self.far.get_many(&keys).await.ok()?;
        let mut tagged = Vec::with_capacity(tags.len());
        for ((tag, key), held) in tags.into_iter().zip(keys).zip(held) {
            let mark = held.as_ref().and_then(|held| TagRecord::read(&held.value));
            let (mark, version) = match (mark, held) {
                (Some(mark), Some(held)) => (mark, held.version),
                (_, held) => self.first(&key, held).await?,
            };
            tagged.push(TagSnapshot {
                tag,
                generation: mark.generation,
                version,
            });
        }
        // After the generations: see the module.
        let is_current = self.are_tags_unchanged(&tagged, since).await;
        entry.tags = tagged;
        is_current.then_some(())
    }

    /// The first generation of a tag, in place of bytes that cannot be read if there are any; or the
    /// one that another process made first.
    async fn first(
        &self,
        key: &Key,
        unreadable: Option<StoreEntry>,
    ) -> Option<(TagRecord, Version)> {
        let condition = match unreadable {
            None => Condition::IfAbsent,
            Some(held) => {
                count_poisoned(TAG);
                Condition::IfVersion(held.version)
            }
        };
        let mark = TagRecord::made();
        let made = self.far.mark(key, mark.bytes(), TAG_TTL, condition);
        match made.await.ok()? {
            Some(version) => Some((mark, version)),
            None => {
                let held = self.far.get_many(std::slice::from_ref(key)).await.ok()?;
                let held = held.into_iter().next()??;
                Some((TagRecord::read(&held.value)?, held.version))
            }
        }
    }

    /// What became of its tags since the response was stored. One round trip, none without tags.
    pub(super) async fn tag_status(&self, entry: &StoredResponse) -> TagStatus {
        if entry.tags.is_empty() {
            return TagStatus::Current;
        }
        let tags = entry.tags.iter();
        let keys: Vec<_> = tags
            .map(|tagged| Key::new(TAG, tagged.tag.as_str()))
            .collect();
        let Ok(held) = self.far.get_many(&keys).await else {
            return TagStatus::Purged;
        };
        if held.len() != entry.tags.len() {
            return TagStatus::Purged;
        }
        let mut ended: Option<Timestamp> = None;
        for (tagged, held) in entry.tags.iter().zip(held) {
            let Some(held) = held else {
                return TagStatus::Purged;
            };
            if held.version == tagged.version {
                continue;
            }
            match TagRecord::read(&held.value) {
                Some(mark) if mark.generation == tagged.generation => {
                    ended = Some(ended.map_or(mark.expired, |at| at.min(mark.expired)));
                }
                _ => return TagStatus::Purged,
            }
        }
        ended.map_or(TagStatus::Current, TagStatus::Expired)
    }

    /// The response where it is still of use, stale where it was told to be.
    pub(super) async fn usable(&self, entry: Arc<StoredResponse>) -> Option<Arc<StoredResponse>> {
        match self.tag_status(&entry).await {
            TagStatus::Current => Some(entry),
            TagStatus::Expired(at) => Some(Arc::new(entry.copy(self.far.policy()).ended(at))),
            TagStatus::Purged => None,
        }
    }

    /// The tags that a response names: separated by commas or spaces. Nothing where there are too
    /// many, or one is too long.
    fn tags_of(&self, headers: &HeaderMap) -> Option<Vec<String>> {
        let mut tags: Vec<String> = Vec::new();
        for line in headers.get_all(&self.tag_field) {
            let line = line.to_str().ok()?;
            for tag in line.split([',', ' ', '\t']).filter(|tag| !tag.is_empty()) {
                if tag.len() > MAX_TAG || tags.len() == MAX_TAGS {
                    return None;
                }
                tags.push(tag.to_owned());
            }
        }
        tags.sort_unstable();
        tags.dedup();
        Some(tags)
    }
}
