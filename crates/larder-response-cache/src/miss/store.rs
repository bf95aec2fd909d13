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

use super::conditions::ClientConditions;
use super::forward::{Miss, OUTDATED};
use crate::engine::{
    Exchange, Freshness, OriginFailure, Profile, Refusal, RequestDirectives, Reuse, ReuseRules,
    Sharing, Validators, may_replace_fresh,
};
use crate::miss::FetchOutcome;
use crate::miss::flight_key;
use crate::miss::{BodyRecorder, RecordOutcome};
use crate::request::may_store;
use crate::response::CacheStatus;
use crate::response::{ResponseBody, tee};
use crate::run_to_completion::{RunToCompletion, run_to_completion};
use crate::storage::StoredResponse;
use crate::storage::{Commit, CommitKind, CommitOutcome};

impl Miss {
    /// Sends a response on, and stores it on the way where it may be stored.
    ///
    /// A body that is ready is stored first, and goes out with its head: it has its length, and
    /// takes one write.
    pub(super) async fn pass_on<B>(
        mut self,
        response: Response<B>,
        exchange: Exchange,
    ) -> Response<ResponseBody<B>>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Send + 'static,
    {
        let (parts, body) = response.into_parts();
        let (reason, status) = (self.reason, Some(parts.status));
        let length = stated_length(&parts.headers);
        let refused = |detail| CacheStatus::not_stored(reason, status, detail);
        let answer = ClientConditions::new(&self);
        if let Err(refusal) = self.storable(&parts, &body.size_hint(), length, exchange) {
            let has_one = self.found.entry.is_some();
            if has_one && self.takes_away(parts.status, refusal, exchange.received) {
                self.purge().await;
            }
            // A request that went alone says nothing about others.
            if self.leader.is_some() && OriginFailure::of(parts.status).is_none() {
                self.mark_hit_for_miss(exchange.received);
            }
            self.end(FetchOutcome::NotShared);
            return answer.with(
                parts,
                ResponseBody::through(body),
                refused(refusal.as_str()),
            );
        }
        let (sink, reader) = tee(&body.size_hint(), self.cache.recordings.begin());
        let recorder = BodyRecorder {
            status: parts.status,
            headers: parts.headers.clone(),
            exchange,
            length: length.unwrap_or_default(),
            forwarding: self,
        };
        let recording = run_to_completion(recorder.run(Box::pin(body), sink));
        let Some(recorded) = while_ready(recording, reader.is_whole()).await else {
            // Nobody knows yet whether it comes to its end.
            return answer.with(parts, ResponseBody::tee(reader), refused("streaming"));
        };
        match recorded {
            RecordOutcome::Complete(committed, entry) => {
                let cache_status = match committed {
                    CommitOutcome::Stored => CacheStatus::stored(reason, status),
                    CommitOutcome::Refused => refused(OUTDATED),
                };
                let body = reader.take_reservation().attach(entry.body.clone());
                answer.with(parts, ResponseBody::whole(body), cache_status)
            }
            RecordOutcome::NotStored(reason) => {
                answer.with(parts, ResponseBody::tee(reader), refused(reason))
            }
        }
    }

    /// Whether the response may be stored.
    fn storable(
        &self,
        parts: &Parts,
        hint: &SizeHint,
        length: Stated,
        exchange: Exchange,
    ) -> Result<(), Refusal> {
        if self.cache_request.is_head {
            return Err(Refusal::Method);
        }
        let (status, response) = (parts.status, &parts.headers);
        let said = self.cache.policy.directives(response);
        let freshness = Freshness::of(Sharing::Shared, status, response, &said, exchange);
        may_store(
            &self.cache.policy,
            &self.headers,
            status,
            response,
            &freshness,
        )?;
        let held = self.fresh(exchange.received);
        if held.is_some_and(|held| !may_replace_fresh(held.status, status)) {
            return Err(Refusal::Status);
        }
        let rules = ReuseRules::of(Sharing::Shared, &said, freshness);
        let (unasked, now) = (RequestDirectives::default(), exchange.received);
        let is_of_use = matches!(
            rules.reuse(&unasked, now),
            Reuse::Fresh | Reuse::StaleWhileRevalidate
        ) || rules.may_serve_on_failure(
            &unasked,
            OriginFailure::ErrorStatus,
            Duration::ZERO,
            now,
        );
        let is_safe = self.cache.policy.profile == Profile::Safe;
        if is_safe && !is_of_use && Validators::of(response).is_empty() {
            // It was stale when it came, or has to be validated and cannot be. By the letter it is still
            // for those who say `max-stale`.
            return Err(Refusal::Useless);
        }
        let length = length.map_err(|Unclear| Refusal::Length)?;
        let least = hint.lower().max(length.unwrap_or_default());
        let is_small = usize::try_from(least).is_ok_and(|least| least <= self.cache.max_body);
        is_small.then_some(()).ok_or(Refusal::TooLarge)
    }

    pub(crate) async fn store(
        mut self,
        entry: StoredResponse,
    ) -> (CommitOutcome, Arc<StoredResponse>) {
        let (committed, entry) = self.commit(entry, CommitKind::Response).await;
        if committed == CommitOutcome::Stored && entry.rules.is_shareable(self.cache.storage.now())
        {
            let key = flight_key(&self.cache_request, &self.found, &self.headers);
            let hash = self.cache.storage.front.hash(&key);
            self.cache.hit_for_miss.clear(hash);
        }
        self.land(committed, &entry);
        (committed, entry)
    }

    pub(super) async fn commit(
        &self,
        entry: StoredResponse,
        kind: CommitKind,
    ) -> (CommitOutcome, Arc<StoredResponse>) {
        let commit = Commit {
            primary: &self.cache_request.primary,
            snapshot: &self.found.snapshot,
            kind,
            key_fields: &self.cache_request.key_fields,
            request: &self.headers,
        };
        self.cache.storage.commit(commit, entry).await
    }

    /// Tells those who wait what became of it: there is something for them only if it is stored
    /// and fresh.
    pub(super) fn land(&mut self, committed: CommitOutcome, entry: &StoredResponse) {
        let now = self.cache.storage.now();
        let is_shareable = entry.rules.is_shareable(now);
        if !is_shareable && self.leader.is_some() {
            self.mark_hit_for_miss(now);
        }
        let is_landed = committed == CommitOutcome::Stored && is_shareable;
        if is_landed && self.leader.is_none() {
            // Others may wait for a fetch that began later.
            let key = flight_key(&self.cache_request, &self.found, &self.headers);
            self.cache.flights.land(&key);
        }
        self.end(if is_landed {
            FetchOutcome::Stored
        } else {
            FetchOutcome::NotShared
        });
    }

    /// Remembers that nobody should wait for a fetch of this.
    pub(crate) fn mark_hit_for_miss(&self, now: Timestamp) {
        let key = flight_key(&self.cache_request, &self.found, &self.headers);
        let hash = self.cache.storage.front.hash(&key);
        self.cache.hit_for_miss.mark(hash, now);
    }
}

/// Waits for as long as the body is ready, and then until it is stored. None if the body is not
/// ready: then it is recorded in a task of its own.
async fn while_ready(
    recording: RunToCompletion<RecordOutcome>,
    is_whole: Arc<AtomicBool>,
) -> Option<RecordOutcome> {
    let mut recording = pin!(recording);
    poll_fn(|cx| match recording.as_mut().poll(cx) {
        Poll::Ready(recorded) => Poll::Ready(Some(recorded)),
        Poll::Pending if is_whole.load(Ordering::Relaxed) => Poll::Pending,
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// What `Content-Length` says, in bytes.
type Stated = Result<Option<u64>, Unclear>;

/// `Content-Length` is no number, or several.
#[derive(Clone, Copy, Debug)]
struct Unclear;

fn stated_length(headers: &HeaderMap) -> Stated {
    let mut stated = None;
    for line in headers.get_all(header::CONTENT_LENGTH) {
        let text = line.to_str().map_err(|_| Unclear)?.trim();
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let length = text.parse().ok().filter(|_| is_number).ok_or(Unclear)?;
        if stated.is_some_and(|stated| stated != length) {
            return Err(Unclear);
        }
        stated = Some(length);
    }
    Ok(stated)
}
