use std::sync::Arc;

use http::HeaderMap;
use larder_store::{Condition, Key, Timestamp, Ttl, Version};

use super::{
    CommitOutcome, Existing, FETCH_LIMIT, MAX_STORED, RESERVED_FOR, Storage, UriSnapshot,
    VALIDATABLE,
};
use crate::engine::{OriginFailure, RequestDirectives, SelectingFields, Validators, VariantId};
use crate::request::PrimaryKey;
use crate::storage::Near;
use crate::storage::Record;
use crate::storage::StoredResponse;
use crate::storage::VariantIndex;
use crate::storage::{FarRecord, Unavailable};

/// How often something is read again after another process wrote it.
pub(super) const ATTEMPTS: usize = 4;
const A_MINUTE: Ttl = Ttl::from_secs(60);

/// A response that is to be stored, and what it was an answer to.
pub(crate) struct Commit<'a> {
    pub(crate) primary: &'a PrimaryKey,
    pub(crate) snapshot: &'a UriSnapshot,
    pub(crate) kind: CommitKind,
    /// Fields of the request that it may depend on without saying so.
    pub(crate) key_fields: &'a SelectingFields,
    /// The fields of the request.
    pub(crate) request: &'a HeaderMap,
}

/// Why a response is to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommitKind {
    /// It is a whole response: it takes the place of any older one.
    Response,
    /// The stored response was called current: it takes the place of that one alone.
    Update,
}

/// Where a variant stands in an index.
struct Position {
    index: Arc<VariantIndex>,
    variant: VariantId,
    /// The variant whose place it took.
    evicted: Option<VariantId>,
    /// Whether the index has to be written.
    is_new: bool,
}

/// What an index is written over: what is held of it, and on what condition.
type Replaceable = (Option<Arc<VariantIndex>>, Condition);

impl Storage {
    /// Stores a response, far and near, unless the URI was purged since the fetch began, or holds a newer
    /// one.
    pub(crate) async fn commit(
        &self,
        commit: Commit<'_>,
        mut entry: StoredResponse,
    ) -> (CommitOutcome, Arc<StoredResponse>) {
        let is_late = self.now().since(entry.exchange.sent) >= FETCH_LIMIT;
        let since = commit.snapshot.purges;
        let is_tagged = !is_late && self.tag(&mut entry, since).await.is_some();
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
            done.map_or(CommitOutcome::Refused, |()| CommitOutcome::Stored),
            entry,
        )
    }

    async fn store(&self, commit: &Commit<'_>, entry: &Arc<StoredResponse>) -> Option<()> {
        let snapshot = commit.snapshot;
        let selecting = SelectingFields::of(&entry.headers)?.union(commit.key_fields)?;
        let has_variants = !selecting.is_empty() || snapshot.index.is_some();
        if matches!(snapshot.held, Existing::Unknown) {
            return self.store_here(commit, has_variants, entry);
        }
        if has_variants {
            return self.store_variant(commit, selecting, entry).await;
        }
        let (key, now) = (commit.primary.far(), self.now());
        match self.replace(commit, &key, entry).await {
            Ok(version) => {
                let until = self.near_until(now);
                self.keep(
                    commit,
                    Record::Response(entry.clone()),
                    Some(version?),
                    until,
                );
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
        entry: &Arc<StoredResponse>,
    ) -> Option<()> {
        let key = commit.primary.as_bytes();
        let is_newest = match self.front.get(key, self.now()) {
            Some(Near {
                record: Record::Response(held),
                ..
            }) => entry.is_newer_than(&held),
            _ => true,
        };
        if has_variants || !is_newest {
            return None;
        }
        // Another process may have purged it since it was asked for.
        let until = self.near_until(entry.exchange.sent);
        let record = Record::Response(entry.clone());
        self.keep(commit, record, None, until).then_some(())
    }

    /// Keeps what the URI holds here.
    fn keep(
        &self,
        commit: &Commit<'_>,
        record: Record,
        version: Option<Version>,
        until: Timestamp,
    ) -> bool {
        let key = commit.primary.as_bytes();
        self.front
            .insert(key, record, version, until, commit.snapshot.generation)
    }

    /// Writes the only response of a URI. Returns its version, or None if the URI was purged since the
    /// fetch began, or holds a newer response.
    async fn replace(
        &self,
        commit: &Commit<'_>,
        key: &Key,
        entry: &Arc<StoredResponse>,
    ) -> Result<Option<Version>, Unavailable> {
        let (record, ttl) = (Record::Response(entry.clone()), self.ttl(entry));
        if let Existing::Version(version) = commit.snapshot.held {
            let condition = Condition::IfVersion(version);
            let written = self.far.put(key, &record, ttl, condition).await?;
            if written.is_some() || commit.kind == CommitKind::Update {
                return Ok(written);
            }
        }
        for _ in 0..ATTEMPTS {
            let Some((None, condition)) = self.ground(commit, key, entry).await? else {
                return Ok(None);
            };
            let written = self.far.put(key, &record, ttl, condition).await?;
            if written.is_some() {
                return Ok(written);
            }
        }
        Ok(None)
    }

    /// What a response may be stored over that is not what its fetch found: an older response, the
    /// index of variants, or a reservation. None if the URI was purged since the fetch began, or holds a
    /// newer response.
    async fn ground(
        &self,
        commit: &Commit<'_>,
        key: &Key,
        entry: &StoredResponse,
    ) -> Result<Option<Replaceable>, Unavailable> {
        let reserve = self
            .far
            .put(key, &Record::Reservation, RESERVED_FOR, Condition::IfAbsent);
        let (index, version) = match reserve.await? {
            Some(version) => (None, version),
            None => match self.far.get(key).await? {
                FarRecord::Record(Record::Variants(index), version) => (Some(index), version),
                FarRecord::Record(Record::Response(held), version)
                    if entry.is_newer_than(&held) =>
                {
                    (None, version)
                }
                FarRecord::Record(Record::Reservation, version)
                | FarRecord::Unreadable(version) => (None, version),
                FarRecord::Record(Record::Response(_), _) | FarRecord::Missing => return Ok(None),
            },
        };
        // After what is held: see the module.
        let is_not_purged = self
            .is_not_purged(commit.primary, commit.snapshot.purges)
            .await;
        Ok(is_not_purged.then_some((index, Condition::IfVersion(version))))
    }

    async fn store_variant(
        &self,
        commit: &Commit<'_>,
        selecting: SelectingFields,
        entry: &Arc<StoredResponse>,
    ) -> Option<()> {
        let key = commit.primary.far();
        let until = self.now().plus_micros(self.ttl(entry).as_micros());
        let mut ground = match commit.snapshot.held {
            Existing::Version(version) => {
                (commit.snapshot.index.clone(), Condition::IfVersion(version))
            }
            _ => self.ground(commit, &key, entry).await.ok()??,
        };
        for _ in 0..ATTEMPTS {
            let (held, condition) = ground;
            let position = self.place(held.as_ref(), &selecting, commit.request, until)?;
            if !position.is_new {
                return self.put_variant(commit, position, None, entry).await;
            }
            let written = self.write_index(commit, &position.index, condition).await?;
            if written.is_some() {
                return self.put_variant(commit, position, written, entry).await;
            }
            ground = self.ground(commit, &key, entry).await.ok()??;
        }
        None
    }

    /// The version of the index once it is written; nothing inside where the condition was not met.
    async fn write_index(
        &self,
        commit: &Commit<'_>,
        index: &Arc<VariantIndex>,
        condition: Condition,
    ) -> Option<Option<Version>> {
        let record = Record::Variants(index.clone());
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
        entry: &Arc<StoredResponse>,
    ) -> Option<()> {
        let Position {
            index,
            variant,
            evicted,
            ..
        } = position;
        if let Some(evicted) = evicted {
            self.front.remove(&index.near(evicted));
            // What is left ends by itself.
            let _ = self.far.remove(index.far(evicted)).await;
        }
        let now = self.now();
        let near = index.near(variant);
        let generation = self.front.generation(&near);
        let generation = generation.swept_as(commit.snapshot.generation);
        let known = commit.snapshot.index.as_ref();
        let held = match known {
            Some(known) if known.name == index.name => commit.snapshot.variant,
            _ => Existing::None,
        };
        let key = index.far(variant);
        let written_variant = self.replace_variant(commit, &key, held, entry).await;
        let version = written_variant.ok()??;
        let until = self.near_until(now);
        if written.is_some() {
            self.keep(commit, Record::Variants(index), written, until);
        }
        // Under the name of an index that is gone nobody finds it.
        let record = Record::Response(entry.clone());
        self.front
            .insert(&near, record, Some(version), until, generation);
        Some(())
    }

    /// Writes a variant, whose key is gone with its index when the URI is purged. Returns its version,
    /// or None if a newer response is there.
    async fn replace_variant(
        &self,
        commit: &Commit<'_>,
        key: &Key,
        held: Existing,
        entry: &Arc<StoredResponse>,
    ) -> Result<Option<Version>, Unavailable> {
        let (record, ttl) = (Record::Response(entry.clone()), self.ttl(entry));
        let mut condition = match held {
            Existing::Version(version) => Condition::IfVersion(version),
            Existing::None | Existing::Unknown => Condition::IfAbsent,
        };
        for _ in 0..ATTEMPTS {
            let written = self.far.put(key, &record, ttl, condition).await?;
            if written.is_some() || commit.kind == CommitKind::Update {
                return Ok(written);
            }
            condition = match self.far.get(key).await? {
                FarRecord::Missing => Condition::IfAbsent,
                FarRecord::Record(Record::Response(held), _) if !entry.is_newer_than(&held) => {
                    return Ok(None);
                }
                FarRecord::Record(_, version) | FarRecord::Unreadable(version) => {
                    Condition::IfVersion(version)
                }
            };
        }
        Ok(None)
    }

    /// Gives the variant of `request` a place in the index that is held, or in a new one.
    fn place(
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

    /// For how long the store keeps a response: as long as it may be served. Where it has a
    /// validator that is at least as long again as it was good for.
    pub(super) fn ttl(&self, entry: &StoredResponse) -> Ttl {
        let (rules, now) = (&entry.rules, self.now());
        let lifetime = rules.freshness.lifetime();
        let (least, most) = VALIDATABLE;
        let validatable = match Validators::of(&entry.headers).is_empty() {
            true => 0,
            false => lifetime.clamp(least, most),
        };
        let limit = self.stale_while_disconnected;
        let unasked = RequestDirectives::default();
        let coverable =
            match rules.may_serve_on_failure(&unasked, OriginFailure::Disconnected, limit, now) {
                true => limit.as_secs(),
                false => 0,
            };
        let stale = validatable.max(coverable);
        let stale = rules.freshness.remaining(now).saturating_add(stale);
        let kept = rules.usable(now).max(stale).min(MAX_STORED);
        Ttl::covering_micros(i64::try_from(kept).unwrap_or(0).saturating_mul(1_000_000))
    }
}
