use std::sync::Arc;

use http::HeaderMap;
use larder_store::{Condition, Timestamp, Ttl, Version};

use super::{Basis, Before, Committed, FETCH_LIMIT, MAX_STORED, STALE_KEPT, Storage};
use crate::engine::{Selecting, VariantId};
use crate::entry::Entry;
use crate::far::{Held, Unavailable};
use crate::index::Index;
use crate::key::Primary;
use crate::record::Record;

/// How often an index is read again after another process wrote it.
const ATTEMPTS: usize = 4;
const A_DAY: Ttl = Ttl::from_secs(24 * 60 * 60);

impl Storage {
    /// Stores a response, far and near, unless the URI was purged, or given another response, since
    /// `basis` was taken.
    pub(crate) async fn commit(
        &self,
        primary: &Primary,
        basis: &Basis,
        claims: &Selecting,
        request: &HeaderMap,
        mut entry: Entry,
    ) -> (Committed, Arc<Entry>) {
        let is_late = self.now().since(entry.exchange.sent) >= FETCH_LIMIT;
        let is_tagged = !is_late && self.tag(&mut entry).await.is_some();
        let entry = Arc::new(entry);
        if !is_tagged {
            self.metrics.outdated();
            return (Committed::Refused, entry);
        }
        let done = self
            .commit_tagged(primary, basis, claims, request, &entry)
            .await;
        match done {
            Some(()) => self.metrics.stored(),
            None => self.metrics.outdated(),
        }
        let committed = done.map_or(Committed::Refused, |()| Committed::Stored);
        (committed, entry)
    }

    async fn commit_tagged(
        &self,
        primary: &Primary,
        basis: &Basis,
        claims: &Selecting,
        request: &HeaderMap,
        entry: &Arc<Entry>,
    ) -> Option<()> {
        let selecting = Selecting::of(&entry.headers)?.union(claims)?;
        let ttl = self.ttl(entry);
        let is_alone = selecting.is_empty() && basis.index.is_none();
        let condition = match basis.held {
            Before::Unknown => return self.commit_near(primary, basis, &selecting, entry),
            Before::Nothing => Condition::IfAbsent,
            Before::Version(version) => Condition::IfVersion(version),
        };
        if !is_alone {
            return self
                .commit_variant(primary, basis, condition, selecting, request, entry, ttl)
                .await;
        }
        let record = Record::Entry(entry.clone());
        let version = match self.far.put(&primary.far(), &record, ttl, condition).await {
            Ok(version) => version?,
            // Too large for the store, or no store: it is kept here alone.
            Err(Unavailable) => return self.commit_near(primary, basis, &selecting, entry),
        };
        self.keep(primary.as_bytes(), record, Some(version), basis);
        Some(())
    }

    /// Keeps a response that has no variants in this process alone.
    fn commit_near(
        &self,
        primary: &Primary,
        basis: &Basis,
        selecting: &Selecting,
        entry: &Arc<Entry>,
    ) -> Option<()> {
        if !selecting.is_empty() || basis.index.is_some() {
            return None;
        }
        let record = Record::Entry(entry.clone());
        self.keep(primary.as_bytes(), record, None, basis)
            .then_some(())
    }

    fn keep(&self, key: &[u8], record: Record, version: Option<Version>, basis: &Basis) -> bool {
        let until = self.near_until(self.now());
        self.front
            .insert(key, record, version, until, basis.generation)
    }

    #[allow(clippy::too_many_arguments)]
    async fn commit_variant(
        &self,
        primary: &Primary,
        basis: &Basis,
        mut condition: Condition,
        selecting: Selecting,
        request: &HeaderMap,
        entry: &Arc<Entry>,
        ttl: Ttl,
    ) -> Option<()> {
        let mut held = basis.index.clone();
        let until = self.now().plus_micros(ttl.as_micros());
        for _ in 0..ATTEMPTS {
            let (index, variant, evicted, is_new) =
                self.place(held.as_ref(), &selecting, request, until)?;
            let mut version = None;
            if is_new {
                let record = Record::Index(index.clone());
                let ttl = Ttl::covering_micros(index.until.as_micros() - self.now().as_micros());
                let put = self.far.put(&primary.far(), &record, ttl, condition).await;
                version = put.ok()?;
                if version.is_none() {
                    // Somebody else wrote it. Where it is the same index with one more variant, this
                    // one is added to that; where it was purged, this one is too late.
                    (held, condition) = self.read_again(primary, basis.index.as_ref()?).await?;
                    continue;
                }
            }
            if let Some(evicted) = evicted {
                self.front.remove(&index.near(evicted));
                self.far.remove(index.far(evicted)).await;
            }
            let (near, generation) = (index.near(variant), basis.generation);
            let own = self.front.generation(&near).swept_as(generation);
            let record = Record::Entry(entry.clone());
            let put = self
                .far
                .put(&index.far(variant), &record, ttl, Condition::Always)
                .await
                .ok()??;
            let until = self.near_until(self.now());
            if is_new {
                let index = Record::Index(index);
                self.front
                    .insert(primary.as_bytes(), index, version, until, generation);
            }
            // Under the name of an index that is gone nobody finds it.
            self.front.insert(&near, record, Some(put), until, own);
            return Some(());
        }
        None
    }

    /// The index in which the variant of `request` has a place, and whether it has to be written.
    fn place(
        &self,
        held: Option<&Arc<Index>>,
        selecting: &Selecting,
        request: &HeaderMap,
        until: Timestamp,
    ) -> Option<(Arc<Index>, VariantId, Option<VariantId>, bool)> {
        let mut index = match held {
            Some(index) if index.selecting.covers(selecting) => Index::clone(index),
            Some(index) => Index::new(index.selecting.union(selecting)?),
            None => Index::new(selecting.clone()),
        };
        let variant = index.selecting.variant(request);
        let is_there = index.variants.contains(&variant);
        let is_long_enough = until <= index.until;
        if !is_long_enough {
            // With a day to spare, so that it is not written again with each variant.
            index.until = until.plus_micros(A_DAY.as_micros());
        }
        let evicted = if is_there {
            None
        } else {
            index.add(variant, self.max_variants)
        };
        let is_new = !is_there || !is_long_enough;
        Some((Arc::new(index), variant, evicted, is_new))
    }

    async fn read_again(
        &self,
        primary: &Primary,
        known: &Index,
    ) -> Option<(Option<Arc<Index>>, Condition)> {
        match self.far.get(&primary.far()).await {
            Ok(Held::Record(Record::Index(index), version)) if index.name == known.name => {
                Some((Some(index), Condition::IfVersion(version)))
            }
            _ => None,
        }
    }

    /// For how long the store keeps a response: as long as it is of use, and a while longer where
    /// it can be validated.
    fn ttl(&self, entry: &Entry) -> Ttl {
        let usable = entry.rules.usable(self.now());
        let kept = usable.saturating_add(STALE_KEPT).min(MAX_STORED);
        Ttl::covering_micros(i64::try_from(kept).unwrap_or(0).saturating_mul(1_000_000))
    }
}
