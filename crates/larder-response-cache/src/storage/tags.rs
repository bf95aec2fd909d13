use std::sync::Arc;

use http::HeaderMap;
use larder_layer::tags::{Generation, Tag, TagState, Validity};
use larder_store::{Condition, Entry, Key, Timestamp, Ttl, count_poisoned};

use super::{PurgeSnapshot, Storage, StoredResponse};
use crate::request::{TAG, tag_key};

/// How long a tag is known: longer than any response is stored.
pub(super) const TAG_TTL: Ttl = Ttl::from_secs(40 * 24 * 60 * 60);

/// The most tags of a response.
const MAX_TAGS: usize = 64;

/// The longest tag, in bytes.
const MAX_TAG: usize = 256;

/// Returns the state of a tag of which nothing is stored yet.
pub(super) fn first_state() -> TagState {
    TagState {
        generation: Generation::random(),
        changed: Timestamp::default(),
    }
}

/// Returns the state of a tag as the store holds it.
pub(super) fn state_to_bytes(state: &TagState) -> Vec<u8> {
    let mut bytes = state.generation.as_bytes().to_vec();
    bytes.extend_from_slice(&state.changed.as_micros().to_le_bytes());
    bytes
}

/// Reads the state of a tag. None if the bytes are not one.
pub(super) fn state_from_bytes(bytes: &[u8]) -> Option<TagState> {
    let (generation, changed) = bytes.split_first_chunk()?;
    Some(TagState {
        generation: Generation::from_bytes(*generation),
        changed: Timestamp::from_micros(i64::from_le_bytes(changed.try_into().ok()?)),
    })
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
        let keys: Vec<_> = tags.iter().copied().map(tag_key).collect();
        let held = self.far.get_values(&keys).await.ok()?;
        let mut carried = Vec::with_capacity(tags.len());
        for ((tag, key), held) in tags.into_iter().zip(keys).zip(held) {
            let state = held.as_ref().and_then(|held| state_from_bytes(&held.value));
            let state = match state {
                Some(state) => state,
                None => self.make_tag(&key, held).await?,
            };
            carried.push((tag, state.generation));
        }
        // After the generations were read: see the module.
        let is_current = self.are_tags_unchanged(&carried, since).await;
        response.tags = carried;
        is_current.then_some(())
    }

    /// Makes the first state of a tag, or returns the one that another process made first.
    ///
    /// It replaces bytes that cannot be read, if there are any.
    async fn make_tag(&self, key: &Key, unreadable: Option<Entry>) -> Option<TagState> {
        let condition = match unreadable {
            None => Condition::IfAbsent,
            Some(held) => {
                count_poisoned(TAG);
                Condition::IfVersion(held.version)
            }
        };
        let first = first_state();
        let bytes = state_to_bytes(&first);
        let made = self.far.put_value(key, bytes, TAG_TTL, condition);
        match made.await.ok()? {
            Some(_) => Some(first),
            None => state_from_bytes(&self.far.get_value(key).await.ok()??.value),
        }
    }

    /// Returns a response, stale if one of its tags was expired, or None if one was purged.
    ///
    /// It takes one round trip, or none without tags. If the store does not know a tag, it counts as purged.
    pub(super) async fn if_not_purged(
        &self,
        response: Arc<StoredResponse>,
    ) -> Option<Arc<StoredResponse>> {
        if response.tags.is_empty() {
            return Some(response);
        }
        let keys: Vec<_> = response.tags.iter().map(|(tag, _)| tag_key(*tag)).collect();
        let held = self.far.get_values(&keys).await.ok()?;
        let mut expired: Option<Timestamp> = None;
        for ((_, generation), held) in response.tags.iter().zip(held) {
            let now = state_from_bytes(&held?.value)?;
            match generation.compared_with(now.generation) {
                Validity::Current => {}
                Validity::Expired => {
                    expired = Some(expired.map_or(now.changed, |at| at.min(now.changed)));
                }
                Validity::Removed => return None,
            }
        }
        Some(match expired {
            Some(at) => Arc::new(response.copy(self.policy()).expired_at(at)),
            None => response,
        })
    }

    /// Returns the tags that a response names, separated by commas or spaces.
    ///
    /// Returns None if there are too many, or one is too long.
    fn tags_of(&self, headers: &HeaderMap) -> Option<Vec<Tag>> {
        let mut tags = Vec::new();
        for line in headers.get_all(&self.policy().tag_field) {
            let line = line.to_str().ok()?;
            for tag in line.split([',', ' ', '\t']).filter(|tag| !tag.is_empty()) {
                if tag.len() > MAX_TAG || tags.len() == MAX_TAGS {
                    return None;
                }
                tags.push(Tag::new(tag));
            }
        }
        tags.sort_unstable();
        tags.dedup();
        Some(tags)
    }
}
