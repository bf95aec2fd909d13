use std::sync::Arc;

use http::HeaderMap;
use larder_store::{Condition, Timestamp, Ttl, Version};

use super::{Basis, Before, Committed, FETCH_LIMIT, MAX_STORED, Moment, Storage, VALIDATABLE};
use crate::engine::{Failure, RequestRules, Selecting, Validators, VariantId};
use crate::entry::Entry;
use crate::far::{Held, Unavailable};
use crate::index::Index;
use crate::key::Primary;
use crate::record::Record;

/// How often something is read again after another process wrote it.
pub(super) const ATTEMPTS: usize = 4;
const A_MINUTE: Ttl = Ttl::from_secs(60);

/// A response that is to be stored, and what it was an answer to.
pub(crate) struct Commit<'a> {
    pub(crate) primary: &'a Primary,
    pub(crate) basis: &'a Basis,
    /// Fields of the request that it may depend on without saying so.
    pub(crate) claims: &'a Selecting,
    /// The fields of the request.
    pub(crate) request: &'a HeaderMap,
    /// Which purges were known when the fetch began.
    pub(crate) begun: Moment,
}

/// Where a variant stands in an index.
struct Position {
    index: Arc<Index>,
    variant: VariantId,
    /// The variant whose place it took.
    evicted: Option<VariantId>,
    /// Whether the index has to be written.
    is_new: bool,
}

impl Storage {
    /// Stores a response, far and near, unless the URI was purged, or given another response, since
    /// the fetch began.
    pub(crate) async fn commit(
        &self,
        commit: Commit<'_>,
        mut entry: Entry,
    ) -> (Committed, Arc<Entry>) {
        let is_late = self.now().since(entry.exchange.sent) >= FETCH_LIMIT;
        let is_tagged = !is_late && self.tag(&mut entry, commit.begun).await.is_some();
        let entry = Arc::new(entry);
        let done = if is_tagged {
            self.store(&commit, &entry).await
        } else {
            None
        };
        match done {
            Some(()) => self.metrics.stored(),
            None => self.metrics.outdated(),
        }
        (
            done.map_or(Committed::Refused, |()| Committed::Stored),
            entry,
        )
    }

    async fn store(&self, commit: &Commit<'_>, entry: &Arc<Entry>) -> Option<()> {
        let basis = commit.basis;
        let selecting = Selecting::of(&entry.headers)?.union(commit.claims)?;
        let has_variants = !selecting.is_empty() || basis.index.is_some();
        let condition = match basis.held {
            Before::Unknown => return self.store_here(commit, has_variants, entry),
            Before::Nothing => Condition::IfAbsent,
            Before::Version(version) => Condition::IfVersion(version),
        };
        if has_variants {
            return self
                .store_variant(commit, condition, selecting, entry)
                .await;
        }
        let (key, ttl) = (commit.primary.far(), self.ttl(entry));
        let record = Record::Entry(entry.clone());
        match self.far.put(&key, &record, ttl, condition).await {
            Ok(version) => {
                self.keep(commit, record, Some(version?));
                Some(())
            }
            // Too large for the store, or no store.
            Err(Unavailable) => self.store_here(commit, has_variants, entry),
        }
    }

    /// Keeps a response that has no variants in this process alone.
    fn store_here(
        &self,
        commit: &Commit<'_>,
        has_variants: bool,
        entry: &Arc<Entry>,
    ) -> Option<()> {
        if has_variants {
            return None;
        }
        let record = Record::Entry(entry.clone());
        self.keep(commit, record, None).then_some(())
    }

    /// Keeps what the URI holds here.
    fn keep(&self, commit: &Commit<'_>, record: Record, version: Option<Version>) -> bool {
        let until = self.near_until(self.now());
        let key = commit.primary.as_bytes();
        self.front
            .insert(key, record, version, until, commit.basis.generation)
    }

    async fn store_variant(
        &self,
        commit: &Commit<'_>,
        mut condition: Condition,
        selecting: Selecting,
        entry: &Arc<Entry>,
    ) -> Option<()> {
        let mut held = commit.basis.index.clone();
        let until = self.now().plus_micros(self.ttl(entry).as_micros());
        for _ in 0..ATTEMPTS {
            let position = self.place(held.as_ref(), &selecting, commit.request, until)?;
            let mut written = None;
            if position.is_new {
                written = self.write_index(commit, &position.index, condition).await?;
                if written.is_none() {
                    // Somebody else wrote it. Where it is the same index with one more variant, this
                    // one is added to that; where it was purged, this one is too late.
                    let known = commit.basis.index.as_ref()?;
                    (held, condition) = self.read_again(commit.primary, known).await?;
                    continue;
                }
            }
            return self.put_variant(commit, position, written, entry).await;
        }
        None
    }

    /// The version of the index once it is written; nothing inside where the condition was not met.
    async fn write_index(
        &self,
        commit: &Commit<'_>,
        index: &Arc<Index>,
        condition: Condition,
    ) -> Option<Option<Version>> {
        let record = Record::Index(index.clone());
        let left = index.until.as_micros() - self.now().as_micros();
        let ttl = Ttl::covering_micros(left);
        let key = commit.primary.far();
        self.far.put(&key, &record, ttl, condition).await.ok()
    }

    async fn put_variant(
        &self,
        commit: &Commit<'_>,
        position: Position,
        written: Option<Version>,
        entry: &Arc<Entry>,
    ) -> Option<()> {
        let Position {
            index,
            variant,
            evicted,
            ..
        } = position;
        if let Some(evicted) = evicted {
            self.front.remove(&index.near(evicted));
            self.far.remove(index.far(evicted)).await;
        }
        let near = index.near(variant);
        let generation = self.front.generation(&near);
        let generation = generation.swept_as(commit.basis.generation);
        let (key, ttl) = (index.far(variant), self.ttl(entry));
        let record = Record::Entry(entry.clone());
        let put = self.far.put(&key, &record, ttl, Condition::Always);
        let version = put.await.ok()?;
        if written.is_some() {
            self.keep(commit, Record::Index(index), written);
        }
        // Under the name of an index that is gone nobody finds it.
        let until = self.near_until(self.now());
        self.front.insert(&near, record, version, until, generation);
        Some(())
    }

    /// Gives the variant of `request` a place in the index that is held, or in a new one.
    fn place(
        &self,
        held: Option<&Arc<Index>>,
        selecting: &Selecting,
        request: &HeaderMap,
        until: Timestamp,
    ) -> Option<Position> {
        let mut index = match held {
            Some(index) if index.selecting.covers(selecting) => Index::clone(index),
            Some(index) => Index::new(index.selecting.union(selecting)?),
            None => Index::new(selecting.clone()),
        };
        let variant = index.selecting.variant(request);
        let is_there = index.variants.contains(&variant);
        let is_long_enough = until <= index.until;
        if !is_long_enough {
            // With as long to spare, at most a minute, so that it is not written with each variant.
            let left = i64::try_from(until.since(self.now()).as_micros()).unwrap_or(i64::MAX);
            index.until = until.plus_micros(left.min(A_MINUTE.as_micros()));
        }
        let evicted = if is_there {
            None
        } else {
            index.add(variant, self.max_variants)
        };
        Some(Position {
            index: Arc::new(index),
            variant,
            evicted,
            is_new: !is_there || !is_long_enough,
        })
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

    /// For how long the store keeps a response: as long as it may be served. Where it has a
    /// validator that is at least as long again as it was good for.
    pub(super) fn ttl(&self, entry: &Entry) -> Ttl {
        let (rules, now) = (&entry.rules, self.now());
        let lifetime = rules.freshness.lifetime();
        let (least, most) = VALIDATABLE;
        let validatable = match Validators::of(&entry.headers).is_empty() {
            true => 0,
            false => lifetime.clamp(least, most),
        };
        let limit = self.stale_while_disconnected;
        let unasked = RequestRules::default();
        let coverable = match rules.may_cover(&unasked, Failure::Disconnected, limit, now) {
            true => limit.as_secs(),
            false => 0,
        };
        let stale = validatable.max(coverable);
        let stale = rules.freshness.remaining(now).saturating_add(stale);
        let kept = rules.usable(now).max(stale).min(MAX_STORED);
        Ttl::covering_micros(i64::try_from(kept).unwrap_or(0).saturating_mul(1_000_000))
    }
}
