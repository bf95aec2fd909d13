use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use super::background::Background;
use super::flights::{FetchLeader, FetchOutcome};
use crate::engine::{Exchange, OriginFailure, Validators};
use crate::metrics::Outcome;
use crate::request::CacheRequest;
use crate::response::{CacheStatus, ForwardReason, ResponseCacheBody};
use crate::state::CacheState;
use crate::storage::Found;

/// A request on its way to the inner service.
pub(super) struct Miss {
    pub(super) cache: Arc<CacheState>,
    pub(super) request: CacheRequest,
    /// The client's own headers, without preconditions of this cache.
    pub(super) headers: HeaderMap,
    pub(super) found: Found,
    /// Set if it only validates. It stands before the leader, so that it is dropped first: then others may ask again.
    pub(super) background: Option<Background>,
    /// None if no other request may wait for the response.
    pub(super) leader: Option<FetchLeader>,
    pub(super) reason: ForwardReason,
    pub(super) mode: FetchMode,
}

/// How a request is forwarded to the inner service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FetchMode {
    /// As the client sent it, with the client's preconditions.
    AsRequested,
    /// For the complete response, so that it can be stored. The cache then applies the client's
    /// preconditions.
    Complete,
}

impl Miss {
    /// Sends the request to the inner service, and makes the client's response.
    pub(super) async fn forward<S, ReqBody, ResBody>(
        mut self,
        mut inner: S,
        mut request: Request<ReqBody>,
    ) -> Result<Response<ResponseCacheBody<ResBody>>, S::Error>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>>,
        ResBody: Body<Data = Bytes> + Send + 'static,
        ResBody::Error: Send + 'static,
    {
        let is_validation = !self.request.is_head && self.validate(request.headers_mut());
        if is_validation {
            // The preconditions of the fetch have replaced the client's.
            self.mode = FetchMode::Complete;
        } else if self.mode == FetchMode::Complete {
            Validators::default().apply(request.headers_mut());
        }
        let (storage, snapshot) = (&self.cache.storage, &mut self.found.snapshot);
        let sent = storage.begin_fetch(&self.request.key, snapshot).await;
        let result = inner.call(request).await;
        let exchange = Exchange {
            sent,
            received: self.cache.storage.now(),
        };
        let response = match result {
            Ok(response) => response,
            Err(error) => {
                let failure = OriginFailure::Disconnected;
                self.look_again().await;
                self.end(FetchOutcome::Failed(failure, None));
                return self.serve_on_failure(failure, None).ok_or(error);
            }
        };
        let status = response.status();
        if is_validation && status == StatusCode::NOT_MODIFIED {
            return Ok(self.freshen(response.headers(), exchange).await);
        }
        if let Some(failure) = OriginFailure::of(status) {
            self.look_again().await;
            // The requests that wait have the same stale response, if there is one.
            if self.found.response.is_some() {
                self.end(FetchOutcome::Failed(failure, Some(status)));
            }
            if let Some(stale) = self.serve_on_failure(failure, Some(status)) {
                return Ok(stale);
            }
        }
        self.count(Outcome::Miss);
        if self.request.is_head && status == StatusCode::OK {
            self = self.apply_head(response.headers(), exchange).await;
        }
        Ok(self.send_and_store(response, exchange).await)
    }

    /// Looks the stored response up again if it may have been purged since the lookup.
    ///
    /// A response that was fetched before a purge is not served after it, not even in place of a failure.
    async fn look_again(&mut self) {
        let (cache, request) = (&self.cache, &self.request);
        let has_response = self.found.response.is_some();
        if has_response && !cache.storage.is_current(request, &self.found) {
            self.found.response = cache.find(request, &self.headers).await.response;
        }
    }

    /// Serves the stored response in place of a failure, if that is permitted.
    fn serve_on_failure<B: Body>(
        &self,
        failure: OriginFailure,
        status: Option<StatusCode>,
    ) -> Option<Response<ResponseCacheBody<B>>> {
        let (cache, stored) = (&self.cache, self.found.response.as_ref()?);
        let storage = &cache.storage;
        if !storage.may_serve_on_failure(stored, &self.request, failure) {
            return None;
        }
        self.count(Outcome::StaleIfError);
        let (cache_status, now) = (CacheStatus::stale_if_error(status), storage.now());
        Some(cache.serve(&self.request, &self.headers, stored, cache_status, now))
    }

    /// Counts how the request was answered.
    pub(super) fn count(&self, outcome: Outcome) {
        if self.background.is_none() {
            self.cache.metrics.count(outcome);
        }
    }

    /// Reports the outcome of the fetch to the requests that wait.
    pub(super) fn end(&mut self, outcome: FetchOutcome) {
        match &mut self.background {
            Some(background) => background.end(outcome),
            None if matches!(outcome, FetchOutcome::Failed(..)) => self.mark_failed(),
            None => {}
        }
        if let Some(leader) = self.leader.take() {
            leader.complete(outcome);
        }
    }
}
