use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use larder_store::Timestamp;

use crate::engine::Freshness;

/// How a response was made: the member that this cache adds to `Cache-Status` (RFC 9211).
#[derive(Clone, Copy, Debug)]
pub(crate) enum CacheStatus {
    /// From a stored response, with its remaining freshness in seconds, negative if it is stale.
    Hit { ttl: i64 },
    /// From the inner service.
    Forwarded {
        reason: ForwardReason,
        status: Option<StatusCode>,
        is_stored: bool,
        /// Whether another request was forwarded, and this one waited for it.
        is_collapsed: bool,
        /// Why the response is not stored (RFC 9211, 2.8).
        detail: Option<&'static str>,
    },
    /// From the response that another request fetched at the same time.
    Collapsed { reason: ForwardReason, ttl: i64 },
}

/// Why a request was forwarded to the inner service (RFC 9211, 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ForwardReason {
    /// The request bypasses the cache.
    Bypass,
    /// Nothing is stored for the URI.
    UriMiss,
    /// Responses to other requests are stored for the URI.
    VaryMiss,
    /// The stored response is stale.
    Stale,
    /// The request asks for a fresher response.
    Request,
    /// Responses to the request's method are not stored.
    Method,
}

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

impl CacheStatus {
    pub(crate) fn hit(freshness: &Freshness, now: Timestamp) -> Self {
        Self::Hit {
            ttl: ttl(freshness, now),
        }
    }

    pub(crate) fn collapsed(reason: ForwardReason, freshness: &Freshness, now: Timestamp) -> Self {
        Self::Collapsed {
            reason,
            ttl: ttl(freshness, now),
        }
    }

    /// Describes a stale response that is served in place of a failure with this status.
    pub(crate) fn stale_if_error(status: Option<StatusCode>) -> Self {
        Self::forwarded(ForwardReason::Stale, status, false, None)
    }

    /// Describes a response of the inner service that is stored.
    pub(crate) fn stored(reason: ForwardReason, status: Option<StatusCode>) -> Self {
        Self::forwarded(reason, status, true, None)
    }

    /// Describes a response of the inner service that is not stored because of `detail`.
    pub(crate) fn not_stored(
        reason: ForwardReason,
        status: Option<StatusCode>,
        detail: &'static str,
    ) -> Self {
        Self::forwarded(reason, status, false, Some(detail))
    }

    fn forwarded(
        reason: ForwardReason,
        status: Option<StatusCode>,
        is_stored: bool,
        detail: Option<&'static str>,
    ) -> Self {
        Self::Forwarded {
            reason,
            status,
            is_stored,
            is_collapsed: false,
            detail,
        }
    }

    /// Adds that the request waited for another one, which was forwarded.
    pub(crate) fn and_collapsed(mut self) -> Self {
        if let Self::Forwarded { is_collapsed, .. } = &mut self {
            *is_collapsed = true;
        }
        self
    }

    /// Adds the member after those of caches that are nearer to the origin.
    pub(crate) fn add(self, name: &str, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::try_from(self.member(name)) {
            headers.append(CACHE_STATUS, value);
        }
    }

    fn member(self, name: &str) -> String {
        let (reason, status, is_stored, is_collapsed, detail) = match self {
            Self::Hit { ttl } => return format!("{name}; hit; ttl={ttl}"),
            Self::Collapsed { reason, ttl } => {
                let reason = reason.as_str();
                return format!("{name}; fwd={reason}; collapsed; ttl={ttl}");
            }
            Self::Forwarded {
                reason,
                status,
                is_stored,
                is_collapsed,
                detail,
            } => (reason, status, is_stored, is_collapsed, detail),
        };
        let mut member = format!("{name}; fwd={}", reason.as_str());
        if let Some(status) = status {
            member.push_str("; fwd-status=");
            member.push_str(status.as_str());
        }
        if is_stored {
            member.push_str("; stored");
        }
        if is_collapsed {
            member.push_str("; collapsed");
        }
        if let Some(detail) = detail {
            member.push_str("; detail=");
            member.push_str(detail);
        }
        member
    }
}

impl ForwardReason {
    fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Stale => "stale",
            Self::Request => "request",
            Self::Method => "method",
        }
    }
}

/// Returns the remaining freshness in seconds. It is at most 68 years, so it fits.
fn ttl(freshness: &Freshness, now: Timestamp) -> i64 {
    freshness.remaining(now) as i64 - freshness.staleness(now) as i64
}

/// Returns whether the text is a valid name of a cache: a token of structured fields (RFC 9651,
/// 3.3.4).
pub(crate) fn is_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte);
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '*')
        && name.bytes().all(is_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_is_a_structured_field_after_those_that_were_there() {
        for status in [
            CacheStatus::Hit { ttl: 5 },
            CacheStatus::Hit { ttl: -5 },
            CacheStatus::Collapsed {
                reason: ForwardReason::Stale,
                ttl: 5,
            },
            CacheStatus::Forwarded {
                reason: ForwardReason::UriMiss,
                status: Some(StatusCode::OK),
                is_stored: true,
                is_collapsed: false,
                detail: None,
            },
            CacheStatus::Forwarded {
                reason: ForwardReason::Request,
                status: None,
                is_stored: false,
                is_collapsed: true,
                detail: Some("set-cookie"),
            },
        ] {
            let mut headers = HeaderMap::new();
            headers.append(CACHE_STATUS, HeaderValue::from_static("origin; hit"));
            status.add("larder", &mut headers);
            let lines = headers.get_all(CACHE_STATUS).iter();
            let joined: Vec<_> = lines.map(|line| line.to_str().unwrap()).collect();
            let list: sfv::List = sfv::Parser::new(&joined.join(", ")).parse().unwrap();
            assert_eq!(list.len(), 2);
        }
    }

    #[test]
    fn a_name_is_a_token() {
        assert!(is_name("larder") && is_name("*a:b/c"));
        assert!(!is_name("") && !is_name("1a") && !is_name("a b") && !is_name(&"a".repeat(65)));
    }
}
