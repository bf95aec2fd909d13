use std::sync::Arc;

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, Response, StatusCode};
use http_body::Body;

use super::forward::{FetchMode, Miss};
use crate::engine::{is_not_modified, not_modified};
use crate::response::{CacheStatus, ResponseCacheBody};
use crate::state::CacheState;

/// The client's preconditions, if the request was forwarded without them.
pub(super) struct ClientConditions {
    cache: Arc<CacheState>,
    headers: Option<HeaderMap>,
}

impl ClientConditions {
    pub(super) fn of(miss: &Miss) -> Self {
        let is_complete = miss.mode == FetchMode::Complete && miss.request.is_conditional;
        Self {
            cache: miss.cache.clone(),
            headers: is_complete.then(|| miss.headers.clone()),
        }
    }

    /// Makes the client's response: a 304 if the client already has it (RFC 9110, 13.2.2).
    pub(super) fn respond<B: Body<Data = Bytes>>(
        &self,
        mut parts: Parts,
        mut body: ResponseCacheBody<B>,
        cache_status: CacheStatus,
    ) -> Response<ResponseCacheBody<B>> {
        let has_it = |request| is_not_modified(request, parts.status, &parts.headers);
        if self.headers.as_ref().is_some_and(has_it) {
            parts.status = StatusCode::NOT_MODIFIED;
            parts.headers = not_modified(&parts.headers);
            body = ResponseCacheBody::whole(Bytes::new());
        }
        cache_status.add(&self.cache.name, &mut parts.headers);
        Response::from_parts(parts, body)
    }
}
