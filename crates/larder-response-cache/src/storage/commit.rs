use std::sync::Arc;

use http::HeaderMap;
use larder_store::{Condition, Key, Timestamp, Ttl, Version};

use super::{
    ATTEMPTS, Existing, FETCH_LIMIT, FarRecord, Record, Storage, StoredResponse, Unavailable,
    UriSnapshot, VariantIndex,
};
use crate::engine::SelectingFields;
use crate::request::PrimaryKey;

/// How long a URI is reserved for a response that is about to be stored.
const RESERVED_FOR: Ttl = Ttl::from_secs(10);

/// The request and the fetch that a response is stored for.
pub(crate) struct Commit<'a> {
    pub(crate) key: &'a PrimaryKey,
    pub(crate) snapshot: &'a UriSnapshot,
    pub(crate) kind: CommitKind,
    /// Request headers that select the response, beside those of its `Vary`.
    pub(crate) key_fields: &'a SelectingFields,
    /// The headers of the request.
    pub(crate) request: &'a HeaderMap,
}

/// Which stored responses a response replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommitKind {
    /// It is a complete response, and replaces any older one.
    Response,
    /// It is the stored response, updated by a 304, and replaces that one alone.
    Update,
}

/// Whether a response was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommitOutcome {
    Stored,
    /// It was purged or replaced while it was fetched, or there is no room for it.
    Refused,
}

/// The index that a response may be added to, if there is one, and the condition of the write.
pub(super) type Replaceable = (Option<Arc<VariantIndex>>, Condition);

impl Storage {
    /// Stores a response in the store and in this process.
    ///
    /// It is refused if the URI was purged since the fetch began, or holds a newer response.
    pub(crate) async fn commit(
        &self,
        commit: Commit<'_>,
        mut response: StoredResponse,
    ) -> (CommitOutcome, Arc<StoredResponse>) {
        let is_late = self.now().since(response.exchange.sent) >= FETCH_LIMIT;
        let purges = commit.snapshot.purges;
        let is_tagged = !is_late && self.tag(&mut response, purges).await.is_some();
        let response = Arc::new(response);
        let is_stored = is_tagged && self.store(&commit, &response).await.is_some();
        if is_stored {
            self.metrics.stored();
            (CommitOutcome::Stored, response)
        } else {
            self.metrics.outdated();
            (CommitOutcome::Refused, response)
        }
    }

    async fn store(&self, commit: &Commit<'_>, response: &Arc<StoredResponse>) -> Option<()> {
        let snapshot = commit.snapshot;
        let selecting = SelectingFields::of(&response.headers)?.union(commit.key_fields)?;
        let has_variants = !selecting.is_empty() || snapshot.index.is_some();
        if matches!(snapshot.held, Existing::Unknown) {
            return self.store_near_only(commit, has_variants, response);
        }
        if has_variants {
            return self.store_variant(commit, selecting, response).await;
        }
        let now = self.now();
        match self.replace(commit, response).await {
            Ok(version) => {
                let until = self.near_until(now);
                let record = Record::Response(response.clone());
                self.put_near_for(commit, record, Some(version?), until);
                Some(())
            }
            // The response is too large for the store, or the store failed.
            Err(Unavailable) => self.store_near_only(commit, has_variants, response),
        }
    }

    /// Stores a response without variants in this process alone.
    fn store_near_only(
        &self,
        commit: &Commit<'_>,
        has_variants: bool,
        response: &Arc<StoredResponse>,
    ) -> Option<()> {
        let key = commit.key.as_bytes();
        let held = || match self.near.get(key)?.value.record {
            Record::Response(held) => Some(held),
            _ => None,
        };
        if has_variants || held().is_some_and(|held| !response.is_newer_than(&held)) {
            return None;
        }
        // Another process may have purged it since its request was sent.
        let until = self.near_until(response.exchange.sent);
        self.put_near_for(commit, Record::Response(response.clone()), None, until);
        // It is not kept if it is too heavy, or was purged.
        held().filter(|held| Arc::ptr_eq(held, response)).map(drop)
    }

    /// Keeps what the URI holds in this process, unless the URI was purged since the fetch began.
    pub(super) fn put_near_for(
        &self,
        commit: &Commit<'_>,
        record: Record,
        version: Option<Version>,
        until: Timestamp,
    ) {
        let (key, generation) = (commit.key.as_bytes(), commit.snapshot.generation);
        self.put_near(key, record, version, until, generation);
    }

    /// Writes the only response of a URI.
    ///
    /// Returns its version, or None if the URI was purged since the fetch began, or holds a newer one.
    async fn replace(
        &self,
        commit: &Commit<'_>,
        response: &Arc<StoredResponse>,
    ) -> Result<Option<Version>, Unavailable> {
        let (key, ttl) = (commit.key.far_key(), self.ttl(response));
        let record = Record::Response(response.clone());
        if let Existing::Version(version) = commit.snapshot.held {
            let condition = Condition::IfVersion(version);
            let written = self.far.put(&key, &record, ttl, condition).await?;
            if written.is_some() || commit.kind == CommitKind::Update {
                return Ok(written);
            }
        }
        for _ in 0..ATTEMPTS {
            let Some((None, condition)) = self.replaceable(commit, &key, response).await? else {
                return Ok(None);
            };
            let written = self.far.put(&key, &record, ttl, condition).await?;
            if written.is_some() {
                return Ok(written);
            }
        }
        Ok(None)
    }

    /// Finds what a response may replace, other than what its fetch found.
    ///
    /// That is an older response, the index of variants, or a reservation. Returns None if the URI was
    /// purged since the fetch began, or holds a newer response.
    pub(super) async fn replaceable(
        &self,
        commit: &Commit<'_>,
        key: &Key,
        response: &StoredResponse,
    ) -> Result<Option<Replaceable>, Unavailable> {
        let condition = Condition::IfAbsent;
        let reserve = self
            .far
            .put(key, &Record::Reservation, RESERVED_FOR, condition);
        let (index, version) = match reserve.await? {
            Some(version) => (None, version),
            None => match self.far.get(key).await? {
                FarRecord::Record(Record::Variants(index), version) => (Some(index), version),
                FarRecord::Record(Record::Response(held), version)
                    if response.is_newer_than(&held) =>
                {
                    (None, version)
                }
                FarRecord::Record(Record::Reservation, version)
                | FarRecord::Unreadable(version) => (None, version),
                FarRecord::Record(Record::Response(_), _) | FarRecord::Missing => return Ok(None),
            },
        };
        // After the version was read: see the module.
        let is_not_purged = self.is_not_purged(commit.key, commit.snapshot.purges).await;
        Ok(is_not_purged.then_some((index, Condition::IfVersion(version))))
    }
}
