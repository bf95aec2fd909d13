use std::sync::Arc;

use larder_store::{Condition, Key, Version};

use super::commit::ATTEMPTS;
use super::tags::Mark;
use super::{PURGED_FOR, SKEW, Storage, TAG_TTL};
use crate::far::{Held, Unavailable};
use crate::key::{Primary, TAG};
use crate::record::Record;

impl Storage {
    /// Removes what a URI holds, with all its variants, and outdates what is being fetched for it.
    pub(crate) async fn purge(&self, primary: &Primary) -> Result<(), Unavailable> {
        let key = primary.far();
        let purged = self
            .far
            .put(&key, &Record::Purged, PURGED_FOR, Condition::Always)
            .await;
        // After the store: what another request reads back from it in between is removed too.
        self.front.remove(primary.as_bytes());
        self.metrics.purged();
        purged.map(drop)
    }

    /// Makes what a URI holds stale, with all its variants. Two round trips, and two for each variant.
    pub(crate) async fn expire(&self, primary: &Primary) -> Result<(), Unavailable> {
        let key = primary.far();
        let held = match self.far.get(&key).await? {
            Held::Record(Record::Index(index), _) => {
                for variant in &index.variants {
                    self.expire_one(&index.far(*variant)).await?;
                    self.front.remove(&index.near(*variant));
                }
                Ok(())
            }
            Held::Record(Record::Entry(_), _) => self.expire_one(&key).await,
            Held::Record(Record::Purged, _) | Held::Nothing | Held::Broken(_) => Ok(()),
        };
        self.front.remove(primary.as_bytes());
        self.metrics.purged();
        held
    }

    /// Makes one stored response stale, whichever it is by then.
    async fn expire_one(&self, key: &Key) -> Result<(), Unavailable> {
        for _ in 0..ATTEMPTS {
            let Held::Record(Record::Entry(entry), version) = self.far.get(key).await? else {
                return Ok(());
            };
            let ended = Record::Entry(Arc::new(entry.copy(self.far.view()).ended(self.now())));
            let ttl = self.ttl(&entry);
            let condition = Condition::IfVersion(version);
            if self.far.put(key, &ended, ttl, condition).await?.is_some() {
                return Ok(());
            }
        }
        Err(Unavailable)
    }

    /// Removes every response with this tag, and outdates those that are being fetched.
    pub(crate) async fn purge_tag(&self, tag: &str) -> Result<(), Unavailable> {
        let now = self.now().as_micros();
        let mark = Mark {
            changed: now,
            purged: now,
        };
        let key = Key::new(TAG, tag);
        let purged = self
            .far
            .mark(&key, mark.bytes(), TAG_TTL, Condition::Always);
        let purged = purged.await;
        self.forget(tag);
        if let Some(version) = purged? {
            self.recent.note(tag, version, self.now());
        }
        Ok(())
    }

    /// Makes every response with this tag stale, and outdates those that are being fetched.
    pub(crate) async fn expire_tag(&self, tag: &str) -> Result<(), Unavailable> {
        let expired = self.mark_expired(&Key::new(TAG, tag)).await;
        self.forget(tag);
        self.recent.note(tag, expired?, self.now());
        Ok(())
    }

    async fn mark_expired(&self, key: &Key) -> Result<Version, Unavailable> {
        for _ in 0..ATTEMPTS {
            let held = self.far.get_many(std::slice::from_ref(key)).await?;
            let held = held.into_iter().next().flatten();
            let (condition, purged) = match held {
                None => (Condition::IfAbsent, 0),
                Some(held) => {
                    let now = self.now().as_micros();
                    let purged = Mark::read(&held.value).map_or(now, |mark| mark.purged);
                    (Condition::IfVersion(held.version), purged)
                }
            };
            let changed = self.now().as_micros();
            let mark = Mark { changed, purged };
            let written = self.far.mark(key, mark.bytes(), TAG_TTL, condition);
            if let Some(version) = written.await? {
                return Ok(version);
            }
        }
        Err(Unavailable)
    }

    /// Lets go of every response here that has this tag.
    fn forget(&self, tag: &str) {
        self.front.remove_all(|record| match record {
            Record::Entry(entry) => entry.tags.iter().any(|tagged| tagged.tag == tag),
            _ => false,
        });
        self.metrics.purged();
    }

    /// Whether a purge at `purged` outdates what was asked for at `sent`, by clocks that may differ.
    pub(super) fn outdates(purged: i64, sent: larder_store::Timestamp) -> bool {
        let skew = i64::try_from(SKEW.as_micros()).unwrap_or(0);
        purged != 0 && purged.saturating_add(skew) >= sent.as_micros()
    }
}
