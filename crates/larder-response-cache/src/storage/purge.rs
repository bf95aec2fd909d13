use std::sync::Arc;

use futures_util::future::join;
use larder_layer::tags::{Generation, Tag, TagState};
use larder_store::{Condition, Key, Result, Version};

use super::tags::{TAG_TTL, first_state, state_from_bytes, state_to_bytes};
use super::{ATTEMPTS, FarRecord, Record, Storage};
use crate::request::{PrimaryKey, tag_key};

impl Storage {
    /// Removes the response of a URI, with all variants. A fetch that is under way is not stored.
    pub(crate) async fn purge(&self, key: &PrimaryKey) -> Result<()> {
        // In this order: see the module.
        let counted = self.count_purge(key).await;
        let remove = self.far.remove(key.far_key());
        let (removed, ()) = join(remove, self.remove_variants(key)).await;
        counted.and(removed)
    }

    /// Removes the variants that this process knows of a URI that is purged.
    ///
    /// Nobody finds a variant without its index, so one that is left only takes up room until it expires. That costs
    /// less than to read what the URI holds, which may be a page.
    async fn remove_variants(&self, key: &PrimaryKey) {
        let held = self.near.peek(key.as_bytes());
        if let Some(Record::Variants(index)) = held.map(|held| held.value.record) {
            let keys = index.variants.iter().map(|variant| index.far_key(*variant));
            let _ = self.far.remove_many(keys).await;
        }
    }

    /// Makes the response of a URI stale, with all variants.
    ///
    /// It takes four round trips, or two and two for each variant, or two if nothing is stored.
    pub(crate) async fn expire(&self, key: &PrimaryKey) -> Result<()> {
        self.expire_far(&key.far_key()).await
    }

    async fn expire_far(&self, key: &Key) -> Result<()> {
        // A write that changes nothing: over shards, a key of a lost server reads as missing, and a write fails
        // there. A store that reads replicas answers the reads of a key after a write by the master.
        self.far.remove_if(key.clone(), Version::random()).await?;
        match self.far.get(key).await? {
            FarRecord::Record(Record::Variants(index), _) => {
                for variant in &index.variants {
                    self.expire_response(&index.far_key(*variant)).await?;
                    self.near.invalidate(index.near_key(*variant).as_slice());
                }
                Ok(())
            }
            FarRecord::Record(Record::Response(_), _) => self.expire_response(key).await,
            FarRecord::Missing | FarRecord::Record(Record::Reservation, _) => Ok(()),
            // A process of another release may be able to read it.
            FarRecord::Unreadable(_) => self.far.remove(key.clone()).await,
        }
    }

    /// Makes the stored response under `key` stale, whichever it is.
    async fn expire_response(&self, key: &Key) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let (response, version) = match self.far.get(key).await? {
                FarRecord::Record(Record::Response(response), version) => (response, version),
                // It may be there, as above.
                FarRecord::Missing | FarRecord::Unreadable(_) => break,
                FarRecord::Record(..) => return Ok(()),
            };
            let (ttl, condition) = (self.ttl(&response), Condition::IfVersion(version));
            let expired = response.copy(self.policy()).expired_at(self.now());
            let record = Record::Response(Arc::new(expired));
            if self.far.put(key, &record, ttl, condition).await?.is_some() {
                return Ok(());
            }
        }
        // Or other writers keep changing it. A removal does more than requested, but cannot be
        // overtaken.
        self.far.remove(key.clone()).await
    }

    /// Removes every response with this tag. A fetch that is under way is not stored.
    pub(crate) async fn purge_tag(&self, tag: Tag) -> Result<()> {
        // In this order: see the module.
        let counted = self.count_tag_change(tag).await;
        let renewed = self.renew_tag(&tag_key(tag)).await;
        counted.and(renewed)
    }

    /// Makes every response with this tag stale. A fetch that is under way is not stored.
    pub(crate) async fn expire_tag(&self, tag: Tag) -> Result<()> {
        let counted = self.count_tag_change(tag).await;
        let expired = self.expire_tag_state(&tag_key(tag)).await;
        counted.and(expired)
    }

    async fn expire_tag_state(&self, key: &Key) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let held = self.far.get_value(key).await?;
            let condition = held.as_ref().map_or(Condition::IfAbsent, |held| {
                Condition::IfVersion(held.version)
            });
            let held = held.and_then(|held| state_from_bytes(&held.value));
            let generation = held.unwrap_or_else(first_state).generation;
            let expired = TagState {
                generation: generation.expired_by(Generation::random()),
                changed: self.now(),
            };
            let bytes = state_to_bytes(&expired);
            let written = self.far.put_value(key, bytes, TAG_TTL, condition);
            if written.await?.is_some() {
                return Ok(());
            }
        }
        // Other writers keep changing it. A purge does more than requested, but cannot be
        // overtaken.
        self.renew_tag(key).await
    }

    /// Gives a tag a new generation, so that every response of the old one counts as removed.
    async fn renew_tag(&self, key: &Key) -> Result<()> {
        let bytes = state_to_bytes(&first_state());
        let renewed = self.far.put_value(key, bytes, TAG_TTL, Condition::Always);
        renewed.await.map(drop)
    }

    /// Removes every response with this tag from this process.
    pub(crate) fn remove_near_with(&self, tag: Tag) {
        self.near.invalidate_where(|_, near| match &near.record {
            Record::Response(response) => response.tags.iter().any(|(held, _)| *held == tag),
            _ => false,
        });
    }
}
