use std::sync::Arc;

use http::HeaderMap;
use larder_store::{Timestamp, Version};

use super::{Existing, Found, PurgeSnapshot, Storage, UriSnapshot};
use crate::engine::SelectingFields;
use crate::request::PrimaryKey;
use crate::storage::Record;
use crate::storage::StoredResponse;
use crate::storage::VariantIndex;
use crate::storage::{FarRecord, Unavailable};
use crate::storage::{Generation, Near};

impl Storage {
    /// What is stored in this process for a request; nothing where the store has to be asked.
    ///
    /// `claims` are fields of the request that its response may depend on without saying so.
    pub(crate) fn find_near(
        &self,
        primary: &PrimaryKey,
        key_fields: &SelectingFields,
        request: &HeaderMap,
        now: Timestamp,
    ) -> Option<Found> {
        let Near {
            record,
            version,
            is_due,
            generation,
        } = self.front.get(primary.as_bytes(), now)?;
        if is_due {
            return None;
        }
        match record {
            Record::Response(entry) if key_fields.is_empty() => Some(Found {
                snapshot: snapshot(version, None, None, generation),
                entry: Some(entry),
                has_variants: false,
            }),
            Record::Variants(index) if index.selecting.covers(key_fields) => {
                let variant = index.selecting.variant(request);
                let near = self.front.get(&index.near(variant), now)?;
                let Record::Response(entry) = near.record else {
                    return None;
                };
                (!near.is_due).then(|| Found {
                    snapshot: snapshot(version, Some(index), near.version, generation),
                    entry: Some(entry),
                    has_variants: true,
                })
            }
            _ => None,
        }
    }

    /// What is stored for a request, here or in the store: one round trip, two for a variant, one
    /// more for tags.
    pub(crate) async fn find(
        &self,
        primary: &PrimaryKey,
        key_fields: &SelectingFields,
        request: &HeaderMap,
    ) -> Found {
        let now = self.now();
        let near = self.find_near(primary, key_fields, request, now);
        // What is stale here may be fresh in the store: another process may have asked after it.
        let is_fresh = |found: &Found| {
            let entry = found.entry.as_ref();
            entry.is_some_and(|entry| entry.rules.is_shareable(now))
        };
        let near = match near {
            Some(found) if is_fresh(&found) => return found,
            near => near,
        };
        let generation = self.front.generation(primary.as_bytes());
        let mut found = Found {
            entry: None,
            snapshot: UriSnapshot {
                held: Existing::None,
                index: None,
                variant: Existing::None,
                generation,
                purges: PurgeSnapshot::default(),
            },
            has_variants: false,
        };
        match self.far.get(&primary.far()).await {
            Err(Unavailable) => {
                found.snapshot.held = Existing::Unknown;
                return near.unwrap_or(found);
            }
            Ok(FarRecord::Missing) => {}
            Ok(
                FarRecord::Unreadable(version) | FarRecord::Record(Record::Reservation, version),
            ) => {
                found.snapshot.held = Existing::Version(version);
            }
            Ok(FarRecord::Record(Record::Response(entry), version)) => {
                found.snapshot.held = Existing::Version(version);
                if key_fields.is_empty()
                    && let Some(entry) = self.usable(entry).await
                {
                    let key = primary.as_bytes();
                    found.entry = Some(self.keep_near(key, entry, version, generation, now));
                }
            }
            Ok(FarRecord::Record(Record::Variants(index), version)) => {
                found.snapshot.held = Existing::Version(version);
                found.has_variants = true;
                if index.selecting.covers(key_fields) {
                    let record = Record::Variants(index.clone());
                    let until = self.near_until(now);
                    let key = primary.as_bytes();
                    self.front
                        .insert(key, record, Some(version), until, generation);
                    (found.entry, found.snapshot.variant) =
                        self.find_variant(&index, request, now).await;
                }
                found.snapshot.index = Some(index);
            }
        }
        found
    }

    /// The variant of `request`, and what the store holds under its key.
    async fn find_variant(
        &self,
        index: &VariantIndex,
        request: &HeaderMap,
        now: Timestamp,
    ) -> (Option<Arc<StoredResponse>>, Existing) {
        let variant = index.selecting.variant(request);
        if !index.variants.contains(&variant) {
            return (None, Existing::None);
        }
        let near = index.near(variant);
        let generation = self.front.generation(&near);
        match self.far.get(&index.far(variant)).await {
            Ok(FarRecord::Record(Record::Response(entry), version)) => {
                let entry = self.usable(entry).await;
                let entry =
                    entry.map(|entry| self.keep_near(&near, entry, version, generation, now));
                (entry, Existing::Version(version))
            }
            Ok(FarRecord::Record(_, version) | FarRecord::Unreadable(version)) => {
                (None, Existing::Version(version))
            }
            Ok(FarRecord::Missing) => (None, Existing::None),
            Err(Unavailable) => (None, Existing::Unknown),
        }
    }

    /// Keeps what the store answered in this process too. Where it is what is here already, that is
    /// kept, so that the body is held once.
    fn keep_near(
        &self,
        key: &[u8],
        entry: Arc<StoredResponse>,
        version: Version,
        generation: Generation,
        now: Timestamp,
    ) -> Arc<StoredResponse> {
        let entry = match self.front.get(key, now) {
            Some(Near {
                record: Record::Response(held),
                version: Some(same),
                ..
            }) if same == version && held.ended == entry.ended => held,
            // Stored here after the store was asked.
            Some(Near {
                record: Record::Response(held),
                is_due: false,
                ..
            }) if held.is_newer_than(&entry) => return held,
            _ => entry,
        };
        let record = Record::Response(entry.clone());
        let until = self.near_until(now);
        self.front
            .insert(key, record, Some(version), until, generation);
        entry
    }
}

fn snapshot(
    version: Option<Version>,
    index: Option<Arc<VariantIndex>>,
    variant: Option<Version>,
    generation: Generation,
) -> UriSnapshot {
    let before = |version: Option<Version>| version.map_or(Existing::Unknown, Existing::Version);
    UriSnapshot {
        held: before(version),
        index,
        variant: before(variant),
        generation,
        purges: PurgeSnapshot::default(),
    }
}
