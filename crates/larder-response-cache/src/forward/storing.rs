use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body::Body;
use larder_store::Timestamp;

use super::Forwarding;
use crate::asked::may_store;
use crate::body::{ResponseBody, tee};
use crate::engine::{Exchange, Failure, Freshness, Refusal, Sharing, may_replace_fresh};
use crate::entry::Entry;
use crate::fetch::flight_key;
use crate::flights::Outcome;
use crate::pump::Pump;
use crate::storage::{Cause, Commit, Committed};

impl Forwarding {
    /// Sends a response on, and stores it on the way where it may be stored.
    pub(super) fn pass_on<B>(
        mut self,
        response: Response<B>,
        exchange: Exchange,
    ) -> Response<ResponseBody<B>>
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

    pub(super) fn storable(
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
        let held = self.fresh(exchange.received);
        if held.is_some_and(|held| !may_replace_fresh(held.status, status)) {
            return Err(Refusal::Status);
        }
        let is_small = usize::try_from(length).is_ok_and(|length| length <= self.shared.max_body);
        is_small.then_some(()).ok_or(Refusal::TooLarge)
    }

    pub(crate) async fn store(mut self, entry: Entry) {
        let (committed, entry) = self.commit(entry, Cause::Response).await;
        if committed == Committed::Stored && entry.rules.is_shareable(self.shared.storage.now()) {
            let key = flight_key(&self.asked, &self.found, &self.headers);
            let hash = self.shared.storage.front.hash(&key);
            self.shared.passes.clear(hash);
        }
        self.land(committed, &entry);
    }

    pub(super) async fn commit(&self, entry: Entry, cause: Cause) -> (Committed, Arc<Entry>) {
        let commit = Commit {
            primary: &self.asked.primary,
            basis: &self.found.basis,
            cause,
            claims: &self.asked.claims,
            request: &self.headers,
        };
        self.shared.storage.commit(commit, entry).await
    }

    /// Tells those who wait what became of it: there is something for them only if it is stored
    /// and fresh.
    pub(super) fn land(&mut self, committed: Committed, entry: &Entry) {
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
}
