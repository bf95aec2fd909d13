use std::sync::Arc;

use http::Response;
use http_body::Body;

use crate::body::ResponseBody;
use crate::cache_status::{CacheStatus, Forward};
use crate::scan::Bypass;
use crate::shared::Shared;

/// What is said of a response that passes the cache (RFC 9211): that it did, and why.
pub(crate) struct Passing {
    shared: Arc<Shared>,
    why: Bypass,
}

impl Passing {
    pub(crate) fn new(shared: &Arc<Shared>, why: Bypass) -> Self {
        Self {
            shared: shared.clone(),
            why,
        }
    }

    /// The response, with its body as it is.
    pub(crate) fn on<B: Body>(&self, mut response: Response<B>) -> Response<ResponseBody<B>> {
        let status = response.status();
        // A switch of protocols is the end of HTTP.
        if let Some(detail) = self.why.as_str().filter(|_| !status.is_informational()) {
            let why = match self.why {
                Bypass::Method => Forward::Method,
                _ => Forward::Bypass,
            };
            let how = CacheStatus::not_stored(why, Some(status), detail);
            how.add(&self.shared.name, response.headers_mut());
        }
        response.map(ResponseBody::through)
    }
}
