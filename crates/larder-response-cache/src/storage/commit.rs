use std::sync::Arc;

use http::HeaderMap;
use larder_store::{Condition, Error, Key, Timestamp, Ttl, Version};

use super::{
    ATTEMPTS, Existing, FETCH_LIMIT, FarRecord, Record, Storage, StoredResponse, UriSnapshot,
    VariantIndex,
};
use crate::engine::{Refusal, SelectingFields};
use crate::request::PrimaryKey;

/// How long a URI stays reserved for a response that is about to be stored.
const RESERVED_FOR: Ttl = Ttl::from_secs(10);

/// The request and the fetch that a response is stored for.
pub(crate) struct Commit<'a> {
    pub(crate) key: &'a PrimaryKey,
    pub(crate) snapshot: &'a UriSnapshot,
    pub(crate) kind: CommitKind,
    /// Request headers that select the response, in addition to those of its `Vary`.
    pub(crate) key_fields: &'a SelectingFields,
    /// The headers of the request.
    pub(crate) request: &'a HeaderMap,
}

/// Which stored responses a response replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommitKind {
    /// It is a complete response, and replaces any older one.
    Response,
    /// It is the stored response, updated by a 304, and replaces only that one.
    Update,
}

/// Whether a response was stored.
pub(crate) type CommitOutcome = Result<(), NotStored>;

/// Why a response was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotStored {
    /// It was purged or replaced while it was fetched. Another response may be there.
    Superseded,
    /// There is no room for it, or the store gave no answer.
    NoRoom,
    /// The origin took so long that purges since the request may be forgotten.
    TimedOut,
    /// It may not be stored.
    Refused(Refusal),
}

impl NotStored {
    /// Returns the `detail` for `Cache-Status`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Superseded => "outdated",
            Self::NoRoom => "storage",
            Self::TimedOut => "timeout",
            Self::Refused(refusal) => refusal.as_str(),
        }
    }
}

impl From<Error> for NotStored {
    fn from(_: Error) -> Self {
        Self::NoRoom
    }
}

impl Commit<'_> {
    /// Returns the request headers that select the response.
    pub(super) fn selecting(
        &self,
        response: &StoredResponse,
    ) -> Result<SelectingFields, NotStored> {
        let selecting = SelectingFields::of(&response.headers);
        let selecting = selecting.and_then(|fields| fields.union(self.key_fields));
        selecting.ok_or(NotStored::Refused(Refusal::Vary))
    }
}

/// The index that a response may be added to, if there is one, and the condition of the write.
pub(super) type Replaceable = (Option<Arc<VariantIndex>>, Condition);

impl Storage {
    /// Stores a response in the store and in this process.
    ///
    /// It is refused if the URI or one of its tags was purged since the fetch began, if the URI holds a newer
    /// response, or if the fetch took too long.
    pub(crate) async fn commit(
        &self,
        commit: Commit<'_>,
        mut response: StoredResponse,
    ) -> (CommitOutcome, Arc<StoredResponse>) {
        // Before the tags are read, since another process may purge one of them right after that.
        let now = self.now();
        let is_late = now.since(response.exchange.sent) >= FETCH_LIMIT;
        let tagged = match is_late {
            true => Err(NotStored::TimedOut),
            false => self.tag(&mut response, commit.snapshot.purges).await,
        };
        let response = Arc::new(response);
        let outcome = match tagged {
            Ok(()) => self.store(&commit, &response, now).await,
            // The store does not say whether a tag was purged. In this process, a purge finds it by its tags.
            Err(NotStored::NoRoom) => self.store_near_only(&commit, &response),
            Err(not_stored) => Err(not_stored),
        };
        match outcome {
            Ok(()) => self.metrics.stored(),
            Err(NotStored::Superseded) => self.metrics.outdated(),
            Err(NotStored::NoRoom | NotStored::TimedOut | NotStored::Refused(_)) => {}
        }
        if outcome == Err(NotStored::Superseded) {
            self.forget_older(commit.key.as_bytes(), &response);
        }
        (outcome, response)
    }

    /// Stores a response whose tags were read after `now`.
    async fn store(
        &self,
        commit: &Commit<'_>,
        response: &Arc<StoredResponse>,
        now: Timestamp,
    ) -> CommitOutcome {
        let snapshot = commit.snapshot;
        if matches!(snapshot.held, Existing::Unknown) {
            return self.store_near_only(commit, response);
        }
        let selecting = commit.selecting(response)?;
        if !selecting.is_empty() || snapshot.index.is_some() {
            return self.store_variant(commit, selecting, response, now).await;
        }
        match self.replace(commit, response).await {
            Ok(version) => {
                let (key, generation) = (commit.key.as_bytes(), snapshot.generation);
                self.put_near_unless_newer(key, response, version, now, generation);
                Ok(())
            }
            // The response is too large for the store, or the store failed.
            Err(NotStored::NoRoom) => self.store_near_only(commit, response),
            Err(not_stored) => Err(not_stored),
        }
    }

    /// Writes the only response of a URI, and returns its version.
    async fn replace(
        &self,
        commit: &Commit<'_>,
        response: &Arc<StoredResponse>,
    ) -> Result<Version, NotStored> {
        let (key, ttl) = (commit.key.far_key(), self.ttl(response));
        let record = Record::Response(response.clone());
        if let Existing::Version(version) = commit.snapshot.held {
            let condition = Condition::IfVersion(version);
            let written = self.far.put(&key, &record, ttl, condition).await?;
            if written.is_some() || commit.kind == CommitKind::Update {
                return written.ok_or(NotStored::Superseded);
            }
        }
        for _ in 0..ATTEMPTS {
            let (None, condition) = self.replaceable(commit, &key, response).await? else {
                break;
            };
            if let Some(version) = self.far.put(&key, &record, ttl, condition).await? {
                return Ok(version);
            }
        }
        Err(NotStored::Superseded)
    }

    /// Finds what a response may replace, other than what its fetch found.
    ///
    /// That is an older response, the index of variants, or a reservation. The response is superseded if
    /// the URI was purged since the fetch began, or holds a newer response, or a fresh one and this is an error.
    pub(super) async fn replaceable(
        &self,
        commit: &Commit<'_>,
        key: &Key,
        response: &StoredResponse,
    ) -> Result<Replaceable, NotStored> {
        let condition = Condition::IfAbsent;
        let reserve = self
            .far
            .put(key, &Record::Reservation, RESERVED_FOR, condition);
        let (index, version) = match reserve.await? {
            Some(version) => (None, version),
            None => match self.far.get(key).await? {
                FarRecord::Record(Record::Variants(index), version) => (Some(index), version),
                FarRecord::Record(Record::Response(held), version)
                    if response.replaces(&held, self.now()) =>
                {
                    (None, version)
                }
                FarRecord::Record(Record::Reservation, version)
                | FarRecord::Unreadable(version) => (None, version),
                FarRecord::Record(Record::Response(_), _) | FarRecord::Missing => {
                    return Err(NotStored::Superseded);
                }
            },
        };
        // After the version was read: see the module.
        self.check_not_purged(commit.key, commit.snapshot.purges)
            .await?;
        Ok((index, Condition::IfVersion(version)))
    }
}
