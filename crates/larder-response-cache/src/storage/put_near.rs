use std::sync::Arc;

use larder_layer::{Generation, Held};
use larder_store::{Timestamp, Version};

use super::{NearRecord, Record, Storage, StoredResponse};

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
}
