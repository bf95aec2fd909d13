use std::sync::Arc;

use larder_layer::{Generation, Held};
use larder_store::{Timestamp, Version};

use super::commit::{Commit, CommitKind, CommitOutcome, NotStored};
use super::{NearRecord, Record, Storage, StoredResponse};
use crate::engine::Refusal;

impl Storage {
    /// Keeps a record in this process, unless its key was invalidated since `generation`.
    pub(super) fn put_near(
        &self,
        key: &[u8],
        record: Record,
        version: Option<Version>,
        until: Timestamp,
        generation: Generation,
    ) {
        let near = NearRecord { record, version };
        self.near
            .insert_if_unchanged(key.into(), near, until, generation);
    }

    /// Keeps a response in this process that has just been stored. `now` is a time before it was.
    ///
    /// A newer response that this process holds already stays: its commit has overtaken this one.
    pub(super) fn put_near_unless_newer(
        &self,
        key: &[u8],
        response: &Arc<StoredResponse>,
        version: Version,
        now: Timestamp,
        generation: Generation,
    ) {
        let value = NearRecord {
            record: Record::Response(response.clone()),
            version: Some(version),
        };
        let deadline = self.near_until(now);
        let is_newer = |held: Held<NearRecord>| match held.value.record {
            Record::Response(newer) => now < held.deadline && newer.is_newer_than(response),
            _ => false,
        };
        let replace = |held: Option<Held<NearRecord>>| {
            let is_kept = held.is_some_and(is_newer);
            (!is_kept).then_some(Held { value, deadline })
        };
        self.near
            .update_if_unchanged(&key.into(), generation, replace);
    }

    /// Stores a response without variants only in this process.
    pub(super) fn store_near_only(
        &self,
        commit: &Commit<'_>,
        response: &Arc<StoredResponse>,
    ) -> CommitOutcome {
        if !commit.selecting(response)?.is_empty() || commit.snapshot.index.is_some() {
            return Err(NotStored::NoRoom);
        }
        let (key, now) = (commit.key.as_bytes(), self.now());
        // If nothing is replaced, the URI holds a response that stays, or may have been purged since the fetch
        // began: purges of several URIs, and those of all tags, are counted together.
        let mut outcome = Err(NotStored::Superseded);
        let replace = |held: Option<Held<NearRecord>>| {
            let has_variants = (held.as_ref())
                .is_some_and(|held| matches!(held.value.record, Record::Variants(_)));
            if has_variants && !response.replaces_variants() {
                outcome = Err(NotStored::Refused(Refusal::Status));
                return None;
            }
            let before = held.and_then(response_of);
            if (before.as_ref()).is_some_and(|(held, _)| !response.replaces(held, now)) {
                return None;
            }
            outcome = Err(NotStored::NoRoom);
            // Another process may have purged it since its request was sent.
            let mut deadline = self.near_until(response.exchange.sent);
            if commit.kind == CommitKind::Update {
                // Or since the store was last read, before it was validated.
                deadline = deadline.min(before.map_or(now, |(_, deadline)| deadline));
            }
            let value = NearRecord {
                record: Record::Response(response.clone()),
                version: None,
            };
            (now < deadline).then_some(Held { value, deadline })
        };
        let generation = commit.snapshot.generation;
        if !(self.near).update_if_unchanged(&key.into(), generation, replace) {
            return outcome;
        }
        // It is not kept if it is too large.
        match self.near.peek(key).and_then(response_of) {
            Some((held, _)) if Arc::ptr_eq(&held, response) => Ok(()),
            _ => Err(NotStored::NoRoom),
        }
    }

    /// Removes what this process holds for a URI that has lost or replaced it, unless `response`, which is
    /// superseded, does not replace it either. Then it may be the newest.
    pub(super) fn forget_older(&self, key: &[u8], response: &StoredResponse) {
        let is_replaced = |held: Held<NearRecord>| match held.value.record {
            Record::Response(held) => response.replaces(&held, self.now()),
            Record::Variants(_) => response.replaces_variants(),
            Record::Reservation => true,
        };
        if self.near.peek(key).is_some_and(is_replaced) {
            self.near.invalidate(key);
        }
    }
}

/// Returns the response that this process holds, with its deadline.
fn response_of(held: Held<NearRecord>) -> Option<(Arc<StoredResponse>, Timestamp)> {
    match held.value.record {
        Record::Response(response) => Some((response, held.deadline)),
        _ => None,
    }
}
