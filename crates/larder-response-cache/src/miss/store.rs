use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, Response, header};
use http_body::{Body, SizeHint};
use larder_store::Timestamp;
use smallvec::SmallVec;

use super::conditions::ClientConditions;
use super::flights::{FetchOutcome, flight_key};
use super::forward::Miss;
use super::recorder::{BodyRecorder, RecordOutcome};
use crate::engine::{
    Exchange, Freshness, OriginFailure, Profile, Refusal, RequestDirectives, Reuse, ReuseRules,
    Validators, may_replace_fresh,
};
use crate::response::{CacheStatus, ResponseCacheBody, tee};
use crate::run_to_completion::{RunToCompletion, run_to_completion};
use crate::storage::{Commit, CommitKind, CommitOutcome, NotStored, StoredResponse};

impl Miss {
    /// Sends a response to the client, and stores it on the way if that is permitted.
    ///
    /// A body that is ready is stored first. Its length is then known, and it is sent with its headers
    /// in one write.
    pub(super) async fn send_and_store<B>(
        mut self,
        response: Response<B>,
        exchange: Exchange,
    ) -> Response<ResponseCacheBody<B>>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Send + 'static,
    {
        let (parts, body) = response.into_parts();
        let (reason, status) = (self.reason, Some(parts.status));
        let length = content_length(&parts.headers);
        let not_stored = |detail| CacheStatus::not_stored(reason, status, detail);
        let client = ClientConditions::of(&self);
        if let Err(refusal) = self.check(&parts, &body.size_hint(), length, exchange) {
            if self.invalidates_stored(parts.status, refusal, exchange.received) {
                self.purge().await;
            }
            // The response to a request that was fetched alone says nothing about other requests.
            if self.leader.is_some() && OriginFailure::of(parts.status).is_none() {
                self.mark_hit_for_miss(exchange.received);
            }
            self.end(FetchOutcome::NotShared);
            let body = ResponseCacheBody::inner(body);
            return client.respond(parts, body, not_stored(refusal.as_str()));
        }
        let (sink, tee) = tee(&body.size_hint(), self.cache.recordings.reservation());
        let recorder = BodyRecorder {
            status: parts.status,
            headers: parts.headers.clone(),
            exchange,
            length: length.unwrap_or_default(),
            miss: self,
        };
        let recording = run_to_completion(recorder.run(Box::pin(body), sink));
        let Some(recorded) = while_ready(recording, tee.is_complete()).await else {
            // It is not known yet whether it will be complete.
            return client.respond(parts, ResponseCacheBody::tee(tee), not_stored("streaming"));
        };
        match recorded {
            RecordOutcome::Complete(committed, response) => {
                let cache_status = match committed {
                    Ok(()) => CacheStatus::stored(reason, status),
                    Err(why) => not_stored(why.as_str()),
                };
                let body = tee.take_reservation().attach(response.body.clone());
                client.respond(parts, ResponseCacheBody::whole(body), cache_status)
            }
            RecordOutcome::NotStored(detail) => {
                client.respond(parts, ResponseCacheBody::tee(tee), not_stored(detail))
            }
        }
    }

    /// Checks whether the response may be stored.
    fn check(
        &self,
        parts: &Parts,
        hint: &SizeHint,
        length: Result<Option<u64>, Refusal>,
        exchange: Exchange,
    ) -> Result<(), Refusal> {
        if self.request.is_head {
            return Err(Refusal::Method);
        }
        let (status, response) = (parts.status, &parts.headers);
        let policy = self.cache.policy();
        let directives = policy.directives(response);
        let freshness = Freshness::of(status, response, &directives, exchange);
        policy.check(&self.headers, status, response, &freshness)?;
        let held = self.fresh_response(exchange.received);
        if held.is_some_and(|held| !may_replace_fresh(held.status, status)) {
            return Err(Refusal::Status);
        }
        let rules = ReuseRules::of(&directives, freshness);
        let (request, now) = (RequestDirectives::default(), exchange.received);
        let error = OriginFailure::ErrorStatus;
        let is_useful = match rules.reuse(&request, now) {
            Reuse::Fresh | Reuse::StaleWhileRevalidate => true,
            _ => rules.may_serve_on_failure(&request, error, Duration::ZERO, now),
        };
        let is_for_max_stale = policy.profile == Profile::Rfc && !rules.forbids_stale();
        if !(is_useful || is_for_max_stale) && Validators::of(response).is_empty() {
            // It was stale on arrival, or must be validated but cannot be. In the RFC profile it is
            // still useful for clients that send `max-stale`.
            return Err(Refusal::Useless);
        }
        let least = hint.lower().max(length?.unwrap_or_default());
        let is_small = usize::try_from(least).is_ok_and(|least| least <= self.cache.max_body);
        is_small.then_some(()).ok_or(Refusal::TooLarge)
    }

    /// Stores a recorded response, and notifies the requests that wait.
    pub(super) async fn store(
        mut self,
        response: StoredResponse,
    ) -> (CommitOutcome, Arc<StoredResponse>) {
        let (committed, response) = self.commit(response, CommitKind::Response).await;
        self.release(committed, &response);
        (committed, response)
    }

    pub(super) async fn commit(
        &self,
        response: StoredResponse,
        kind: CommitKind,
    ) -> (CommitOutcome, Arc<StoredResponse>) {
        let commit = Commit {
            key: &self.request.key,
            snapshot: &self.found.snapshot,
            kind,
            key_fields: &self.request.key_fields,
            request: &self.headers,
        };
        self.cache.storage.commit(commit, response).await
    }

    /// Reports to the requests that wait whether there is a response for them.
    pub(super) fn release(&mut self, committed: CommitOutcome, response: &StoredResponse) {
        let now = self.cache.storage.now();
        let is_shareable = response.rules.is_shareable(now);
        let is_kept_nowhere = committed.is_err_and(|why| why != NotStored::Superseded)
            && OriginFailure::of(response.status).is_none();
        if (is_kept_nowhere || !is_shareable) && self.leader.is_some() {
            self.mark_hit_for_miss(now);
        }
        let outcome = match committed {
            Ok(()) if is_shareable => FetchOutcome::Stored,
            Err(NotStored::Superseded) => FetchOutcome::Superseded,
            Ok(()) | Err(NotStored::NoRoom | NotStored::TimedOut | NotStored::Refused(_)) => {
                FetchOutcome::NotShared
            }
        };
        if outcome == FetchOutcome::Stored {
            let (cache, key) = (&self.cache, self.flight_key());
            cache.hit_for_miss.clear(&key);
            // Others may wait for a fetch that began later.
            cache.flights.complete(key.as_slice(), outcome);
        }
        self.end(outcome);
    }

    /// Remembers that no request should wait for a fetch of this response.
    pub(super) fn mark_hit_for_miss(&self, now: Timestamp) {
        self.cache.hit_for_miss.mark(&self.flight_key(), now);
    }

    /// Remembers that the origin failed.
    pub(super) fn mark_failed(&self) {
        let now = self.cache.storage.now();
        self.cache.failed.mark(&self.flight_key(), now);
    }

    fn flight_key(&self) -> SmallVec<[u8; 128]> {
        flight_key(&self.request, &self.found, &self.headers)
    }
}

/// Waits while the body is ready, and then until it is stored.
///
/// Returns None if the body is not ready. Then it is recorded in a task of its own.
async fn while_ready(
    recording: RunToCompletion<RecordOutcome>,
    is_complete: Arc<AtomicBool>,
) -> Option<RecordOutcome> {
    let mut recording = pin!(recording);
    poll_fn(|cx| match recording.as_mut().poll(cx) {
        Poll::Ready(recorded) => Poll::Ready(Some(recorded)),
        Poll::Pending if is_complete.load(Ordering::Relaxed) => Poll::Pending,
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Returns the `Content-Length`, in bytes. An invalid one is a refusal, and so are two different ones.
fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let mut length = None;
    for line in headers.get_all(header::CONTENT_LENGTH) {
        let text = line.to_str().map_err(|_| Refusal::Length)?.trim();
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| is_number);
        let number = number.ok_or(Refusal::Length)?;
        if length.is_some_and(|length| length != number) {
            return Err(Refusal::Length);
        }
        length = Some(number);
    }
    Ok(length)
}
