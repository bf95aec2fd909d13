use http::HeaderMap;
use larder_store::Timestamp;

use super::freshness::is_pragma_no_cache;
use super::{CacheControl, Freshness};

/// The rules for reusing a stored response, worked out once when it is stored or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReuseRules {
    /// Its age and its lifetime.
    pub freshness: Freshness,
    pub(super) no_cache: bool,
    pub(super) forbids_stale: bool,
    pub(super) stale_while_revalidate: u64,
    pub(super) stale_if_error: u64,
}

/// The directives of a request: which responses may be reused for it (RFC 9111, 5.2.1 and 5.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestDirectives {
    /// `no-cache`, or `Pragma: no-cache` without `Cache-Control`, or directives that cannot be read.
    pub no_cache: bool,
    /// `no-store`.
    pub no_store: bool,
    /// `only-if-cached`.
    pub only_if_cached: bool,
    max_age: Option<u64>,
    min_fresh: u64,
    max_stale: u64,
    pub(super) stale_if_error: u64,
}

/// How a stored response may be used for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// It may be served.
    Fresh,
    /// It is stale. It may be served while it is validated in the background.
    StaleWhileRevalidate,
    /// It is stale, and must be validated first.
    Stale,
    /// The request asks for validation, whether the response is fresh or not.
    ValidationRequested,
}

impl ReuseRules {
    /// Works out the rules of a response.
    ///
    /// `must-revalidate`, `proxy-revalidate` and `s-maxage` forbid serving it stale (RFC 9111, 4.2.4).
    pub fn of(directives: &CacheControl, freshness: Freshness) -> Self {
        let for_shared = directives.proxy_revalidate || directives.s_maxage.is_some();
        let forbids_stale = directives.no_cache || directives.must_revalidate || for_shared;
        let window = |seconds: Option<u64>| seconds.filter(|_| !forbids_stale).unwrap_or(0);
        Self {
            freshness,
            no_cache: directives.no_cache,
            forbids_stale,
            stale_while_revalidate: window(directives.stale_while_revalidate),
            stale_if_error: window(directives.stale_if_error),
        }
    }

    /// Returns whether the response may never be served stale (RFC 9111, 4.2.4).
    pub fn forbids_stale(&self) -> bool {
        self.forbids_stale
    }

    /// Decides how the response may be used at `now` for a request with these directives (RFC 9111, 4).
    pub fn reuse(&self, request: &RequestDirectives, now: Timestamp) -> Reuse {
        if self.no_cache {
            return Reuse::Stale;
        }
        let too_old = |limit| self.freshness.age(now) > limit;
        if request.no_cache || request.max_age.is_some_and(too_old) {
            return Reuse::ValidationRequested;
        }
        if self.freshness.is_fresh(now) {
            let is_fresh_enough = self.freshness.remaining(now) >= request.min_fresh;
            return if is_fresh_enough {
                Reuse::Fresh
            } else {
                Reuse::ValidationRequested
            };
        }
        let is_stale_enough = self.freshness.staleness(now) < request.max_stale;
        // Without `max-stale`, both ask for a response that is not stale (RFC 9111, 5.2.1.1 and 5.2.1.3).
        let accepts_stale = request.max_age.is_none() && request.min_fresh == 0;
        if !self.forbids_stale && is_stale_enough {
            Reuse::Fresh
        } else if accepts_stale && self.may_serve_while_revalidating(now) {
            Reuse::StaleWhileRevalidate
        } else {
            Reuse::Stale
        }
    }

    /// Returns for how many seconds after `now` the response itself permits that it is served.
    ///
    /// After its freshness that is while it is validated in the background, or in place of a failure.
    pub fn usable(&self, now: Timestamp) -> u64 {
        if self.no_cache {
            return 0;
        }
        let stale = self.stale_while_revalidate.max(self.stale_if_error);
        let usable = self.freshness.remaining(now).saturating_add(stale);
        usable.saturating_sub(self.freshness.staleness(now))
    }

    /// Returns whether it may be served at `now` to every request that waits for it.
    pub fn is_shareable(&self, now: Timestamp) -> bool {
        let reuse = self.reuse(&RequestDirectives::default(), now);
        matches!(reuse, Reuse::Fresh | Reuse::StaleWhileRevalidate)
    }
}

impl RequestDirectives {
    /// Reads `Cache-Control` and `Pragma` of a request.
    pub fn of(request: &HeaderMap) -> Self {
        let directives = CacheControl::of(request);
        let pragma = !directives.is_present && is_pragma_no_cache(request);
        Self {
            no_cache: directives.no_cache
                || directives.is_unreadable
                || !directives.no_cache_fields.is_empty()
                || pragma,
            no_store: directives.no_store,
            only_if_cached: directives.only_if_cached,
            max_age: directives.max_age,
            min_fresh: directives.min_fresh.unwrap_or(0),
            max_stale: directives.max_stale.unwrap_or(0),
            stale_if_error: directives.stale_if_error.unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::StatusCode;

    use super::*;
    use crate::engine::{Exchange, OriginFailure};

    fn map(directives: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if !directives.is_empty() {
            headers.append("cache-control", directives.parse().unwrap());
        }
        headers
    }

    fn rules(directives: &str) -> ReuseRules {
        let (headers, now) = (map(directives), at(0));
        let directives = CacheControl::of(&headers);
        let exchange = Exchange {
            sent: now,
            received: now,
        };
        let freshness = Freshness::of(StatusCode::OK, &headers, &directives, exchange);
        ReuseRules::of(&directives, freshness)
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn judge(response: &str, request: &str, age: i64) -> Reuse {
        rules(response).reuse(&RequestDirectives::of(&map(request)), at(age))
    }

    #[test]
    fn a_fresh_response_is_served_and_a_stale_one_is_validated() {
        assert_eq!(judge("max-age=10", "", 9), Reuse::Fresh);
        assert_eq!(judge("max-age=10", "", 10), Reuse::Stale);
        assert_eq!(judge("max-age=10, no-cache", "", 0), Reuse::Stale);
    }

    #[test]
    fn a_request_may_ask_for_a_fresher_response() {
        for asked in [
            "no-cache",
            "max-age=4",
            "min-fresh=6",
            "max-age=x",
            "min-fresh=x",
            "x=\"",
        ] {
            assert_eq!(
                judge("max-age=10", asked, 5),
                Reuse::ValidationRequested,
                "{asked}"
            );
        }
        for pleased in ["max-age=5", "min-fresh=5", "max-stale", "foo"] {
            assert_eq!(judge("max-age=10", pleased, 5), Reuse::Fresh, "{pleased}");
        }
    }

    #[test]
    fn a_request_may_accept_a_stale_response_if_the_response_permits_it() {
        assert_eq!(judge("max-age=10", "max-stale=5", 14), Reuse::Fresh);
        assert_eq!(judge("max-age=10", "max-stale=5", 15), Reuse::Stale);
        assert_eq!(judge("max-age=10", "max-stale", 15_000), Reuse::Fresh);
        assert_eq!(judge("max-age=10", "max-stale=x", 10), Reuse::Stale);
        for directives in ["must-revalidate", "proxy-revalidate", "s-maxage=10"] {
            let directives = format!("max-age=10, {directives}");
            assert_eq!(
                judge(&directives, "max-stale", 15),
                Reuse::Stale,
                "{directives}"
            );
        }
    }

    #[test]
    fn stale_while_revalidate_has_a_window() {
        let directives = "max-age=10, stale-while-revalidate=5";
        assert_eq!(judge(directives, "", 14), Reuse::StaleWhileRevalidate);
        assert_eq!(judge(directives, "", 15), Reuse::Stale);
        for asked in ["max-age=600", "min-fresh=1", "max-age=600, max-stale=1"] {
            assert_eq!(judge(directives, asked, 11), Reuse::Stale, "{asked}");
        }
        assert_eq!(
            judge(directives, "max-age=600, max-stale=2", 11),
            Reuse::Fresh
        );
        assert_eq!(
            judge(&format!("{directives}, must-revalidate"), "", 11),
            Reuse::Stale
        );
    }

    #[test]
    fn it_is_usable_for_the_longer_window_and_shared_while_it_is_served_without_validation() {
        let windows = "max-age=10, stale-while-revalidate=5, stale-if-error=20";
        for (age, usable) in [(4, 26), (10, 20), (14, 16), (30, 0), (31, 0)] {
            assert_eq!(rules(windows).usable(at(age)), usable, "{age}");
        }
        assert_eq!(
            rules(&format!("{windows}, must-revalidate")).usable(at(4)),
            6
        );
        assert!(rules(windows).is_shareable(at(14)) && !rules(windows).is_shareable(at(15)));
        let no_cache = rules("max-age=10, no-cache");
        assert!(!no_cache.is_shareable(at(0)) && no_cache.usable(at(0)) == 0);
    }

    #[test]
    fn a_server_that_fails_is_told_from_one_that_refuses() {
        let of = |status| OriginFailure::of(StatusCode::from_u16(status).unwrap());
        for status in [500, 502, 503, 504] {
            assert_eq!(of(status), Some(OriginFailure::ErrorStatus));
        }
        for status in [200, 404, 501, 505] {
            assert_eq!(of(status), None);
        }
    }

    #[test]
    fn pragma_counts_if_there_is_no_cache_control() {
        let mut request = HeaderMap::new();
        request.append("pragma", "foo, No-Cache".parse().unwrap());
        assert!(RequestDirectives::of(&request).no_cache);
        request.append("cache-control", "foo".parse().unwrap());
        assert!(!RequestDirectives::of(&request).no_cache);
    }

    #[test]
    fn a_stale_response_replaces_a_failure_while_that_is_permitted() {
        let limit = Duration::from_secs(60);
        let covers = |directives: &str, request: &str, failure, age| {
            rules(directives).may_serve_on_failure(
                &RequestDirectives::of(&map(request)),
                failure,
                limit,
                at(age),
            )
        };
        assert!(covers(
            "max-age=1, stale-if-error=5",
            "",
            OriginFailure::ErrorStatus,
            5
        ));
        assert!(!covers(
            "max-age=1, stale-if-error=5",
            "",
            OriginFailure::ErrorStatus,
            6
        ));
        assert!(covers(
            "max-age=1",
            "stale-if-error=5",
            OriginFailure::ErrorStatus,
            5
        ));
        assert!(!covers("max-age=1", "", OriginFailure::ErrorStatus, 2));
        assert!(covers("max-age=1", "", OriginFailure::Disconnected, 60));
        assert!(!covers("max-age=1", "", OriginFailure::Disconnected, 61));
        for directives in [
            "must-revalidate",
            "proxy-revalidate",
            "s-maxage=1",
            "no-cache",
        ] {
            let directives = format!("max-age=1, stale-if-error=99, {directives}");
            assert!(
                !covers(&directives, "", OriginFailure::Disconnected, 2),
                "{directives}"
            );
        }
    }
}
