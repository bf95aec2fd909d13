use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use larder_store::{Timestamp, Version};

use crate::engine::{Exchange, Freshness, Rules, Sharing, date, format_date, freshen, strip};
use crate::stamp::Stamp;
use crate::view::View;

/// A stored response, and what its fields mean, worked out once.
pub(crate) struct Entry {
    pub(crate) status: StatusCode,
    /// Without fields of the connection and without `Age`; with `Date` and `Content-Length`.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) exchange: Exchange,
    pub(crate) tags: Vec<Tagged>,
    /// When it was told to be stale, if it was.
    pub(crate) ended: Option<Timestamp>,
    age: Option<HeaderValue>,
    pub(crate) rules: Rules,
    /// Whether it may be served to a request with `Authorization` too.
    pub(crate) may_share: bool,
    pub(crate) stamp: Stamp,
}

/// A tag of a response, and the version of its last purge when the response was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tagged {
    pub(crate) tag: String,
    pub(crate) version: Version,
}

impl Entry {
    /// A response as it came from the origin, about to be stored.
    pub(crate) fn received(
        view: &View,
        status: StatusCode,
        mut headers: HeaderMap,
        body: Bytes,
        exchange: Exchange,
    ) -> Self {
        let said = view.directives(&headers);
        strip(&mut headers, &said);
        // A response without a date gets the one at which it was received (RFC 9110, 6.6.1).
        if date(&headers, &header::DATE).is_none() {
            let received = exchange.received.as_micros().div_euclid(1_000_000);
            headers.insert(header::DATE, format_date(received));
        }
        if status != StatusCode::NO_CONTENT {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        Self::restored(view, status, compact(&headers), body, exchange)
    }

    /// A response as it was stored.
    pub(crate) fn restored(
        view: &View,
        status: StatusCode,
        mut headers: HeaderMap,
        body: Bytes,
        exchange: Exchange,
    ) -> Self {
        let said = view.directives(&headers);
        let sharing = Sharing::Shared;
        let freshness = Freshness::of(sharing, status, &headers, &said, exchange);
        Self {
            status,
            rules: Rules::of(sharing, &said, freshness),
            may_share: said.public || said.must_revalidate || said.s_maxage.is_some(),
            age: headers.remove(header::AGE),
            headers,
            body,
            exchange,
            tags: Vec::new(),
            ended: None,
            stamp: Stamp::default(),
        }
    }

    /// The same response with what the store knows of it.
    pub(crate) fn with_tags(mut self, tags: Vec<Tagged>) -> Self {
        self.tags = tags;
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
    pub(crate) fn copy(&self, view: &View) -> Self {
        let (headers, body) = (self.fields().map(owned).collect(), self.body.clone());
        let copy = Self::restored(view, self.status, headers, body, self.exchange);
        let copy = copy.with_tags(self.tags.clone());
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
    pub(crate) fn freshened(&self, view: &View, headers: &HeaderMap, exchange: Exchange) -> Self {
        let mut stored = self.headers.clone();
        freshen(&mut stored, headers);
        if date(headers, &header::DATE).is_none() {
            let received = exchange.received.as_micros().div_euclid(1_000_000);
            stored.insert(header::DATE, format_date(received));
        }
        Self::restored(
            view,
            self.status,
            compact(&stored),
            self.body.clone(),
            exchange,
        )
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
