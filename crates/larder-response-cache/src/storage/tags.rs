use std::sync::Arc;

use http::HeaderMap;
use larder_store::{Condition, Key, Timestamp, Version};

use super::{Moment, Storage, TAG_TTL, Tags};
use crate::entry::{Entry, Tagged};
use crate::key::TAG;

/// The most tags of a response.
const MAX_TAGS: usize = 64;
/// The longest tag, in bytes.
const MAX_TAG: usize = 256;

/// What the store holds of a tag.
#[derive(Clone, Copy, Default)]
pub(super) struct Mark {
    /// When it was last purged or told to be stale, in microseconds; 0 for never.
    pub(super) changed: i64,
    /// When it was last purged.
    pub(super) purged: i64,
}

impl Mark {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (changed, purged) = bytes.split_first_chunk::<8>()?;
        Some(Self {
            changed: i64::from_le_bytes(*changed),
            purged: i64::from_le_bytes(purged.try_into().ok()?),
        })
    }

    pub(super) fn bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.changed.to_le_bytes());
        bytes[8..].copy_from_slice(&self.purged.to_le_bytes());
        bytes
    }
}

impl Storage {
    /// Notes the tags of a response and the version of each; nothing where one was purged since the
    /// response was asked for, or it cannot be known, or there are too many to purge by.
    pub(super) async fn tag(&self, entry: &mut Entry, begun: Moment) -> Option<()> {
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
                    let mark = Mark::read(&held.value)?;
                    if Self::outdates(mark.changed, entry.exchange.sent)
                        && !self.recent.was_known(&tag, held.version, begun)
                    {
                        self.recent.note(&tag, held.version, self.now());
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
        let mark = Mark::default().bytes();
        let mark = self.far.mark(key, mark, TAG_TTL, Condition::IfAbsent);
        match mark.await.ok()? {
            Some(version) => Some(version),
            None => {
                let held = self.far.get_many(std::slice::from_ref(key)).await.ok()?;
                held.into_iter().next()?.map(|held| held.version)
            }
        }
    }

    /// What became of its tags since the response was stored. One round trip, none without tags.
    pub(super) async fn tags_now(&self, entry: &Entry) -> Tags {
        if entry.tags.is_empty() {
            return Tags::Current;
        }
        let tags = entry.tags.iter();
        let keys: Vec<_> = tags
            .map(|tagged| Key::new(TAG, tagged.tag.as_str()))
            .collect();
        let Ok(held) = self.far.get_many(&keys).await else {
            return Tags::Gone;
        };
        if held.len() != entry.tags.len() {
            return Tags::Gone;
        }
        let mut now = Tags::Current;
        for (tagged, held) in entry.tags.iter().zip(held) {
            let Some(held) = held else {
                return Tags::Gone;
            };
            if held.version == tagged.version {
                continue;
            }
            // What is fetched from now on is of after that.
            self.recent.note(&tagged.tag, held.version, self.now());
            now = match Mark::read(&held.value) {
                Some(mark) if !Self::outdates(mark.purged, entry.exchange.sent) => {
                    Tags::Ended(Timestamp::from_micros(mark.changed))
                }
                _ => return Tags::Gone,
            };
        }
        now
    }

    /// The response where it is still of use, stale where it was told to be.
    pub(super) async fn usable(&self, entry: Arc<Entry>) -> Option<Arc<Entry>> {
        match self.tags_now(&entry).await {
            Tags::Current => Some(entry),
            Tags::Ended(at) => Some(Arc::new(entry.copy(self.far.view()).ended(at))),
            Tags::Gone => None,
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
