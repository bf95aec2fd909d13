use http::{HeaderMap, StatusCode, header};
use larder_store::Timestamp;

use super::argument::delta_seconds;
use super::date::date;
use super::list::trim;
use super::status::is_heuristically_cacheable;
use super::{CacheControl, MAX_DELTA};

/// When a request was sent, and when its response was received, by this cache's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// When the request was sent.
    pub sent: Timestamp,
    /// When the response was received.
    pub received: Timestamp,
}

/// The age of a stored response, and its freshness lifetime (RFC 9111, 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    received: Timestamp,
    /// Seconds.
    initial_age: u64,
    /// Seconds.
    lifetime: u64,
    is_explicit: bool,
}

/// The longest heuristic lifetime, in seconds: a day.
const MAX_HEURISTIC: u64 = 24 * 60 * 60;

impl Freshness {
    /// Computes the freshness of a response.
    ///
    /// Its lifetime is the first of these that the response has:
    ///
    /// 1. `s-maxage`;
    /// 2. `max-age`;
    /// 3. `Expires` minus `Date`; an invalid `Expires` is in the past;
    /// 4. a tenth of the time since `Last-Modified`, at most a day, if the status or `public` permits a
    ///    heuristic.
    pub fn of(
        status: StatusCode,
        headers: &HeaderMap,
        directives: &CacheControl,
        exchange: Exchange,
    ) -> Self {
        let explicit = explicit(headers, directives, exchange);
        let lifetime = explicit.unwrap_or_else(|| heuristic(status, headers, directives, exchange));
        Self {
            received: exchange.received,
            initial_age: initial_age(headers, exchange),
            lifetime,
            is_explicit: explicit.is_some(),
        }
    }

    /// Returns the age at `now`, in seconds (RFC 9111, 4.2.3).
    pub fn age(&self, now: Timestamp) -> u64 {
        self.initial_age
            .saturating_add(now.since(self.received).as_secs())
            .min(MAX_DELTA)
    }

    /// Returns the lifetime, in seconds.
    pub fn lifetime(&self) -> u64 {
        self.lifetime
    }

    /// Returns whether the origin declared the lifetime.
    pub fn is_explicit(&self) -> bool {
        self.is_explicit
    }

    /// Makes the response stale from `at` on.
    pub fn expired_at(self, at: Timestamp) -> Self {
        Self {
            lifetime: self.lifetime.min(self.age(at)),
            ..self
        }
    }

    /// Returns whether the response is fresh at `now`.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.lifetime > self.age(now)
    }

    /// Returns for how many seconds the response is still fresh. 0 if it is stale.
    pub fn remaining(&self, now: Timestamp) -> u64 {
        self.lifetime.saturating_sub(self.age(now))
    }

    /// Returns for how many seconds the response has been stale. 0 if it is fresh.
    pub fn staleness(&self, now: Timestamp) -> u64 {
        self.age(now).saturating_sub(self.lifetime)
    }
}

fn seconds(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(1_000_000)
}

fn since(later: i64, earlier: i64) -> u64 {
    u64::try_from(later.saturating_sub(earlier)).unwrap_or(0)
}

fn initial_age(headers: &HeaderMap, exchange: Exchange) -> u64 {
    let received = seconds(exchange.received);
    let apparent = date(headers, &header::DATE).map_or(0, |date| since(received, date));
    let delay = exchange.received.since(exchange.sent).as_secs();
    let corrected = age_field(headers).unwrap_or(0).saturating_add(delay);
    apparent.max(corrected)
}

/// Returns the first value of `Age`, or None if it is not a number of seconds (RFC 9111, 5.1).
fn age_field(headers: &HeaderMap) -> Option<u64> {
    let line = headers.get(header::AGE)?.as_bytes();
    let first = line.split(|&byte| byte == b',').next()?;
    delta_seconds(trim(first))
}

fn explicit(headers: &HeaderMap, directives: &CacheControl, exchange: Exchange) -> Option<u64> {
    if let Some(lifetime) = directives.s_maxage.or(directives.max_age) {
        return Some(lifetime);
    }
    if directives.is_targeted || !headers.contains_key(header::EXPIRES) {
        return None;
    }
    let Some(expires) = date(headers, &header::EXPIRES) else {
        return Some(0);
    };
    let date = date(headers, &header::DATE).unwrap_or_else(|| seconds(exchange.received));
    Some(since(expires, date))
}

fn heuristic(
    status: StatusCode,
    headers: &HeaderMap,
    directives: &CacheControl,
    exchange: Exchange,
) -> u64 {
    let is_forbidden = !directives.is_present && is_pragma_no_cache(headers);
    if is_forbidden || !(is_heuristically_cacheable(status) || directives.public) {
        return 0;
    }
    let Some(modified) = date(headers, &header::LAST_MODIFIED) else {
        return 0;
    };
    let date = date(headers, &header::DATE).unwrap_or_else(|| seconds(exchange.received));
    (since(date, modified) / 10).min(MAX_HEURISTIC)
}

/// Returns whether `Pragma` says `no-cache`, which counts if there is no `Cache-Control` (RFC 9111, 5.4).
pub(super) fn is_pragma_no_cache(headers: &HeaderMap) -> bool {
    headers.get_all(header::PRAGMA).iter().any(|line| {
        line.as_bytes()
            .split(|&byte| byte == b',')
            .any(|member| trim(member).eq_ignore_ascii_case(b"no-cache"))
    })
}

#[cfg(test)]
mod tests;
