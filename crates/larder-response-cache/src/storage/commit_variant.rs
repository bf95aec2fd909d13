use std::sync::Arc;

use http::HeaderMap;
use larder_store::{Condition, Key, Result, Timestamp, Ttl, Version};

use super::commit::{Commit, CommitKind, CommitOutcome, NotStored};
use super::{ATTEMPTS, Existing, FarRecord, Record, Storage, StoredResponse, VariantIndex};
use crate::engine::{Refusal, SelectingFields, VariantId};

const A_MINUTE: Ttl = Ttl::from_secs(60);

/// The place of a variant in an index.
struct Position {
    index: Arc<VariantIndex>,
    variant: VariantId,
    /// The variant whose place it took.
    evicted: Option<VariantId>,
    /// Whether the index has to be written.
    is_changed: bool,
}

impl Storage {
    /// Stores a response as a variant of its URI, after the index that names it.
    pub(super) async fn store_variant(
        &self,
        commit: &Commit<'_>,
        selecting: SelectingFields,
        response: &Arc<StoredResponse>,
        now: Timestamp,
    ) -> CommitOutcome {
        let (key, snapshot) = (commit.key.consistent_far_key(), commit.snapshot);
        let until = self.now().plus_micros(self.ttl(response).as_micros());
        let mut replaceable = match snapshot.held {
            Existing::Version(version) => (snapshot.index.clone(), Condition::IfVersion(version)),
            _ => self.replaceable(commit, &key, response).await?,
        };
        for _ in 0..ATTEMPTS {
            let (held, condition) = replaceable;
            let is_new = |held: &Arc<VariantIndex>| !held.selecting.covers(&selecting);
            if held.as_ref().is_some_and(is_new) && !response.replaces_variants() {
                // A new index would remove the variants of this one.
                return Err(NotStored::Refused(Refusal::Status));
            }
            let position = self.position(held.as_ref(), &selecting, commit.request, until);
            // The responses of the URI vary with too many fields together.
            let position = position.ok_or(NotStored::Refused(Refusal::Vary))?;
            if !position.is_changed {
                return self
                    .put_variant(commit, &key, position, response, now)
                    .await;
            }
            let written = self.write_index(&key, &position.index, condition).await?;
            if written.is_some() {
                return self
                    .put_variant(commit, &key, position, response, now)
                    .await;
            }
            replaceable = self.replaceable(commit, &key, response).await?;
        }
        Err(NotStored::Superseded)
    }

    /// Finds the place for the variant of `request` in the stored index, or in a new one.
    fn position(
        &self,
        held: Option<&Arc<VariantIndex>>,
        selecting: &SelectingFields,
        request: &HeaderMap,
        until: Timestamp,
    ) -> Option<Position> {
        let mut index = match held {
            Some(index) if index.selecting.covers(selecting) => VariantIndex::clone(index),
            Some(index) => VariantIndex::new(index.selecting.union(selecting)?),
            None => VariantIndex::new(selecting.clone()),
        };
        let variant = index.selecting.variant(request);
        let is_there = index.variants.contains(&variant);
        let is_long_enough = until <= index.until;
        if !is_long_enough {
            // Twice as long, but at most a minute longer, so that the index is not written with each
            // variant.
            let left = i64::try_from(until.since(self.now()).as_micros()).unwrap_or(i64::MAX);
            index.until = until.plus_micros(left.min(A_MINUTE.as_micros()));
        }
        let evicted = match is_there {
            true => None,
            false => index.add(variant, self.max_variants),
        };
        Some(Position {
            index: Arc::new(index),
            variant,
            evicted,
            is_changed: !is_there || !is_long_enough,
        })
    }

    /// Writes an index. Returns its version, or None if the condition was not met.
    async fn write_index(
        &self,
        key: &Key,
        index: &Arc<VariantIndex>,
        condition: Condition,
    ) -> Result<Option<Version>> {
        let left = index.until.as_micros() - self.now().as_micros();
        let record = Record::Variants(index.clone());
        self.far
            .put(key, &record, Ttl::covering_micros(left), condition)
            .await
    }

    /// Writes a variant of the index under `key`.
    ///
    /// It is superseded if the URI has lost that index meanwhile: nobody would find it under the index's id.
    async fn put_variant(
        &self,
        commit: &Commit<'_>,
        key: &Key,
        position: Position,
        response: &Arc<StoredResponse>,
        now: Timestamp,
    ) -> CommitOutcome {
        let Position {
            index,
            variant,
            evicted,
            ..
        } = position;
        if let Some(evicted) = evicted {
            self.near.invalidate(index.near_key(evicted).as_slice());
            // If this fails, it expires by itself.
            let _ = self.far.remove(index.far_key(evicted)).await;
        }
        let near_key = index.near_key(variant);
        let generation = self.near.generation(near_key.as_slice());
        let generation = generation.with_sweeps_of(commit.snapshot.generation);
        let held = match &commit.snapshot.index {
            Some(known) if known.id == index.id => commit.snapshot.variant,
            _ => Existing::None,
        };
        let far_key = index.far_key(variant);
        let written = self.replace_variant(commit, &far_key, held, response);
        let version = written.await?;
        let until = self.near_until(now);
        let found = self.index_with(key, &index, variant).await;
        if found == Err(NotStored::Superseded) {
            // Another process may have written a newer one, and named it again.
            let _ = self.far.remove_if(far_key, version).await;
        }
        let (index, index_version) = found?;
        let (uri, fetched) = (commit.key.as_bytes(), commit.snapshot.generation);
        let index = Record::Variants(index);
        self.put_near(uri, index, Some(index_version), until, fetched);
        self.put_near_unless_newer(&near_key, response, version, now, generation);
        Ok(())
    }

    /// Returns the index under `key` with its version, if it is still this one, and names the variant.
    async fn index_with(
        &self,
        key: &Key,
        index: &VariantIndex,
        variant: VariantId,
    ) -> Result<(Arc<VariantIndex>, Version), NotStored> {
        match self.far.get(key).await? {
            FarRecord::Record(Record::Variants(held), version)
                if held.id == index.id && held.variants.contains(&variant) =>
            {
                Ok((held, version))
            }
            _ => Err(NotStored::Superseded),
        }
    }

    /// Writes a variant, and returns its version. Purging the URI removes its index, and with it this
    /// key.
    async fn replace_variant(
        &self,
        commit: &Commit<'_>,
        key: &Key,
        held: Existing,
        response: &Arc<StoredResponse>,
    ) -> Result<Version, NotStored> {
        let (record, ttl) = (Record::Response(response.clone()), self.ttl(response));
        let mut condition = match held {
            Existing::Version(version) => Condition::IfVersion(version),
            Existing::None | Existing::Unknown => Condition::IfAbsent,
        };
        for _ in 0..ATTEMPTS {
            let written = self.far.put(key, &record, ttl, condition).await?;
            if written.is_some() || commit.kind == CommitKind::Update {
                return written.ok_or(NotStored::Superseded);
            }
            condition = match self.far.get(key).await? {
                FarRecord::Missing => Condition::IfAbsent,
                FarRecord::Record(Record::Response(held), _)
                    if !response.replaces(&held, self.now()) =>
                {
                    break;
                }
                FarRecord::Record(_, version) | FarRecord::Unreadable(version) => {
                    Condition::IfVersion(version)
                }
            };
        }
        Err(NotStored::Superseded)
    }
}
