use std::sync::Arc;

use larder_store::{Condition, Key};

use super::commit::ATTEMPTS;
use super::tags::TagRecord;
use super::{Storage, TAG_TTL};
use crate::request::{PrimaryKey, TAG};
use crate::storage::Record;
use crate::storage::{FarRecord, Unavailable};

impl Storage {
    /// Removes what a URI holds, with all its variants, and outdates what is being fetched for it.
    pub(crate) async fn purge(&self, primary: &PrimaryKey) -> Result<(), Unavailable> {
        // In this order: see the module.
        let noted = self.count_purge(primary).await;
        let removed = self.far.remove(primary.far()).await;
        // After the store: what another request reads back from it in between is removed too.
        self.front.remove(primary.as_bytes());
        self.metrics.purged();
        noted.and(removed)
    }

    /// Makes what a URI holds stale, with all its variants. Two round trips, and two for each variant.
    pub(crate) async fn expire(&self, primary: &PrimaryKey) -> Result<(), Unavailable> {
        let key = primary.far();
        let held = match self.far.get(&key).await? {
            FarRecord::Record(Record::Variants(index), _) => {
                for variant in &index.variants {
                    self.expire_one(&index.far(*variant)).await?;
                    self.front.remove(&index.near(*variant));
                }
                Ok(())
            }
            FarRecord::Record(Record::Response(_), _) => self.expire_one(&key).await,
            FarRecord::Record(Record::Reservation, _)
            | FarRecord::Missing
            | FarRecord::Unreadable(_) => Ok(()),
        };
        self.front.remove(primary.as_bytes());
        self.metrics.purged();
        held
    }

    /// Makes one stored response stale, whichever it is by then.
    async fn expire_one(&self, key: &Key) -> Result<(), Unavailable> {
        for _ in 0..ATTEMPTS {
            let FarRecord::Record(Record::Response(entry), version) = self.far.get(key).await?
            else {
                return Ok(());
            };
            let ended = Record::Response(Arc::new(entry.copy(self.far.policy()).ended(self.now())));
            let ttl = self.ttl(&entry);
            let condition = Condition::IfVersion(version);
            if self.far.put(key, &ended, ttl, condition).await?.is_some() {
                return Ok(());
            }
        }
        // Others change it all the time: to be gone is more than to be stale, and cannot be outrun.
        self.far.remove(key.clone()).await
    }

    /// Removes every response with this tag, and outdates those that are being fetched.
    pub(crate) async fn purge_tag(&self, tag: &str) -> Result<(), Unavailable> {
        // In this order: see the module.
        let noted = self.count_tag_change(tag).await;
        let (key, mark) = (Key::new(TAG, tag), TagRecord::made());
        let renewed = self
            .far
            .mark(&key, mark.bytes(), TAG_TTL, Condition::Always);
        let renewed = renewed.await;
        self.forget(tag);
        noted.and(renewed).map(drop)
    }

    /// Makes every response with this tag stale, and outdates those that are being fetched.
    pub(crate) async fn expire_tag(&self, tag: &str) -> Result<(), Unavailable> {
        let noted = self.count_tag_change(tag).await;
        let expired = self.mark_expired(&Key::new(TAG, tag)).await;
        self.forget(tag);
        noted.and(expired)
    }

    async fn mark_expired(&self, key: &Key) -> Result<(), Unavailable> {
        for _ in 0..ATTEMPTS {
            let held = self.far.get_many(std::slice::from_ref(key)).await?;
            let held = held.into_iter().next().flatten();
            let condition = held.as_ref().map_or(Condition::IfAbsent, |held| {
                Condition::IfVersion(held.version)
            });
            let mark = held.and_then(|held| TagRecord::read(&held.value));
            let mark = TagRecord {
                expired: self.now(),
                ..mark.unwrap_or_else(TagRecord::made)
            };
            let written = self.far.mark(key, mark.bytes(), TAG_TTL, condition);
            if written.await?.is_some() {
                return Ok(());
            }
        }
        // Others change it all the time: to be gone is more than to be stale, and cannot be outrun.
        let renewed = TagRecord::made().bytes();
        let renewed = self.far.mark(key, renewed, TAG_TTL, Condition::Always);
        renewed.await.map(drop)
    }

    /// Lets go of every response here that has this tag.
    fn forget(&self, tag: &str) {
        self.front.remove_all(|record| match record {
            Record::Response(entry) => entry.tags.iter().any(|tagged| tagged.tag == tag),
            _ => false,
        });
        self.metrics.purged();
    }
}
