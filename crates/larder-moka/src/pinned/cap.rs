use std::sync::atomic::{AtomicUsize, Ordering};

use larder_store::{Error, ErrorKind, Kind, Refusal};

/// The maximum and the current number of keys of a kind, or of one partition of it.
///
/// A key is reserved before it is stored and released after it is removed, both under the lock of
/// its shard. So the count is never less than the number of stored keys.
pub(super) struct Cap {
    limit: usize,
    held: AtomicUsize,
}

impl Cap {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            held: AtomicUsize::new(0),
        }
    }

    /// Reserves room for one key. Returns false if there is none.
    pub(super) fn reserve(&self) -> bool {
        let more = |held| (held < self.limit).then_some(held + 1);
        self.held
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more)
            .is_ok()
    }

    /// Releases the room of one key.
    pub(super) fn release(&self) {
        self.held.fetch_sub(1, Ordering::AcqRel);
    }

    pub(super) fn has_room(&self) -> bool {
        self.held() < self.limit
    }

    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Acquire)
    }

    pub(super) fn full(&self, operation: &'static str, kind: Kind) -> Error {
        Error::new(
            operation,
            ErrorKind::Refused(Refusal::Full),
            format!(
                "{} '{}' holds its maximum of {} keys, and none has expired: \
                 raise it with MokaStore::builder().with_max_keys_of(kind, keys)",
                match kind.is_partitioned() {
                    true => "a partition of kind",
                    false => "kind",
                },
                kind.name(),
                self.limit
            ),
        )
    }
}
