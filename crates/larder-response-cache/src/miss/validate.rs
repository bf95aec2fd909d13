use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::Body;
use larder_store::Timestamp;

use super::forward::Miss;
use crate::engine::{
    CacheControl, Exchange, HeadEffect, Profile, Refusal, RequestDirectives, Reuse, Validators,
    head_effect, is_update, strip, takes_away,
};
use crate::metrics::Outcome;
use crate::miss::FetchOutcome;
use crate::miss::respond;
use crate::request::may_store;
use crate::response::ResponseBody;
use crate::run_to_completion::run_to_completion;
use crate::storage::StoredResponse;
use crate::storage::{CommitKind, CommitOutcome};

impl Miss {
    /// Makes the request a validation of what is stored, if that can be validated.
    pub(super) fn validate(&self, request: &mut HeaderMap) -> bool {
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

    /// Answers with what is stored after the origin said that it is current (RFC 9111, 4.3.4).
    pub(super) async fn freshen<B: Body>(
        mut self,
        new: &HeaderMap,
        exchange: Exchange,
    ) -> Response<ResponseBody<B>> {
        let Some(entry) = self.found.entry.clone() else {
            // It was a validation of this entry.
            return Response::new(ResponseBody::whole(Bytes::new()));
        };
        self.cache.metrics.answered(Outcome::Validated);
        let status = Some(StatusCode::NOT_MODIFIED);
        if !is_update(&entry.headers, new) {
            // It speaks of another response: the next request fetches the whole.
            self.purge().await;
            self.end(FetchOutcome::NotShared);
            let cache_status = self.forwarded(status, false);
            return respond(
                &self.cache,
                &self.cache_request,
                &self.headers,
                &entry,
                cache_status,
            );
        }
        let mut new = new.clone();
        let own = self.take_own(&entry, &mut new);
        let fresh = entry.freshened(&self.cache.policy, &new, exchange);
        let (committed, entry) = self.update(fresh).await;
        self.land(committed, &entry);
        let is_stored = committed == CommitOutcome::Stored;
        let cache_status = self.forwarded(status, is_stored);
        let mut response = respond(
            &self.cache,
            &self.cache_request,
            &self.headers,
            &entry,
            cache_status,
        );
        for (name, value) in own {
            response.headers_mut().append(name, value);
        }
        response
    }

    /// Takes out the fields that are for this client alone, where the stored response is for all: those
    /// that `no-cache` names, and in the safe profile cookies.
    fn take_own(
        &self,
        entry: &StoredResponse,
        new: &mut HeaderMap,
    ) -> Vec<(HeaderName, HeaderValue)> {
        let policy = &self.cache.policy;
        let mut names = policy.directives(new).no_cache_fields;
        names.extend(policy.directives(&entry.headers).no_cache_fields);
        if policy.profile == Profile::Safe {
            names.push(header::SET_COOKIE);
        }
        // What is for the connection is not for the client.
        strip(new, &CacheControl::default());
        let mut own = Vec::new();
        for name in names {
            let values = new.get_all(&name).iter();
            own.extend(values.map(|value| (name.clone(), value.clone())));
            new.remove(&name);
        }
        own
    }

    /// Brings what is stored for GET up to date by a response to HEAD, or takes it away
    /// (RFC 9111, 4.3.5).
    pub(super) async fn learn(&self, head: &HeaderMap, exchange: Exchange) {
        let Some(entry) = &self.found.entry else {
            return;
        };
        match head_effect(self.cache.policy.profile, &entry.headers, head) {
            HeadEffect::Update => {
                let mut head = head.clone();
                self.take_own(entry, &mut head);
                let fresh = entry.freshened(&self.cache.policy, &head, exchange);
                self.update(fresh).await;
            }
            HeadEffect::Invalidate => {
                self.purge().await;
            }
            HeadEffect::None => {}
        }
    }

    /// Stores a response that the origin has just called current, or takes it away where it may not
    /// be stored any longer.
    async fn update(&self, fresh: StoredResponse) -> (CommitOutcome, Arc<StoredResponse>) {
        let permitted = may_store(
            &self.cache.policy,
            &self.headers,
            fresh.status,
            &fresh.headers,
            &fresh.rules.freshness,
        );
        match permitted {
            Ok(()) => return self.commit(fresh, CommitKind::Update).await,
            Err(refusal) => {
                if self.takes_away(fresh.status, refusal, fresh.exchange.received) {
                    self.purge().await;
                }
            }
        }
        (CommitOutcome::Refused, Arc::new(fresh))
    }

    /// Whether a response that is not stored takes away what is stored for the request.
    pub(super) fn takes_away(&self, status: StatusCode, reason: Refusal, now: Timestamp) -> bool {
        let was_fresh = self.fresh(now).is_some();
        let profile = self.cache.policy.profile;
        takes_away(profile, &self.headers, status, reason, was_fresh)
    }

    /// What is stored for the request, if it is fresh.
    pub(super) fn fresh(&self, now: Timestamp) -> Option<&StoredResponse> {
        let entry = self.found.entry.as_deref()?;
        let reuse = entry.rules.reuse(&RequestDirectives::default(), now);
        (reuse == Reuse::Fresh).then_some(entry)
    }

    /// Removes what the URI holds, also where the client goes away meanwhile.
    pub(super) async fn purge(&self) {
        let (cache, primary) = (self.cache.clone(), self.cache_request.primary.clone());
        let purge = async move { cache.storage.purge(&primary).await };
        // A store that fails was counted.
        let _ = run_to_completion(purge).await;
    }
}
