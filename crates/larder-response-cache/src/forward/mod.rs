//! What the inner service is asked, and what becomes of its response.
//!
//! - here: the request is sent, and a failure is covered by what is stored (RFC 9111, 4.2.4).
//! - `validation`: what is stored is validated, and brought up to date (RFC 9111, 4.3).
//! - `answer`: the client's own conditions are checked, where they did not go with the request.
//! - `storing`: the response is sent on, and stored on the way (RFC 9111, 3).

mod answer;
mod storing;
mod validation;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use crate::asked::Asked;
use crate::body::ResponseBody;
use crate::cache_status::{CacheStatus, Forward};
use crate::engine::{Exchange, Failure, Validators};
use crate::fetch::respond;
use crate::flights::{Lead, Outcome};
use crate::metrics::Answer;
use crate::shared::Shared;
use crate::storage::Found;

/// The response was purged or replaced while it was fetched, or the store has no room for it.
const OUTDATED: &str = "outdated";

/// A request on its way to the inner service, and what is done with the response.
pub(crate) struct Forwarding {
    pub(crate) shared: Arc<Shared>,
    pub(crate) asked: Asked,
    /// The request's own fields, before conditions of ours.
    pub(crate) headers: HeaderMap,
    pub(crate) found: Found,
    pub(crate) lead: Option<Lead>,
    pub(crate) why: Forward,
    pub(crate) aim: Aim,
}

/// What a request asks the inner service for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// For what the client asks for, by the client's conditions.
    AsAsked,
    /// For the whole response, so that it can be stored. The client's conditions are checked here.
    Whole,
}

impl Forwarding {
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
        let is_validation = !self.asked.is_head && self.validate(request.headers_mut());
        if is_validation {
            // Its conditions took the place of the client's.
            self.aim = Aim::Whole;
        } else if self.aim == Aim::Whole {
            Validators::default().apply(request.headers_mut());
        }
        let (storage, primary) = (&self.shared.storage, &self.asked.primary);
        let sent = storage.begin(primary, &mut self.found.basis.purges).await;
        let result = inner.call(request).await;
        let exchange = Exchange {
            sent,
            received: self.shared.storage.now(),
        };
        let response = match result {
            Ok(response) => response,
            Err(error) => {
                self.end(Outcome::Failed(Failure::Disconnected, None));
                return self.cover(Failure::Disconnected, None).ok_or(error);
            }
        };
        let status = response.status();
        if is_validation && status == StatusCode::NOT_MODIFIED {
            return Ok(self.freshen(response.headers(), exchange).await);
        }
        if let Some(failure) = Failure::of(status) {
            // Those who wait have the same stale response, if there is one.
            if self.found.entry.is_some() {
                self.end(Outcome::Failed(failure, Some(status)));
            }
            if let Some(covered) = self.cover(failure, Some(status)) {
                return Ok(covered);
            }
        }
        self.shared.metrics.answered(Answer::Miss);
        if self.asked.is_head && status == StatusCode::OK {
            self.learn(response.headers(), exchange).await;
        }
        Ok(self.pass_on(response, exchange).await)
    }

    /// What is stored, in place of a failure, where that is permitted.
    fn cover<B: Body>(
        &self,
        failure: Failure,
        status: Option<StatusCode>,
    ) -> Option<Response<ResponseBody<B>>> {
        let (shared, entry) = (&self.shared, self.found.entry.as_ref()?);
        let (now, limit) = (shared.storage.now(), shared.stale_while_disconnected);
        let rules = &entry.rules;
        if !rules.may_cover(&self.asked.rules, failure, limit, now) {
            return None;
        }
        shared.metrics.answered(Answer::Covered);
        let how = CacheStatus::covered(status);
        Some(respond(shared, &self.asked, &self.headers, entry, how))
    }

    fn forwarded(&self, status: Option<StatusCode>, is_stored: bool) -> CacheStatus {
        CacheStatus::Forwarded {
            why: self.why,
            status,
            is_stored,
            is_collapsed: false,
            detail: (!is_stored).then_some(OUTDATED),
        }
    }

    fn end(&mut self, outcome: Outcome) {
        if let Some(lead) = self.lead.take() {
            lead.end(outcome);
        }
    }

    pub(crate) fn give_up(mut self) {
        self.end(Outcome::Unshared);
    }
}
