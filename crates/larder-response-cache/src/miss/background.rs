use std::sync::Arc;

use super::flights::FetchOutcome;
use crate::state::CacheState;

/// A validation in the background, of a response that has been served already.
///
/// If its response is not stored, the origin is left alone for a moment, also if the validation times out or panics.
pub(super) struct Background {
    cache: Arc<CacheState>,
    /// The flight key of the response. None once the validation has ended.
    key: Option<Vec<u8>>,
}

impl Background {
    pub(super) fn new(cache: Arc<CacheState>, key: &[u8]) -> Self {
        let key = Some(key.to_vec());
        Self { cache, key }
    }

    pub(super) fn end(&mut self, outcome: FetchOutcome) {
        let key = self.key.take();
        if let Some(key) = key.filter(|_| outcome != FetchOutcome::Stored) {
            self.cache.failed.mark(&key, self.cache.storage.now());
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.end(FetchOutcome::NotShared);
    }
}
