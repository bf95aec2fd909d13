use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::engine::Freshness;
use larder_store::Timestamp;

/// Why a request went to the inner service (RFC 9211, 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ForwardReason {
    /// The cache has nothing to do with the request.
    Bypass,
    /// Nothing was stored for the URI.
    UriMiss,
    /// Something was, for other requests.
    VaryMiss,
    /// What is stored is stale.
    Stale,
    /// The request asked for something fresher.
    Request,
    /// It asked for something that is not cached.
    Method,
}

/// How a response came about, as the member that this cache adds to `Cache-Status` (RFC 9211).
#[derive(Clone, Copy, Debug)]
pub(crate) enum CacheStatus {
    /// From what is stored, with the seconds for which it is still fresh, negative where it is
    /// stale.
    Hit { ttl: i64 },
    /// From the inner service, or after asking it.
    Forwarded {
        reason: ForwardReason,
        status: Option<StatusCode>,
        is_stored: bool,
        /// Whether it was another request that went, and this one waited for it.
        is_collapsed: bool,
        /// Why the response is not stored (RFC 9211, 2.8).
        detail: Option<&'static str>,
    },
    /// From what another request fetched at the same time.
    Collapsed { ttl: i64 },
}

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

impl CacheStatus {
    pub(crate) fn hit(freshness: &Freshness, now: Timestamp) -> Self {
        Self::Hit {
            ttl: ttl(freshness, now),
        }
    }

    pub(crate) fn collapsed(freshness: &Freshness, now: Timestamp) -> Self {
        Self::Collapsed {
            ttl: ttl(freshness, now),
        }
    }

    /// From what is stored, stale, in place of a failure with this status.
    pub(crate) fn covered(status: Option<StatusCode>) -> Self {
        Self::Forwarded {
            reason: ForwardReason::Stale,
            status,
            is_stored: false,
            is_collapsed: false,
            detail: None,
        }
    }

    /// The same for one who waited for the request that went.
    pub(crate) fn and_collapsed(self) -> Self {
        match self {
            Self::Forwarded {
                reason,
                status,
                is_stored,
                detail,
                ..
            } => Self::Forwarded {
                reason,
                status,
                is_stored,
                is_collapsed: true,
                detail,
            },
            other => other,
        }
    }

    /// From the inner service, and stored.
    pub(crate) fn stored(reason: ForwardReason, status: Option<StatusCode>) -> Self {
        Self::Forwarded {
            reason,
            status,
            is_stored: true,
            is_collapsed: false,
            detail: None,
        }
    }

    /// From the inner service, and not stored for this reason.
    pub(crate) fn not_stored(
        reason: ForwardReason,
        status: Option<StatusCode>,
        detail: &'static str,
    ) -> Self {
        Self::Forwarded {
            reason,
            status,
            is_stored: false,
            is_collapsed: false,
            detail: Some(detail),
        }
    }

    /// Adds the member behind those of caches nearer to the origin.
    pub(crate) fn add(self, name: &str, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::try_from(self.member(name)) {
            headers.append(CACHE_STATUS, value);
        }
    }

    fn member(self, name: &str) -> String {
        match self {
            Self::Hit { ttl } => format!("{name}; hit; ttl={ttl}"),
            Self::Collapsed { ttl } => format!("{name}; fwd=uri-miss; collapsed; ttl={ttl}"),
            Self::Forwarded {
                reason,
                status,
                is_stored,
                is_collapsed,
                detail,
            } => {
                let reason = match reason {
                    ForwardReason::Bypass => "bypass",
                    ForwardReason::UriMiss => "uri-miss",
                    ForwardReason::VaryMiss => "vary-miss",
                    ForwardReason::Stale => "stale",
                    ForwardReason::Request => "request",
                    ForwardReason::Method => "method",
                };
                let mut member = format!("{name}; fwd={reason}");
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
    }
}

/// At most 68 years, so it fits.
fn ttl(freshness: &Freshness, now: Timestamp) -> i64 {
    freshness.remaining(now) as i64 - freshness.staleness(now) as i64
}

/// Whether the text may name a cache: a token of structured fields (RFC 9651, 3.3.4).
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
    fn every_member_is_a_structured_field_behind_those_that_were_there() {
        for status in [
            CacheStatus::Hit { ttl: 5 },
            CacheStatus::Hit { ttl: -5 },
            CacheStatus::Collapsed { ttl: 5 },
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
