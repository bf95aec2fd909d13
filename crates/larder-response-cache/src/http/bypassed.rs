use std::sync::Arc;

use http::Response;
use http_body::Body;

use crate::request::BypassReason;
use crate::response::ResponseBody;
use crate::response::{CacheStatus, ForwardReason};
use crate::state::CacheState;

/// What is said of a response that passes the cache (RFC 9211): that it did, and why.
pub(crate) struct BypassedResponse {
    cache: Arc<CacheState>,
    reason: BypassReason,
}

impl BypassedResponse {
    pub(crate) fn new(cache: &Arc<CacheState>, reason: BypassReason) -> Self {
        Self {
            cache: cache.clone(),
            reason,
        }
    }

    /// The response, with its body as it is.
    pub(crate) fn on<B: Body>(&self, mut response: Response<B>) -> Response<ResponseBody<B>> {
        let status = response.status();
        // A switch of protocols is the end of HTTP.
        if let Some(detail) = self.reason.as_str().filter(|_| !status.is_informational()) {
            let reason = match self.reason {
                BypassReason::Method => ForwardReason::Method,
                _ => ForwardReason::Bypass,
            };
            let cache_status = CacheStatus::not_stored(reason, Some(status), detail);
            cache_status.add(&self.cache.name, response.headers_mut());
        }
        response.map(ResponseBody::through)
    }
}
