use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use larder_store::{Timestamp, Version};

use crate::engine::{
    Exchange, Freshness, ReuseRules, Sharing, date, format_date, freshen, is_last_modified_weak,
    strip,
};
use crate::policy::ResponsePolicy;
use crate::storage::HitHeaders;

/// A stored response, and what its fields mean, worked out once.
pub(crate) struct StoredResponse {
    pub(crate) status: StatusCode,
    /// Without fields of the connection and without `Age`; with `Date` and `Content-Length`.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) exchange: Exchange,
    pub(crate) tags: Vec<TagSnapshot>,
    /// When it was told to be stale, if it was.
    pub(crate) ended: Option<Timestamp>,
    pub(crate) date_info: DateInfo,
    age: Option<HeaderValue>,
    pub(crate) rules: ReuseRules,
    /// Whether it may be served to a request with `Authorization` too.
    pub(crate) may_share: bool,
    pub(crate) hit_headers: HitHeaders,
}

/// What the dates of a response are worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DateInfo {
    /// Whether its `Date` was made here, as the origin gave none.
    pub(crate) is_generated: bool,
    /// Whether its `Last-Modified` was weak when the body came: a later `Date`, from a 304, does not
    /// make it strong.
    pub(crate) is_last_modified_weak: bool,
}

/// A tag of a response, as it was when the response was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TagSnapshot {
    pub(crate) tag: String,
    /// Changes when the tag is purged, or was forgotten.
    pub(crate) generation: Version,
    /// Changes when the tag is told to be stale, too.
    pub(crate) version: Version,
}

impl StoredResponse {
    /// A response as it came from the origin, about to be stored.
    pub(crate) fn received(
        policy: &ResponsePolicy,
        status: StatusCode,
        mut headers: HeaderMap,
        body: Bytes,
        exchange: Exchange,
    ) -> Self {
        let said = policy.directives(&headers);
        strip(&mut headers, &said);
        let is_generated = add_date(&mut headers, exchange);
        if status != StatusCode::NO_CONTENT {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        let date_info = DateInfo {
            is_generated,
            is_last_modified_weak: is_last_modified_weak(&headers),
        };
        Self::restored(policy, status, compact(&headers), body, exchange).dated(date_info)
    }

    /// A response as it was stored.
    pub(crate) fn restored(
        policy: &ResponsePolicy,
        status: StatusCode,
        mut headers: HeaderMap,
        body: Bytes,
        exchange: Exchange,
    ) -> Self {
        let said = policy.directives(&headers);
        let sharing = Sharing::Shared;
        let freshness = Freshness::of(sharing, status, &headers, &said, exchange);
        Self {
            status,
            rules: ReuseRules::of(sharing, &said, freshness),
            may_share: said.public || said.must_revalidate || said.s_maxage.is_some(),
            age: headers.remove(header::AGE),
            headers,
            body,
            exchange,
            tags: Vec::new(),
            ended: None,
            date_info: DateInfo::default(),
            hit_headers: HitHeaders::default(),
        }
    }

    /// The same response with what the store knows of it.
    pub(crate) fn with_tags(mut self, tags: Vec<TagSnapshot>) -> Self {
        self.tags = tags;
        self
    }

    /// The same response with what its dates are worth.
    pub(crate) fn dated(mut self, date_info: DateInfo) -> Self {
        self.date_info = date_info;
        self
    }

    /// The same response, stale from `at` on.
    pub(crate) fn ended(mut self, at: Timestamp) -> Self {
        let at = self.ended.map_or(at, |before| before.min(at));
        self.ended = Some(at);
        self.rules.freshness = self.rules.freshness.ended(at);
        self
    }

    /// A copy that shares the body.
    pub(crate) fn copy(&self, policy: &ResponsePolicy) -> Self {
        let (headers, body) = (self.fields().map(owned).collect(), self.body.clone());
        let copy = Self::restored(policy, self.status, headers, body, self.exchange);
        let copy = copy.with_tags(self.tags.clone()).dated(self.date_info);
        match self.ended {
            Some(at) => copy.ended(at),
            None => copy,
        }
    }

    /// The fields as they came, to be stored.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let age = self.age.as_ref().map(|age| (&header::AGE, age));
        self.headers.iter().chain(age)
    }

    /// The same response after a 304 with `headers` came (RFC 9111, 4.3.4).
    pub(crate) fn freshened(
        &self,
        policy: &ResponsePolicy,
        headers: &HeaderMap,
        exchange: Exchange,
    ) -> Self {
        let mut stored = self.headers.clone();
        let before = policy.directives(&stored);
        freshen(&mut stored, headers, &policy.directives(headers));
        // What the stored response says of its fields holds for those that a 304 brings.
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
        Self::restored(policy, self.status, stored, body, exchange).dated(date_info)
    }

    /// Whether this response takes the place of `held`: it was asked for later, and its origin does
    /// not date it earlier (RFC 9111, 4).
    pub(crate) fn is_newer_than(&self, held: &Self) -> bool {
        let is_earlier = || {
            let [ours, theirs] = [self, held].map(|entry| date(&entry.headers, &header::DATE));
            !self.date_info.is_generated && !held.date_info.is_generated && ours < theirs
        };
        self.exchange.sent > held.exchange.sent && !is_earlier()
    }

    /// What it weighs in this process, in bytes, roughly.
    pub(crate) fn weight(&self) -> usize {
        let fields = self.headers.iter();
        let fields: usize = fields
            // The places of a field in its map, and in that of a hit.
            .map(|(name, value)| name.as_str().len() + value.len() + 256)
            .sum();
        self.body.len() + fields + 1024
    }
}

/// Gives a response without a date the one at which it was received (RFC 9110, 6.6.1). Returns
/// whether it did.
fn add_date(headers: &mut HeaderMap, exchange: Exchange) -> bool {
    let is_missing = date(headers, &header::DATE).is_none();
    if is_missing {
        let received = exchange.received.as_micros().div_euclid(1_000_000);
        headers.insert(header::DATE, format_date(received));
    }
    is_missing
}

fn owned((name, value): (&HeaderName, &HeaderValue)) -> (HeaderName, HeaderValue) {
    (name.clone(), value.clone())
}

/// The same fields, with their values in one allocation of their own: as they came they may be small
/// parts of a large read buffer.
fn compact(headers: &HeaderMap) -> HeaderMap {
    let length = headers.values().map(HeaderValue::len).sum();
    let mut values = BytesMut::with_capacity(length);
    for value in headers.values() {
        values.extend_from_slice(value.as_bytes());
    }
    let mut values = values.freeze();
    let mut compact = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let value = HeaderValue::from_maybe_shared(values.split_to(value.len()));
        // They are the bytes of a value.
        if let Ok(value) = value {
            compact.append(name, value);
        }
    }
    compact
}
