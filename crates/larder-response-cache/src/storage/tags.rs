use std::sync::Arc;

use http::HeaderMap;
use larder_store::{Condition, Entry, Key, Timestamp, Ttl, Version, count_poisoned};

use super::{PurgeSnapshot, Storage, StoredResponse, TagSnapshot};
use crate::request::TAG;

/// How long a tag is known: longer than any response is stored.
pub(super) const TAG_TTL: Ttl = Ttl::from_secs(40 * 24 * 60 * 60);

/// The most tags of a response.
const MAX_TAGS: usize = 64;

/// The longest tag, in bytes.
const MAX_TAG: usize = 256;

/// The state of a tag in the store.
#[derive(Clone, Copy)]
pub(super) struct TagRecord {
    /// Changes when the tag is purged. After an eviction it is a different one, too.
    pub(super) generation: Version,
    /// When the tag was last expired.
    pub(super) expired: Timestamp,
}

/// The change of a response's tags since it was stored.
enum TagStatus {
    Unchanged,
    /// One of them was expired at this time.
    Expired(Timestamp),
    /// One of them was purged, or the store does not know.
    Purged,
}

impl TagRecord {
    /// A new generation, of which nothing is stored yet.
    pub(super) fn renewed() -> Self {
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
    /// Notes the tags of a response, and the generation of each.
    ///
    /// Returns None if one was purged since the fetch began, if the store does not know, or if there are
    /// too many tags to purge by.
    pub(super) async fn tag(
        &self,
        response: &mut StoredResponse,
        since: PurgeSnapshot,
    ) -> Option<()> {
        let tags = self.tags_of(&response.headers)?;
        if tags.is_empty() {
            return Some(());
        }
        let keys: Vec<_> = tags.iter().map(|tag| Key::new(TAG, tag.as_str())).collect();
        let held = self.far.get_values(&keys).await.ok()?;
        let mut snapshots = Vec::with_capacity(tags.len());
        for ((tag, key), held) in tags.into_iter().zip(keys).zip(held) {
            let record = held.as_ref().and_then(|held| TagRecord::read(&held.value));
            let (record, version) = match (record, held) {
                (Some(record), Some(held)) => (record, held.version),
                (_, held) => self.first_generation(&key, held).await?,
            };
            snapshots.push(TagSnapshot {
                tag,
                generation: record.generation,
                version,
            });
        }
        // After the generations were read: see the module.
        let is_current = self.are_tags_unchanged(&snapshots, since).await;
        response.tags = snapshots;
        is_current.then_some(())
    }

    /// Makes the first generation of a tag, or returns the one that another process made first.
    ///
    /// It replaces bytes that cannot be read, if there are any.
    async fn first_generation(
        &self,
        key: &Key,
        unreadable: Option<Entry>,
    ) -> Option<(TagRecord, Version)> {
        let condition = match unreadable {
            None => Condition::IfAbsent,
            Some(held) => {
                count_poisoned(TAG);
                Condition::IfVersion(held.version)
            }
        };
        let first = TagRecord::renewed();
        let made = self.far.put_value(key, first.bytes(), TAG_TTL, condition);
        match made.await.ok()? {
            Some(version) => Some((first, version)),
            None => {
                let held = self.far.get_value(key).await.ok()??;
                Some((TagRecord::read(&held.value)?, held.version))
            }
        }
    }

    /// Finds what became of the tags of a response. It takes one round trip, or none without tags.
    async fn tag_status(&self, response: &StoredResponse) -> TagStatus {
        if response.tags.is_empty() {
            return TagStatus::Unchanged;
        }
        let tags = response.tags.iter();
        let keys: Vec<_> = tags.map(|held| Key::new(TAG, held.tag.as_str())).collect();
        let Ok(now) = self.far.get_values(&keys).await else {
            return TagStatus::Purged;
        };
        if now.len() != response.tags.len() {
            return TagStatus::Purged;
        }
        let mut expired: Option<Timestamp> = None;
        for (snapshot, now) in response.tags.iter().zip(now) {
            let Some(now) = now else {
                return TagStatus::Purged;
            };
            if now.version == snapshot.version {
                continue;
            }
            match TagRecord::read(&now.value) {
                Some(record) if record.generation == snapshot.generation => {
                    expired = Some(expired.map_or(record.expired, |at| at.min(record.expired)));
                }
                _ => return TagStatus::Purged,
            }
        }
        expired.map_or(TagStatus::Unchanged, TagStatus::Expired)
    }

    /// Returns a response, stale if one of its tags was expired, or None if one was purged.
    pub(super) async fn if_not_purged(
        &self,
        response: Arc<StoredResponse>,
    ) -> Option<Arc<StoredResponse>> {
        match self.tag_status(&response).await {
            TagStatus::Unchanged => Some(response),
            TagStatus::Expired(at) => Some(Arc::new(response.copy(self.policy()).expired_at(at))),
            TagStatus::Purged => None,
        }
    }

    /// Returns the tags that a response names, separated by commas or spaces.
    ///
    /// Returns None if there are too many, or one is too long.
    fn tags_of(&self, headers: &HeaderMap) -> Option<Vec<String>> {
        let mut tags: Vec<String> = Vec::new();
        for line in headers.get_all(&self.policy().tag_field) {
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
