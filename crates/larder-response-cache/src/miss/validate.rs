use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use http_body::Body;
use larder_store::Timestamp;

use super::flights::FetchOutcome;
use super::forward::Miss;
use crate::engine::{
    CacheControl, Exchange, Freshness, HeadEffect, Profile, Refusal, Validators, head_effect,
    invalidates_stored, is_gone, is_update, strip,
};
use crate::metrics::Outcome;
use crate::response::{CacheStatus, ResponseCacheBody};
use crate::run_to_completion::run_to_completion;
use crate::storage::{CommitKind, CommitOutcome, NotStored, StoredResponse};

impl Miss {
    /// Makes the request a validation of the stored response, if that has a validator.
    pub(super) fn validate(&self, request: &mut HeaderMap) -> bool {
        let Some(stored) = &self.found.response else {
            return false;
        };
        let validators = Validators::of(&stored.headers);
        if validators.is_empty() {
            return false;
        }
        validators.apply(request);
        true
    }

    /// Serves the stored response after a 304, and updates it (RFC 9111, 4.3.4).
    pub(super) async fn freshen<B: Body>(
        mut self,
        new: &HeaderMap,
        exchange: Exchange,
    ) -> Response<ResponseCacheBody<B>> {
        let Some(stored) = self.found.response.clone() else {
            // Only a stored response is validated, so this cannot happen.
            return Response::new(ResponseCacheBody::whole(Bytes::new()));
        };
        self.count(Outcome::Validated);
        let is_about_stored = is_update(&stored.headers, new);
        let mut new = new.clone();
        let own = self.take_own(&stored, &mut new);
        let fresh = stored.freshened(self.cache.policy(), &new, exchange);
        let mut response = if is_about_stored {
            let (mut miss, committed, stored) = self.update(fresh).await;
            miss.release(committed, &stored);
            miss.serve_validated(&stored, committed)
        } else {
            // It is about another response. The next request fetches the complete response.
            let freshness = &fresh.rules.freshness;
            self.remove_outdated(&fresh.headers, freshness, exchange)
                .await;
            self.end(FetchOutcome::Superseded);
            self.serve_validated(&stored, Err(NotStored::Superseded))
        };
        // They replace those of the stored response.
        response.headers_mut().extend(own);
        response
    }

    fn serve_validated<B: Body>(
        &self,
        stored: &StoredResponse,
        committed: CommitOutcome,
    ) -> Response<ResponseCacheBody<B>> {
        let status = Some(StatusCode::NOT_MODIFIED);
        let cache_status = match committed {
            Ok(()) => CacheStatus::stored(self.reason, status),
            Err(why) => CacheStatus::not_stored(self.reason, status, why.as_str()),
        };
        let now = self.cache.storage.now();
        self.cache
            .serve(&self.request, &self.headers, stored, cache_status, now)
    }

    /// Removes the headers of a 304 that are only for this client.
    ///
    /// Those are the ones that `no-cache` names, and in the safe profile cookies and the fields of a rate limit.
    fn take_own(&self, stored: &StoredResponse, new: &mut HeaderMap) -> HeaderMap {
        let policy = self.cache.policy();
        let mut names = policy.directives(new).no_cache_fields;
        names.extend(policy.directives(&stored.headers).no_cache_fields);
        if policy.profile == Profile::Safe {
            names.push(header::SET_COOKIE);
        }
        // Headers of the connection to the origin are not meant for the client.
        strip(new, &CacheControl::default());
        let mut own = HeaderMap::new();
        for name in names {
            for value in new.get_all(&name) {
                own.append(name.clone(), value.clone());
            }
            new.remove(&name);
        }
        own
    }

    /// Updates or removes the stored response to GET by a 200 to HEAD (RFC 9111, 4.3.5).
    pub(super) async fn apply_head(self, head: &HeaderMap, exchange: Exchange) -> Self {
        let Some(stored) = self.found.response.clone() else {
            return self;
        };
        let policy = self.cache.policy();
        match head_effect(policy.profile, stored.status, &stored.headers, head) {
            HeadEffect::Update => {
                let mut head = head.clone();
                self.take_own(&stored, &mut head);
                let fresh = stored.freshened(policy, &head, exchange);
                return self.update(fresh).await.0;
            }
            HeadEffect::Invalidate => {
                let directives = policy.directives(head);
                let freshness = Freshness::of(StatusCode::OK, head, &directives, exchange);
                self.remove_outdated(head, &freshness, exchange).await;
            }
            HeadEffect::None => {}
        }
        self
    }

    /// Removes the stored response, of which the origin has another version, unless that may concern only its
    /// visitor.
    async fn remove_outdated(&self, new: &HeaderMap, freshness: &Freshness, exchange: Exchange) {
        let status = StatusCode::OK;
        let checked = self
            .cache
            .policy()
            .check(&self.headers, status, new, freshness);
        let removes = |refusal| self.invalidates_stored(status, refusal, exchange.received);
        if checked.err().is_none_or(removes) {
            self.purge().await;
        }
    }

    /// Stores an updated response, or removes the stored one if it may no longer be stored.
    ///
    /// It does so even if the client disconnects.
    async fn update(self, fresh: StoredResponse) -> (Self, CommitOutcome, Arc<StoredResponse>) {
        run_to_completion(async move {
            let (status, freshness) = (fresh.status, &fresh.rules.freshness);
            let policy = self.cache.policy();
            let checked = policy.check(&self.headers, status, &fresh.headers, freshness);
            let Err(refusal) = checked else {
                let (committed, fresh) = self.commit(fresh, CommitKind::Update).await;
                return (self, committed, fresh);
            };
            if self.invalidates_stored(status, refusal, fresh.exchange.received) {
                self.purge().await;
            }
            (self, Err(NotStored::Refused(refusal)), Arc::new(fresh))
        })
        .await
    }

    /// Returns whether a response that is not stored removes what is stored for the URI.
    ///
    /// What is gone is gone for all: a 404 or 410 also removes what this request may not be served.
    pub(super) fn invalidates_stored(
        &self,
        status: StatusCode,
        refusal: Refusal,
        now: Timestamp,
    ) -> bool {
        let is_stored = match is_gone(status) {
            true => self.found.is_any_stored(),
            false => self.found.response.is_some(),
        };
        let was_fresh = self.fresh_response(now).is_some();
        let profile = self.cache.policy().profile;
        is_stored && invalidates_stored(profile, &self.headers, status, refusal, was_fresh)
    }

    /// Returns the stored response that one for this request would replace, if it is fresh.
    pub(super) fn fresh_response(&self, now: Timestamp) -> Option<&StoredResponse> {
        let stored = self.found.response.as_deref();
        let stored = stored.or(self.found.hidden.as_deref());
        stored.filter(|stored| stored.is_fresh(now))
    }

    /// Removes what is stored for the URI, even if the client disconnects.
    pub(super) async fn purge(&self) {
        let (cache, key) = (self.cache.clone(), self.request.key.clone());
        run_to_completion(async move { cache.invalidate(key).await }).await;
    }
}
