use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use larder_layer::tags::{Generation, Tag};
use larder_store::Timestamp;

use super::hit_headers::HitHeaders;
use crate::engine::{
    Exchange, Freshness, RequestDirectives, Reuse, ReuseRules, date, format_date, freshen,
    is_last_modified_weak, may_replace_fresh, strip,
};
use crate::policy::ResponsePolicy;

/// A stored response, with the meaning of its headers, which is worked out once.
pub(crate) struct StoredResponse {
    pub(crate) status: StatusCode,
    /// Without `Age` and the headers of the connection; with `Date` and `Content-Length`.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) exchange: Exchange,
    /// Its tags, each with the generation that it had when the response was stored.
    pub(crate) tags: Vec<(Tag, Generation)>,
    /// When a purge made it stale, if one did.
    pub(crate) expired: Option<Timestamp>,
    pub(crate) date_info: DateInfo,
    age: Option<HeaderValue>,
    pub(crate) rules: ReuseRules,
    /// Whether it may also be served to a request with `Authorization` (RFC 9111, 3.5).
    pub(crate) permits_authorized: bool,
    pub(crate) hit_headers: HitHeaders,
}

/// How far the dates of a response can be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DateInfo {
    /// Whether this cache made its `Date`, because the origin sent none.
    pub(crate) is_generated: bool,
    /// Whether its `Last-Modified` was weak when the body was received. The later `Date` of a 304 does
    /// not make it strong.
    pub(crate) is_last_modified_weak: bool,
}

impl StoredResponse {
    /// Makes a response that came from the origin, about to be stored.
    pub(crate) fn received(
        policy: &ResponsePolicy,
        status: StatusCode,
        mut headers: HeaderMap,
        body: Bytes,
        exchange: Exchange,
    ) -> Self {
        let directives = policy.directives(&headers);
        strip(&mut headers, &directives);
        let is_generated = add_date(&mut headers, exchange);
        if status != StatusCode::NO_CONTENT {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        let date_info = DateInfo {
            is_generated,
            is_last_modified_weak: is_last_modified_weak(&headers),
        };
        Self::restored(policy, status, compact(&headers), body, exchange).with_date_info(date_info)
    }

    /// Makes a response that is read from the store.
    pub(crate) fn restored(
        policy: &ResponsePolicy,
        status: StatusCode,
        mut headers: HeaderMap,
        body: Bytes,
        exchange: Exchange,
    ) -> Self {
        let directives = policy.directives(&headers);
        // Another release may have stored fields that this one does not.
        for name in &directives.no_cache_fields {
            headers.remove(name);
        }
        let freshness = Freshness::of(status, &headers, &directives, exchange);
        Self {
            status,
            rules: ReuseRules::of(&directives, freshness),
            permits_authorized: directives.permits_authorized(),
            age: headers.remove(header::AGE),
            headers,
            body,
            exchange,
            tags: Vec::new(),
            expired: None,
            date_info: DateInfo::default(),
            hit_headers: HitHeaders::default(),
        }
    }

    pub(crate) fn with_tags(mut self, tags: Vec<(Tag, Generation)>) -> Self {
        self.tags = tags;
        self
    }

    pub(crate) fn with_date_info(mut self, date_info: DateInfo) -> Self {
        self.date_info = date_info;
        self
    }

    /// Makes the response stale from `at` on.
    pub(crate) fn expired_at(mut self, at: Timestamp) -> Self {
        let at = self.expired.map_or(at, |before| before.min(at));
        self.expired = Some(at);
        self.rules.freshness = self.rules.freshness.expired_at(at);
        self
    }

    /// Returns a copy that shares the body.
    pub(crate) fn copy(&self, policy: &ResponsePolicy) -> Self {
        let headers = self.fields();
        let headers = headers.map(|(name, value)| (name.clone(), value.clone()));
        let (headers, body) = (headers.collect(), self.body.clone());
        let copy = Self::restored(policy, self.status, headers, body, self.exchange);
        let copy = copy
            .with_tags(self.tags.clone())
            .with_date_info(self.date_info);
        match self.expired {
            Some(at) => copy.expired_at(at),
            None => copy,
        }
    }

    /// Returns the headers as they came, to be stored.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let age = self.age.as_ref().map(|age| (&header::AGE, age));
        self.headers.iter().chain(age)
    }

    /// Returns this response, updated by a 304 with `headers` (RFC 9111, 4.3.4).
    ///
    /// It has the tags of this response, so that it can be told whether one of them was purged.
    pub(crate) fn freshened(
        &self,
        policy: &ResponsePolicy,
        headers: &HeaderMap,
        exchange: Exchange,
    ) -> Self {
        let mut stored = self.headers.clone();
        let before = policy.directives(&stored);
        freshen(&mut stored, headers, &policy.directives(headers));
        // The directives of the stored response also apply to the headers of a 304.
        strip(&mut stored, &before);
        let is_generated = date(headers, &header::DATE).is_none();
        if is_generated {
            stored.remove(header::DATE);
            add_date(&mut stored, exchange);
        }
        let date_info = DateInfo {
            is_generated,
            ..self.date_info
        };
        let (stored, body) = (compact(&stored), self.body.clone());
        let updated = Self::restored(policy, self.status, stored, body, exchange);
        updated
            .with_tags(self.tags.clone())
            .with_date_info(date_info)
    }

    /// Returns whether it may be served at `now` to a request without directives, without validation.
    pub(crate) fn is_fresh(&self, now: Timestamp) -> bool {
        self.rules.reuse(&RequestDirectives::default(), now) == Reuse::Fresh
    }

    /// Returns whether this response replaces `held` (RFC 9111, 4).
    ///
    /// It does if its request was sent later, and its origin does not date it earlier.
    pub(crate) fn is_newer_than(&self, held: &Self) -> bool {
        let is_dated_earlier = || {
            let [ours, theirs] =
                [self, held].map(|response| date(&response.headers, &header::DATE));
            !self.date_info.is_generated && !held.date_info.is_generated && ours < theirs
        };
        self.exchange.sent > held.exchange.sent && !is_dated_earlier()
    }

    /// Returns whether this response replaces `held`, which was found when it was stored.
    ///
    /// It does if it is newer. An error does not replace a response that is fresh at `now`.
    pub(crate) fn replaces(&self, held: &Self, now: Timestamp) -> bool {
        let may_replace = || !held.is_fresh(now) || may_replace_fresh(held.status, self.status);
        self.is_newer_than(held) && may_replace()
    }

    /// Returns whether this response replaces variants that other fields select.
    ///
    /// An error does not, because some of them may be fresh.
    pub(crate) fn replaces_variants(&self) -> bool {
        may_replace_fresh(StatusCode::OK, self.status)
    }

    /// Returns its approximate weight in this process, in bytes.
    pub(crate) fn weight(&self) -> usize {
        let headers = self.headers.iter();
        let headers: usize = headers
            // The memory of a header in its map, and in the map of a hit.
            .map(|(name, value)| name.as_str().len() + value.len() + 256)
            .sum();
        self.body.len() + headers + 1024
    }
}

/// Dates a response without a `Date` by its time of receipt (RFC 9110, 6.6.1).
///
/// Returns whether it did.
fn add_date(headers: &mut HeaderMap, exchange: Exchange) -> bool {
    let is_missing = date(headers, &header::DATE).is_none();
    if is_missing {
        let received = exchange.received.as_micros().div_euclid(1_000_000);
        headers.insert(header::DATE, format_date(received));
    }
    is_missing
}

/// Copies the values of headers into one allocation.
///
/// As received they may be small parts of a large read buffer, which they would keep alive.
fn compact(headers: &HeaderMap) -> HeaderMap {
    let length = headers.values().map(HeaderValue::len).sum();
    let mut values = BytesMut::with_capacity(length);
    for value in headers.values() {
        values.extend_from_slice(value.as_bytes());
    }
    let mut values = values.freeze();
    let mut compact = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        // They are the bytes of a value, so this cannot fail.
        if let Ok(value) = HeaderValue::from_maybe_shared(values.split_to(value.len())) {
            compact.append(name, value);
        }
    }
    compact
}
