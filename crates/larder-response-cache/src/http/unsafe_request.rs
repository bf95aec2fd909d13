use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use tokio::runtime::Handle;

use crate::engine::invalidated_paths;
use crate::request::OwnedTarget;
use crate::run_to_completion::run_to_completion;
use crate::state::CacheState;

/// An unsafe request, until the responses that it invalidates are removed (RFC 9111, 4.4).
///
/// If it is dropped before its response came, it is unknown whether it changed anything. Then the
/// response that is stored for its URI is removed: fetching it again does no harm.
pub(super) struct UnsafeRequest {
    cache: Arc<CacheState>,
    /// None once it has been handled.
    target: Option<OwnedTarget>,
}

impl UnsafeRequest {
    pub(super) fn new(cache: Arc<CacheState>, target: OwnedTarget) -> Self {
        Self {
            cache,
            target: Some(target),
        }
    }

    /// Removes what the response invalidates.
    ///
    /// It is awaited before the response is sent, so that the client sees its change at its next request.
    pub(super) async fn answered(mut self, status: StatusCode, response: &HeaderMap) {
        let Some(target) = self.target.take() else {
            return;
        };
        let paths_for =
            |scheme: &str| invalidated_paths(scheme, &target.host, &target.path, status, response);
        let mut paths = paths_for(target.scheme.as_str());
        if self.cache.requests.scheme.is_some() {
            // Requests for a URI have the declared scheme, whichever the response names.
            paths.extend(["http", "https"].into_iter().flat_map(paths_for));
            paths.sort_unstable();
            paths.dedup();
        }
        if !paths.is_empty() {
            run_to_completion(remove(self.cache.clone(), target, paths)).await;
        }
    }

    /// Removes the response for its own URI, because there was no answer.
    pub(super) async fn failed(mut self) {
        if let Some(removal) = self.remove_own() {
            run_to_completion(removal).await;
        }
    }

    fn remove_own(&mut self) -> Option<impl Future<Output = ()> + Send + use<>> {
        let target = self.target.take()?;
        let paths = vec![target.path.clone()];
        Some(remove(self.cache.clone(), target, paths))
    }
}

impl Drop for UnsafeRequest {
    fn drop(&mut self) {
        if let (Some(removal), Ok(runtime)) = (self.remove_own(), Handle::try_current()) {
            runtime.spawn(removal);
        }
    }
}

async fn remove(cache: Arc<CacheState>, target: OwnedTarget, paths: Vec<String>) {
    for path in paths {
        let key = cache.requests.key_at(&target, &path);
        cache.invalidate(key).await;
    }
}
