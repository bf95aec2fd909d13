use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::Body;

use super::Forwarding;
use crate::asked::may_store;
use crate::body::ResponseBody;
use crate::engine::{Exchange, HeadEffect, Profile, Refusal, Validators, effect_of_head};
use crate::entry::Entry;
use crate::fetch::respond;
use crate::metrics::Answer;
use crate::storage::Committed;

impl Forwarding {
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
    pub(super) async fn learn(&self, head: &HeaderMap, exchange: Exchange) {
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
}
