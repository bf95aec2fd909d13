use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, Response, StatusCode};
use http_body::Body;

use super::forward::{FetchMode, Miss};
use crate::engine::{is_not_modified, not_modified};
use crate::response::CacheStatus;
use crate::response::ResponseBody;
use crate::state::CacheState;
use std::sync::Arc;

/// How the response of the inner service is sent to the client.
pub(super) struct ClientConditions {
    cache: Arc<CacheState>,
    /// The fields of a request whose conditions did not go to the inner service.
    conditions: Option<HeaderMap>,
}

impl ClientConditions {
    pub(super) fn new(forwarding: &Miss) -> Self {
        let is_whole =
            forwarding.aim == FetchMode::Complete && forwarding.cache_request.is_conditional;
        Self {
            cache: forwarding.cache.clone(),
            conditions: is_whole.then(|| forwarding.headers.clone()),
        }
    }

    /// The response, or a 304 where the client has it already (RFC 9110, 13.2.2).
    pub(super) fn with<B: Body<Data = Bytes>>(
        &self,
        mut parts: Parts,
        mut body: ResponseBody<B>,
        cache_status: CacheStatus,
    ) -> Response<ResponseBody<B>> {
        let has_it = |request| is_not_modified(request, parts.status, &parts.headers);
        if self.conditions.as_ref().is_some_and(has_it) {
            parts.status = StatusCode::NOT_MODIFIED;
            parts.headers = not_modified(&parts.headers);
            body = ResponseBody::whole(Bytes::new());
        }
        cache_status.add(&self.cache.name, &mut parts.headers);
        Response::from_parts(parts, body)
    }
}
