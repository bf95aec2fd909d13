use std::sync::Arc;

use http::HeaderMap;
use larder_store::{Timestamp, Version};

use super::{Basis, Before, Found, Purges, Storage};
use crate::engine::Selecting;
use crate::entry::Entry;
use crate::far::{Held, Unavailable};
use crate::front::{Generation, Near};
use crate::index::Index;
use crate::key::Primary;
use crate::record::Record;

impl Storage {
    /// What is stored in this process for a request; nothing where the store has to be asked.
    ///
    /// `claims` are fields of the request that its response may depend on without saying so.
    pub(crate) fn find_near(
        &self,
        primary: &Primary,
        claims: &Selecting,
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
            Record::Entry(entry) if claims.is_empty() => Some(Found {
                basis: basis(version, None, None, generation),
                entry: Some(entry),
                has_variants: false,
            }),
            Record::Index(index) if index.selecting.covers(claims) => {
                let variant = index.selecting.variant(request);
                let near = self.front.get(&index.near(variant), now)?;
                let Record::Entry(entry) = near.record else {
                    return None;
                };
                (!near.is_due).then(|| Found {
                    basis: basis(version, Some(index), near.version, generation),
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
        primary: &Primary,
        claims: &Selecting,
        request: &HeaderMap,
    ) -> Found {
        let now = self.now();
        let near = self.find_near(primary, claims, request, now);
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
            basis: Basis {
                held: Before::Nothing,
                index: None,
                variant: Before::Nothing,
                generation,
                purges: Purges::default(),
            },
            has_variants: false,
        };
        match self.far.get(&primary.far()).await {
            Err(Unavailable) => {
                found.basis.held = Before::Unknown;
                return near.unwrap_or(found);
            }
            Ok(Held::Nothing) => {}
            Ok(Held::Broken(version) | Held::Record(Record::Reserved, version)) => {
                found.basis.held = Before::Version(version);
            }
            Ok(Held::Record(Record::Entry(entry), version)) => {
                found.basis.held = Before::Version(version);
                if claims.is_empty()
                    && let Some(entry) = self.usable(entry).await
                {
                    let key = primary.as_bytes();
                    found.entry = Some(self.keep_near(key, entry, version, generation, now));
                }
            }
            Ok(Held::Record(Record::Index(index), version)) => {
                found.basis.held = Before::Version(version);
                found.has_variants = true;
                if index.selecting.covers(claims) {
                    let record = Record::Index(index.clone());
                    let until = self.near_until(now);
                    let key = primary.as_bytes();
                    self.front
                        .insert(key, record, Some(version), until, generation);
                    (found.entry, found.basis.variant) =
                        self.find_variant(&index, request, now).await;
                }
                found.basis.index = Some(index);
            }
        }
        found
    }

    /// The variant of `request`, and what the store holds under its key.
    async fn find_variant(
        &self,
        index: &Index,
        request: &HeaderMap,
        now: Timestamp,
    ) -> (Option<Arc<Entry>>, Before) {
        let variant = index.selecting.variant(request);
        if !index.variants.contains(&variant) {
            return (None, Before::Nothing);
        }
        let near = index.near(variant);
        let generation = self.front.generation(&near);
        match self.far.get(&index.far(variant)).await {
            Ok(Held::Record(Record::Entry(entry), version)) => {
                let entry = self.usable(entry).await;
                let entry =
                    entry.map(|entry| self.keep_near(&near, entry, version, generation, now));
                (entry, Before::Version(version))
            }
            Ok(Held::Record(_, version) | Held::Broken(version)) => {
                (None, Before::Version(version))
            }
            Ok(Held::Nothing) => (None, Before::Nothing),
            Err(Unavailable) => (None, Before::Unknown),
        }
    }

    /// Keeps what the store answered in this process too. Where it is what is here already, that is
    /// kept, so that the body is held once.
    fn keep_near(
        &self,
        key: &[u8],
        entry: Arc<Entry>,
        version: Version,
        generation: Generation,
        now: Timestamp,
    ) -> Arc<Entry> {
        let entry = match self.front.get(key, now) {
            Some(Near {
                record: Record::Entry(held),
                version: Some(same),
                ..
            }) if same == version && held.ended == entry.ended => held,
            // Stored here after the store was asked.
            Some(Near {
                record: Record::Entry(held),
                is_due: false,
                ..
            }) if held.is_newer_than(&entry) => return held,
            _ => entry,
        };
        let record = Record::Entry(entry.clone());
        let until = self.near_until(now);
        self.front
            .insert(key, record, Some(version), until, generation);
        entry
    }
}

fn basis(
    version: Option<Version>,
    index: Option<Arc<Index>>,
    variant: Option<Version>,
    generation: Generation,
) -> Basis {
    let before = |version: Option<Version>| version.map_or(Before::Unknown, Before::Version);
    Basis {
        held: before(version),
        index,
        variant: before(variant),
        generation,
        purges: Purges::default(),
    }
}
