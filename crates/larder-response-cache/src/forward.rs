use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body::Body;
use larder_store::Timestamp;
use tower_service::Service;

use crate::asked::{Asked, may_store};
use crate::body::{ResponseBody, tee};
use crate::cache_status::{CacheStatus, Forward};
use crate::engine::{
    Exchange, Failure, Freshness, HeadEffect, Profile, Refusal, Sharing, Validators, effect_of_head,
};
use crate::entry::Entry;
use crate::fetch::{flight_key, respond};
use crate::flights::{Lead, Outcome};
use crate::metrics::Answer;
use crate::pump::Pump;
use crate::shared::Shared;
use crate::storage::{Commit, Committed, Found};

/// A request on its way to the inner service, and what is done with the response.
pub(crate) struct Forwarding {
    pub(crate) shared: Arc<Shared>,
    pub(crate) asked: Asked,
    /// The request's own fields, before conditions of ours.
    pub(crate) headers: HeaderMap,
    pub(crate) found: Found,
    pub(crate) lead: Option<Lead>,
    pub(crate) why: Forward,
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
        let sent = self.shared.storage.now();
        let result = inner.call(request).await;
        let exchange = Exchange {
            sent,
            received: self.shared.storage.now(),
        };
        let response = match result {
            Ok(response) => response,
            Err(error) => {
                self.end(Outcome::Unshared);
                return self.cover(Failure::Disconnected, None).ok_or(error);
            }
        };
        let status = response.status();
        if is_validation && status == StatusCode::NOT_MODIFIED {
            return Ok(self.freshen(response.headers(), exchange).await);
        }
        let failure = Failure::of(status);
        if let Some(covered) = failure.and_then(|failure| self.cover(failure, Some(status))) {
            self.end(Outcome::Unshared);
            return Ok(covered);
        }
        self.shared.metrics.answered(Answer::Miss);
        if self.asked.is_head && status == StatusCode::OK {
            self.learn(response.headers(), exchange).await;
        }
        Ok(self.pass_on(response, exchange))
    }

    /// Makes the request a validation of what is stored, if that can be validated.
    fn validate(&self, request: &mut HeaderMap) -> bool {
        let Some(entry) = &self.found.entry else {
            return false;
        };
        let validators = Validators::of(&entry.headers);
        if validators.is_empty() {
            return false;
        }
        validators.apply(request);
        true
    }

    fn end(&mut self, outcome: Outcome) {
        if let Some(lead) = self.lead.take() {
            lead.end(outcome);
        }
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
        let how = self.forwarded(status, false);
        Some(respond(shared, &self.asked, &self.headers, entry, how))
    }

    fn forwarded(&self, status: Option<StatusCode>, is_stored: bool) -> CacheStatus {
        CacheStatus::Forwarded {
            why: self.why,
            status,
            is_stored,
        }
    }

    /// Answers with what is stored after the origin said that it is current (RFC 9111, 4.3.4).
    async fn freshen<B: Body>(
        mut self,
        new: &HeaderMap,
        exchange: Exchange,
    ) -> Response<ResponseBody<B>> {
        let Some(entry) = self.found.entry.clone() else {
            // It was a validation of this entry.
            return Response::new(ResponseBody::whole(Bytes::new()));
        };
        self.shared.metrics.answered(Answer::Validated);
        let mut new = new.clone();
        let cookies = self.take_cookies(&mut new);
        let fresh = entry.freshened(&self.shared.view, &new, exchange);
        let status = Some(StatusCode::NOT_MODIFIED);
        let (committed, entry) = self.update(fresh).await;
        self.land(committed, &entry);
        let is_stored = committed == Committed::Stored;
        let how = self.forwarded(status, is_stored);
        let mut response = respond(&self.shared, &self.asked, &self.headers, &entry, how);
        for cookie in cookies {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }

    /// Takes the cookies out, where they are for this client and the stored response is for all.
    fn take_cookies(&self, new: &mut HeaderMap) -> Vec<HeaderValue> {
        if self.shared.view.profile == Profile::Rfc {
            return Vec::new();
        }
        let cookies = new.get_all(header::SET_COOKIE).iter().cloned().collect();
        new.remove(header::SET_COOKIE);
        cookies
    }

    /// Brings what is stored for GET up to date by a response to HEAD, or takes it away
    /// (RFC 9111, 4.3.5).
    async fn learn(&self, head: &HeaderMap, exchange: Exchange) {
        let Some(entry) = &self.found.entry else {
            return;
        };
        match effect_of_head(self.shared.view.profile, &entry.headers, head) {
            HeadEffect::Updates => {
                let mut head = head.clone();
                self.take_cookies(&mut head);
                let fresh = entry.freshened(&self.shared.view, &head, exchange);
                self.update(fresh).await;
            }
            HeadEffect::Outdates => {
                let _ = self.shared.storage.purge(&self.asked.primary).await;
            }
            HeadEffect::None => {}
        }
    }

    /// Stores a response that the origin has just called current, or takes it away where it may not
    /// be stored any longer.
    async fn update(&self, fresh: Entry) -> (Committed, Arc<Entry>) {
        let permitted = may_store(
            &self.shared.view,
            &self.headers,
            fresh.status,
            &fresh.headers,
            &fresh.rules.freshness,
        );
        match permitted {
            Ok(()) => return self.commit(fresh).await,
            // It is still for others, who have none.
            Err(Refusal::Cookie) => {}
            Err(_) => drop(self.shared.storage.purge(&self.asked.primary).await),
        }
        (Committed::Refused, Arc::new(fresh))
    }

    async fn commit(&self, entry: Entry) -> (Committed, Arc<Entry>) {
        let commit = Commit {
            primary: &self.asked.primary,
            basis: &self.found.basis,
            claims: &self.asked.claims,
            request: &self.headers,
        };
        self.shared.storage.commit(commit, entry).await
    }

    /// Tells those who wait what became of it: there is something for them only if it is stored
    /// and fresh.
    fn land(&mut self, committed: Committed, entry: &Entry) {
        let now = self.shared.storage.now();
        let is_shareable = entry.rules.is_shareable(now);
        if !is_shareable && self.lead.is_some() {
            self.pass_from_now_on(now);
        }
        self.end(match committed {
            Committed::Stored if is_shareable => Outcome::Landed,
            _ => Outcome::Unshared,
        });
    }

    /// Remembers that nobody should wait for a fetch of this.
    pub(crate) fn pass_from_now_on(&self, now: Timestamp) {
        let key = flight_key(&self.asked, &self.found, &self.headers);
        let hash = self.shared.storage.front.hash(&key);
        self.shared.passes.mark(hash, now);
    }

    /// Sends a response on, and stores it on the way where it may be stored.
    fn pass_on<B>(mut self, response: Response<B>, exchange: Exchange) -> Response<ResponseBody<B>>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Send + 'static,
    {
        let (mut parts, body) = response.into_parts();
        let status = Some(parts.status);
        let storable = self.storable(
            parts.status,
            &parts.headers,
            body.size_hint().lower(),
            exchange,
        );
        let how = self.forwarded(status, storable.is_ok());
        if let Err(refusal) = storable {
            // A request that went alone says nothing about others.
            if self.lead.is_some() && Failure::of(parts.status).is_none() {
                self.pass_from_now_on(exchange.received);
            }
            self.end(Outcome::Unshared);
            if refusal != Refusal::Stream {
                how.add(&self.shared.name, &mut parts.headers);
            }
            return Response::from_parts(parts, ResponseBody::through(body));
        }
        let (sink, reader) = tee(&body.size_hint());
        let pump = Pump {
            status: parts.status,
            headers: parts.headers.clone(),
            exchange,
            forwarding: self,
        };
        how.add(&pump.forwarding.shared.name, &mut parts.headers);
        tokio::spawn(pump.run(Box::pin(body), sink));
        Response::from_parts(parts, ResponseBody::tee(reader))
    }

    fn storable(
        &self,
        status: StatusCode,
        response: &HeaderMap,
        length: u64,
        exchange: Exchange,
    ) -> Result<(), Refusal> {
        if self.asked.is_head {
            return Err(Refusal::Method);
        }
        let said = self.shared.view.directives(response);
        let freshness = Freshness::of(Sharing::Shared, status, response, &said, exchange);
        may_store(
            &self.shared.view,
            &self.headers,
            status,
            response,
            &freshness,
        )?;
        let is_small = usize::try_from(length).is_ok_and(|length| length <= self.shared.max_body);
        is_small.then_some(()).ok_or(Refusal::TooLarge)
    }

    pub(crate) async fn store(mut self, entry: Entry) {
        let (committed, entry) = self.commit(entry).await;
        if committed == Committed::Stored && entry.rules.is_shareable(self.shared.storage.now()) {
            let key = flight_key(&self.asked, &self.found, &self.headers);
            let hash = self.shared.storage.front.hash(&key);
            self.shared.passes.clear(hash);
        }
        self.land(committed, &entry);
    }

    pub(crate) fn give_up(mut self) {
        self.end(Outcome::Unshared);
    }
}
