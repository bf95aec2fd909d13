//! What the inner service is asked, and what becomes of its response.
//!
//! - here: the request is sent, and a failure is covered by what is stored (RFC 9111, 4.2.4).
//! - `validation`: what is stored is validated, and brought up to date (RFC 9111, 4.3).
//! - `answer`: the client's own conditions are checked, where they did not go with the request.
//! - `storing`: the response is sent on, and stored on the way (RFC 9111, 3).

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use crate::engine::{Exchange, OriginFailure, Validators};
use crate::metrics::Outcome;
use crate::miss::respond;
use crate::miss::{FetchOutcome, Lead};
use crate::request::CacheRequest;
use crate::response::ResponseBody;
use crate::response::{CacheStatus, ForwardReason};
use crate::state::CacheState;
use crate::storage::Found;

/// The response was purged or replaced while it was fetched, or the store has no room for it.
pub(super) const OUTDATED: &str = "outdated";

/// A request on its way to the inner service, and what is done with the response.
pub(crate) struct Miss {
    pub(crate) cache: Arc<CacheState>,
    pub(crate) cache_request: CacheRequest,
    /// The request's own fields, before conditions of ours.
    pub(crate) headers: HeaderMap,
    pub(crate) found: Found,
    pub(crate) leader: Option<Lead>,
    pub(crate) reason: ForwardReason,
    pub(crate) aim: FetchMode,
}

/// What a request asks the inner service for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FetchMode {
    /// For what the client asks for, by the client's conditions.
    AsRequested,
    /// For the whole response, so that it can be stored. The client's conditions are checked here.
    Complete,
}

impl Miss {
    pub(crate) async fn ask<S, ReqBody, ResBody>(
        mut self,
        mut inner: S,
        mut request: Request<ReqBody>,
    ) -> Result<Response<ResponseBody<ResBody>>, S::Error>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>>,
        ResBody: Body<Data = Bytes> + Send + 'static,
        ResBody::Error: Send + 'static,
    {
        let is_validation = !self.cache_request.is_head && self.validate(request.headers_mut());
        if is_validation {
            // Its conditions took the place of the client's.
            self.aim = FetchMode::Complete;
        } else if self.aim == FetchMode::Complete {
            Validators::default().apply(request.headers_mut());
        }
        let (storage, primary) = (&self.cache.storage, &self.cache_request.primary);
        let sent = storage
            .begin(primary, &mut self.found.snapshot.purges)
            .await;
        let result = inner.call(request).await;
        let exchange = Exchange {
            sent,
            received: self.cache.storage.now(),
        };
        let response = match result {
            Ok(response) => response,
            Err(error) => {
                self.end(FetchOutcome::Failed(OriginFailure::Disconnected, None));
                return self.cover(OriginFailure::Disconnected, None).ok_or(error);
            }
        };
        let status = response.status();
        if is_validation && status == StatusCode::NOT_MODIFIED {
            return Ok(self.freshen(response.headers(), exchange).await);
        }
        if let Some(failure) = OriginFailure::of(status) {
            // Those who wait have the same stale response, if there is one.
            if self.found.entry.is_some() {
                self.end(FetchOutcome::Failed(failure, Some(status)));
            }
            if let Some(covered) = self.cover(failure, Some(status)) {
                return Ok(covered);
            }
        }
        self.cache.metrics.answered(Outcome::Miss);
        if self.cache_request.is_head && status == StatusCode::OK {
            self.learn(response.headers(), exchange).await;
        }
        Ok(self.pass_on(response, exchange).await)
    }

    /// What is stored, in place of a failure, where that is permitted.
    fn cover<B: Body>(
        &self,
        failure: OriginFailure,
        status: Option<StatusCode>,
    ) -> Option<Response<ResponseBody<B>>> {
        let (cache, entry) = (&self.cache, self.found.entry.as_ref()?);
        let (now, limit) = (cache.storage.now(), cache.stale_while_disconnected);
        let rules = &entry.rules;
        if !rules.may_serve_on_failure(&self.cache_request.rules, failure, limit, now) {
            return None;
        }
        cache.metrics.answered(Outcome::StaleIfError);
        let cache_status = CacheStatus::covered(status);
        Some(respond(
            cache,
            &self.cache_request,
            &self.headers,
            entry,
            cache_status,
        ))
    }

    pub(super) fn forwarded(&self, status: Option<StatusCode>, is_stored: bool) -> CacheStatus {
        CacheStatus::Forwarded {
            reason: self.reason,
            status,
            is_stored,
            is_collapsed: false,
            detail: (!is_stored).then_some(OUTDATED),
        }
    }

    pub(super) fn end(&mut self, outcome: FetchOutcome) {
        if let Some(leader) = self.leader.take() {
            leader.end(outcome);
        }
    }

    pub(crate) fn give_up(mut self) {
        self.end(FetchOutcome::NotShared);
    }
}
