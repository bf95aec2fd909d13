use std::hash::BuildHasher;

use foldhash::quality::RandomState;
use larder_layer::StoreTimeout;
use larder_store::{Key, Result};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The number of locks. More of them only make waiting for another key rarer.
const LOCKS: usize = 256;

/// Keeps an insert or a removal from overtaking the write of an older loaded value.
///
/// If a write of a loaded value has begun, it ends before the change reaches the store; if not, it
/// finds that its load is too old. Keys share locks, so a change may wait for the write of another
/// key, for at most the store timeout. Then it fails, and is retried as a removal.
pub(crate) struct WriteLocks {
    locks: Box<[RwLock<()>]>,
    hasher: RandomState,
}

impl WriteLocks {
    pub(crate) fn new() -> Self {
        Self {
            locks: std::iter::repeat_with(|| RwLock::new(()))
                .take(LOCKS)
                .collect(),
            hasher: RandomState::default(),
        }
    }

    /// Waits until a loaded value may be written. Such writes run concurrently.
    pub(crate) async fn for_load(
        &self,
        timeout: StoreTimeout,
        key: &Key,
    ) -> Result<RwLockReadGuard<'_, ()>> {
        timeout.lock("put", self.of(key).read()).await
    }

    /// Waits until the key may be changed by a call, which runs alone.
    pub(crate) async fn for_change(
        &self,
        timeout: StoreTimeout,
        operation: &'static str,
        key: &Key,
    ) -> Result<RwLockWriteGuard<'_, ()>> {
        timeout.lock(operation, self.of(key).write()).await
    }

    /// Waits until many keys may be changed.
    pub(crate) async fn for_changes(
        &self,
        timeout: StoreTimeout,
        operation: &'static str,
        keys: &[Key],
    ) -> Result<Vec<RwLockWriteGuard<'_, ()>>> {
        // Sorted and without duplicates, so that two callers cannot wait for each other.
        let mut all: Vec<_> = keys.iter().map(|key| self.index(key)).collect();
        all.sort_unstable();
        all.dedup();
        let locks = async {
            let mut held = Vec::with_capacity(all.len());
            for at in all {
                held.push(self.locks[at].write().await);
            }
            held
        };
        timeout.lock(operation, locks).await
    }

    fn of(&self, key: &Key) -> &RwLock<()> {
        &self.locks[self.index(key)]
    }

    fn index(&self, key: &Key) -> usize {
        self.hasher.hash_one(key) as usize % LOCKS
    }
}
