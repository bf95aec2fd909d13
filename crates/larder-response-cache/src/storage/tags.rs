use http::HeaderMap;
use larder_store::{Condition, Key, Version};

use super::{Storage, TAG_TTL};
use crate::entry::{Entry, Tagged};
use crate::key::TAG;

/// The most tags of a response.
const MAX_TAGS: usize = 64;
/// The longest tag, in bytes.
const MAX_TAG: usize = 256;

impl Storage {
    /// Notes the tags of a response and the version of each; nothing where one was purged since the
    /// response was asked for, or it cannot be known, or there are too many to purge by.
    pub(super) async fn tag(&self, entry: &mut Entry) -> Option<()> {
        let tags = self.tags_of(&entry.headers)?;
        if tags.is_empty() {
            return Some(());
        }
        let keys: Vec<_> = tags.iter().map(|tag| Key::new(TAG, tag.as_str())).collect();
        let held = self.far.get_many(&keys).await.ok()?;
        let mut tagged = Vec::with_capacity(tags.len());
        for ((tag, key), held) in tags.into_iter().zip(keys).zip(held) {
            let version = match held {
                Some(held) => {
                    let purged = i64::from_le_bytes(held.value.as_ref().try_into().ok()?);
                    if Self::outdates(purged, entry.exchange.sent) {
                        return None;
                    }
                    held.version
                }
                None => self.first_version(&key).await?,
            };
            tagged.push(Tagged { tag, version });
        }
        entry.tags = tagged;
        Some(())
    }

    async fn first_version(&self, key: &Key) -> Option<Version> {
        let mark = self.far.mark(key, [0; 8], TAG_TTL, Condition::IfAbsent);
        match mark.await.ok()? {
            Some(version) => Some(version),
            None => {
                let held = self.far.get_many(std::slice::from_ref(key)).await.ok()?;
                held.into_iter().next()?.map(|held| held.version)
            }
        }
    }

    /// Whether none of its tags was purged since the response was stored. One round trip, none
    /// without tags.
    pub(super) async fn are_tags_current(&self, entry: &Entry) -> bool {
        if entry.tags.is_empty() {
            return true;
        }
        let tags = entry.tags.iter();
        let keys: Vec<_> = tags
            .map(|tagged| Key::new(TAG, tagged.tag.as_str()))
            .collect();
        let Ok(held) = self.far.get_many(&keys).await else {
            return false;
        };
        let mut pairs = entry.tags.iter().zip(&held);
        held.len() == entry.tags.len()
            && pairs.all(|(tagged, held)| {
                held.as_ref()
                    .is_some_and(|held| held.version == tagged.version)
            })
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
