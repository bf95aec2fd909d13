use std::sync::Arc;

use http::Response;
use http_body::Body;

use crate::request::BypassReason;
use crate::response::{CacheStatus, ForwardReason, ResponseCacheBody};
use crate::state::CacheState;

/// Marks the response to a request that bypassed the cache (RFC 9211).
pub(super) struct BypassedResponse {
    cache: Arc<CacheState>,
    reason: BypassReason,
}

impl BypassedResponse {
    pub(super) fn new(cache: &Arc<CacheState>, reason: BypassReason) -> Self {
        Self {
            cache: cache.clone(),
            reason,
        }
    }

    /// Returns the response, with its body unchanged.
    pub(super) fn mark<B: Body>(
        &self,
        mut response: Response<B>,
    ) -> Response<ResponseCacheBody<B>> {
        let status = response.status();
        // After a switch of protocols there is no HTTP.
        let detail = self.reason.as_str();
        if let Some(detail) = detail.filter(|_| !status.is_informational()) {
            let reason = match self.reason {
                BypassReason::Method => ForwardReason::Method,
                _ => ForwardReason::Bypass,
            };
            let cache_status = CacheStatus::not_stored(reason, Some(status), detail);
            cache_status.add(&self.cache.name, response.headers_mut());
        }
        response.map(ResponseCacheBody::inner)
    }
}
