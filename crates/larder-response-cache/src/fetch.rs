use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use larder_store::Timestamp;
use smallvec::SmallVec;
use tokio::time::Instant;
use tower_service::Service;

use crate::asked::Asked;
use crate::body::ResponseBody;
use crate::cache_status::{CacheStatus, Forward};
use crate::engine::{Failure, Profile, Reuse, Validators};
use crate::entry::Entry;
use crate::flights::{Lead, Outcome, Place};
use crate::forward::{Aim, Forwarding};
use crate::metrics::Answer;
use crate::serve::serve;
use crate::shared::Shared;
use crate::storage::{FETCH_LIMIT, Found};

/// How often a request waits for another one's fetch, all within the time of one wait.
const WAITS: usize = 3;

/// A request that was not answered at once, and the instance of the inner service for it.
pub(crate) struct Fetch<S> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) inner: S,
}

/// Where a request stands after it looked, and waited where that made sense.
enum Turn {
    /// It is answered by what is stored.
    Serve(Arc<Entry>, CacheStatus, Answer),
    /// It is answered so, and what is stored is validated behind it.
    Behind(Arc<Entry>, Found),
    /// It has to ask, alone or for those who wait.
    Ask(Found, Option<Lead>),
}

impl<S> Fetch<S> {
    pub(crate) async fn answer<ReqBody, ResBody>(
        self,
        request: Request<ReqBody>,
        asked: Asked,
    ) -> Result<Response<ResponseBody<ResBody>>, S::Error>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Send + 'static,
        ReqBody: Send + 'static,
        ResBody: Body<Data = Bytes> + Send + 'static,
        ResBody::Error: Send + 'static,
    {
        let shared = self.shared.clone();
        let headers = request.headers().clone();
        match wait_for_turn(&shared, &asked, &headers).await {
            Turn::Serve(entry, how, answer) => {
                shared.metrics.answered(answer);
                Ok(respond(&shared, &asked, &headers, &entry, how))
            }
            Turn::Behind(entry, found) => {
                shared.metrics.answered(Answer::Behind);
                let how = CacheStatus::hit(&entry.rules.freshness, shared.storage.now());
                let response = respond(&shared, &asked, &headers, &entry, how);
                self.validate_behind(request, asked, found);
                Ok(response)
            }
            Turn::Ask(..) if asked.rules.only_if_cached => {
                shared.metrics.answered(Answer::OnlyIfCached);
                let mut response = Response::new(ResponseBody::whole(Bytes::new()));
                *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
                Ok(response)
            }
            Turn::Ask(found, lead) => {
                let forwarding = Forwarding {
                    why: why(&asked, &found, shared.storage.now()),
                    aim: match lead {
                        Some(_) => Aim::Whole,
                        None => Aim::AsAsked,
                    },
                    shared,
                    asked,
                    headers,
                    found,
                    lead,
                };
                forwarding.ask(self.inner, request).await
            }
        }
    }

    /// Validates what is stale in a task of its own, unless somebody does already.
    fn validate_behind<ReqBody, ResBody>(
        self,
        mut request: Request<ReqBody>,
        asked: Asked,
        found: Found,
    ) where
        S: Service<Request<ReqBody>, Response = Response<ResBody>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Send + 'static,
        ReqBody: Send + 'static,
        ResBody: Body<Data = Bytes> + Send + 'static,
        ResBody::Error: Send + 'static,
    {
        let key = flight_key(&asked, &found, request.headers());
        let Some(lead) = self.shared.flights.lead(&key) else {
            return;
        };
        // The conditions, and the part, were the client's, who has its answer.
        Validators::default().apply(request.headers_mut());
        let forwarding = Forwarding {
            why: Forward::Stale,
            aim: Aim::Whole,
            shared: self.shared,
            headers: request.headers().clone(),
            asked: Asked {
                is_head: false,
                is_conditional: false,
                has_range: false,
                ..asked
            },
            found,
            lead: Some(lead),
        };
        *request.method_mut() = http::Method::GET;
        tokio::spawn(async move {
            // What comes later is not stored. A failure leaves what is stored as it was.
            let asking = forwarding.ask(self.inner, request);
            let _ = tokio::time::timeout(FETCH_LIMIT, asking).await;
        });
    }
}

/// What one who waited is told to do, after one more look.
#[derive(Clone, Copy)]
enum Told {
    /// To wait no longer, and to lead if nobody else does.
    Go,
    /// That the origin failed, so that what is stale may do.
    Failed(Failure, Option<StatusCode>),
}

/// Looks, and waits for those who fetch the same, until it is clear how the request is answered.
///
/// It waits for one deadline at most, however often.
async fn wait_for_turn(shared: &Shared, asked: &Asked, headers: &HeaderMap) -> Turn {
    let storage = &shared.storage;
    let (mut was_collapsed, mut told) = (false, None);
    let (mut waits, mut until) = (0, None);
    loop {
        let mut found = storage.find(&asked.primary, &asked.claims, headers).await;
        found.entry = found
            .entry
            .filter(|entry| asked.may_use(entry, shared.view.profile));
        let now = storage.now();
        let reuse = found
            .entry
            .as_ref()
            .map(|entry| (entry.clone(), entry.rules.judge(&asked.rules, now)));
        match reuse {
            Some((entry, Reuse::Fresh)) => return fresh(entry, was_collapsed, now),
            Some((entry, Reuse::Behind)) => return Turn::Behind(entry, found),
            Some((_, Reuse::Asked)) => return Turn::Ask(found, None),
            Some((_, Reuse::Stale)) | None => {}
        }
        let is_alone = asked.is_head || asked.has_authorization || asked.rules.only_if_cached;
        // By the letter a client's conditions go on as they are, so that the answer may be its alone.
        let is_own = asked.is_conditional && shared.view.profile == Profile::Rfc;
        let is_alone = is_alone || is_own || asked.has_range || asked.rules.no_cache;
        if is_alone || waits == WAITS {
            return Turn::Ask(found, None);
        }
        let key = flight_key(asked, &found, headers);
        match told {
            Some(Told::Failed(failure, status)) => {
                let limit = shared.stale_while_disconnected;
                let may_do =
                    |it: &Arc<Entry>| it.rules.may_cover(&asked.rules, failure, limit, now);
                return match found.entry.take_if(|entry| may_do(entry)) {
                    Some(entry) => {
                        let how = CacheStatus::covered(status).and_collapsed();
                        Turn::Serve(entry, how, Answer::Covered)
                    }
                    None => Turn::Ask(found, None),
                };
            }
            Some(Told::Go) => {
                let lead = shared.flights.lead(&key);
                return Turn::Ask(found, lead);
            }
            None => {}
        }
        if shared.passes.is_marked(storage.front.hash(&key), now) {
            return Turn::Ask(found, None);
        }
        match shared.flights.join(&key) {
            Place::Lead(lead) => {
                // Another flight may have landed between the look and now.
                let landed = storage.find_near(&asked.primary, &asked.claims, headers, now);
                let landed = landed.and_then(|found| found.entry);
                return match landed {
                    Some(entry) if entry.rules.judge(&asked.rules, now) == Reuse::Fresh => {
                        lead.end(Outcome::Landed);
                        fresh(entry, true, now)
                    }
                    _ => Turn::Ask(found, Some(lead)),
                };
            }
            Place::Follow(mut follow) => {
                let until = *until.get_or_insert_with(|| Instant::now() + shared.wait);
                match follow.outcome(until).await {
                    Some(Outcome::Unshared) => return Turn::Ask(found, None),
                    Some(Outcome::Landed) => was_collapsed = true,
                    Some(Outcome::Failed(how, status)) => told = Some(Told::Failed(how, status)),
                    Some(Outcome::Aloft) => {}
                    None => {
                        shared.metrics.gave_up_waiting();
                        shared.flights.give_up(&key, &follow);
                        told = Some(Told::Go);
                    }
                }
            }
        }
        waits += 1;
    }
}

fn fresh(entry: Arc<Entry>, was_collapsed: bool, now: Timestamp) -> Turn {
    let freshness = &entry.rules.freshness;
    let (how, answer) = if was_collapsed {
        (CacheStatus::collapsed(freshness, now), Answer::Collapsed)
    } else {
        (CacheStatus::hit(freshness, now), Answer::Hit)
    };
    Turn::Serve(entry, how, answer)
}

/// What those who want the same response have in common: the URI, and the variant where there are
/// variants.
pub(crate) fn flight_key(asked: &Asked, found: &Found, headers: &HeaderMap) -> SmallVec<[u8; 128]> {
    let mut key = SmallVec::from_slice(asked.primary.as_bytes());
    let selecting = found.selecting(&asked.claims);
    if !selecting.is_empty() {
        key.push(b' ');
        key.extend_from_slice(selecting.variant(headers).as_bytes());
    }
    key
}

fn why(asked: &Asked, found: &Found, now: Timestamp) -> Forward {
    match &found.entry {
        Some(entry) if entry.rules.judge(&asked.rules, now) == Reuse::Asked => Forward::Request,
        Some(_) if asked.is_head => Forward::Method,
        Some(_) => Forward::Stale,
        None if found.has_variants => Forward::VaryMiss,
        None => Forward::UriMiss,
    }
}

pub(crate) fn respond<B: Body>(
    shared: &Shared,
    asked: &Asked,
    headers: &HeaderMap,
    entry: &Entry,
    how: CacheStatus,
) -> Response<ResponseBody<B>> {
    let now = shared.storage.now();
    serve(entry, asked, headers, &shared.name, how, now)
}
