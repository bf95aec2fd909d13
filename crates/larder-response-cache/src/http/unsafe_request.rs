use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use tokio::runtime::Handle;

use crate::engine::targets;
use crate::request::Origin;
use crate::run_to_completion::run_to_completion;
use crate::state::CacheState;

/// An unsafe request, until what it makes invalid is removed (RFC 9111, 4.4).
///
/// Where it is dropped before its response came, nobody knows whether it changed anything. Then what
/// is stored for its URI is removed: to ask the origin once more is right in either case.
pub(crate) struct UnsafeRequest {
    cache: Arc<CacheState>,
    origin: Option<Origin>,
}

impl UnsafeRequest {
    pub(crate) fn new(cache: Arc<CacheState>, origin: Origin) -> Self {
        Self {
            cache,
            origin: Some(origin),
        }
    }

    /// Removes what the response makes invalid, before the response is sent on: who made the change
    /// sees it at the next request.
    pub(crate) async fn ended(mut self, status: StatusCode, response: &HeaderMap) {
        let Some(origin) = self.origin.take() else {
            return;
        };
        let targets = |scheme: &str| targets(scheme, &origin.host, &origin.path, status, response);
        let mut paths = targets(origin.scheme.as_str());
        if self.cache.scheme.is_some() {
            // Whatever scheme a field names, requests for its URI have the declared one.
            paths.extend(["http", "https"].into_iter().flat_map(targets));
            paths.sort_unstable();
            paths.dedup();
        }
        if !paths.is_empty() {
            run_to_completion(remove(self.cache.clone(), origin, paths)).await;
        }
    }

    /// The same where there was no response.
    pub(crate) async fn ended_in_doubt(mut self) {
        if let Some(origin) = self.origin.take() {
            let paths = vec![origin.path.clone()];
            run_to_completion(remove(self.cache.clone(), origin, paths)).await;
        }
    }
}

impl Drop for UnsafeRequest {
    fn drop(&mut self) {
        if let (Some(origin), Ok(runtime)) = (self.origin.take(), Handle::try_current()) {
            let paths = vec![origin.path.clone()];
            runtime.spawn(remove(self.cache.clone(), origin, paths));
        }
    }
}

async fn remove(cache: Arc<CacheState>, origin: Origin, paths: Vec<String>) {
    for path in paths {
        let path = cache.query.path(&path);
        let primary = origin.primary(cache.policy.profile, &path);
        // A store that fails was counted, and cannot be told.
        let _ = cache.storage.purge(&primary).await;
    }
}
