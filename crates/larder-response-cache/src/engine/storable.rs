use http::{HeaderMap, Method, StatusCode, header};

use super::status::is_understood;
use super::{CacheControl, Freshness, Selecting, Sharing, Validators};

/// How near to the letter of RFC 9111 the cache stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// The letter, less what has leaked one visitor's data to another. Never stored are a response
    /// with `Set-Cookie`, one that varies with `Cookie` or `Authorization`, and one to a request
    /// with `Cookie` that does not say plainly that it may be reused: by `public`, or by a time in
    /// which it is fresh.
    #[default]
    Safe,
    /// RFC 9111 to the letter, but for ranges, which are stored only as parts of a whole, and for
    /// `no-store`, which always counts.
    Rfc,
}

/// Why a response is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The request is no GET.
    Method,
    /// The status is not final, is a part or a 304, or `must-understand` asks for more than is
    /// known of it.
    Status,
    /// `no-store` in the request or in the response.
    NoStore,
    /// `private`, in a shared cache.
    Private,
    /// The request has `Authorization`, and the response does not permit to share it.
    Authorization,
    /// The response sets a cookie, in the safe profile.
    SetCookie,
    /// The request has a cookie, and the response does not say that it may be reused, in the safe
    /// profile.
    Cookie,
    /// The response varies with everything, with too much, or, in the safe profile, with the
    /// visitor.
    Vary,
    /// It is a stream, a gRPC response, or an upgrade.
    Stream,
    /// `Cache-Control` cannot be taken apart.
    Unreadable,
    /// It is larger than may be stored.
    TooLarge,
    /// It could never be reused: it is stale, and nothing permits to validate it or to serve it
    /// stale.
    Useless,
}

impl Refusal {
    /// A word for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Status => "status",
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::Authorization => "authorization",
            Self::SetCookie => "set-cookie",
            Self::Cookie => "cookie",
            Self::Vary => "vary",
            Self::Stream => "stream",
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too-large",
            Self::Useless => "useless",
        }
    }
}

/// A response that might be stored, and the request that it answers.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// How near to the letter.
    pub profile: Profile,
    /// For whom it would be stored.
    pub sharing: Sharing,
    /// The method of the request.
    pub method: &'a Method,
    /// The fields of the request.
    pub request: &'a HeaderMap,
    /// The status of the response.
    pub status: StatusCode,
    /// The fields of the response.
    pub response: &'a HeaderMap,
    /// What the response says to caches.
    pub said: &'a CacheControl,
    /// How fresh it is.
    pub freshness: &'a Freshness,
}

impl Candidate<'_> {
    /// Whether the response may be stored, and is worth it (RFC 9111, 3).
    ///
    /// # Errors
    /// The first reason why it is not.
    pub fn check(&self) -> Result<(), Refusal> {
        let said = self.said;
        if self.method != Method::GET {
            return Err(Refusal::Method);
        }
        let code = self.status.as_u16();
        let is_part = code < 200 || code == 206 || code == 304 || code >= 600;
        if is_part || (said.must_understand && !is_understood(self.status)) {
            return Err(Refusal::Status);
        }
        if said.is_unreadable {
            return Err(Refusal::Unreadable);
        }
        if said.no_store || CacheControl::of(self.request).no_store {
            return Err(Refusal::NoStore);
        }
        self.check_privacy()?;
        if is_stream(self.response) {
            return Err(Refusal::Stream);
        }
        let may_be_stale = said.stale_while_revalidate.max(said.stale_if_error) > Some(0);
        let has_validator = !Validators::of(self.response).is_empty();
        if self.freshness.lifetime() == 0 && !has_validator && !may_be_stale {
            return Err(Refusal::Useless);
        }
        Ok(())
    }

    /// Whether the response says itself, by more than a validator or a date that gives a guess, that
    /// others may see it.
    fn is_plainly_reusable(&self) -> bool {
        let is_fresh = self.freshness.is_explicit() && self.freshness.lifetime() > 0;
        self.said.public || (is_fresh && !self.said.no_cache)
    }

    /// Whether it shows one visitor nothing of another's.
    fn check_privacy(&self) -> Result<(), Refusal> {
        let said = self.said;
        if self.sharing == Sharing::Shared {
            if said.private {
                return Err(Refusal::Private);
            }
            let may_share = said.public || said.must_revalidate || said.s_maxage.is_some();
            if self.request.contains_key(header::AUTHORIZATION) && !may_share {
                return Err(Refusal::Authorization);
            }
        }
        let is_safe = self.profile == Profile::Safe;
        if is_safe && self.response.contains_key(header::SET_COOKIE) {
            return Err(Refusal::SetCookie);
        }
        if is_safe && self.request.contains_key(header::COOKIE) && !self.is_plainly_reusable() {
            return Err(Refusal::Cookie);
        }
        match Selecting::of(self.response) {
            Some(selecting) if !(is_safe && selecting.is_personal()) => Ok(()),
            _ => Err(Refusal::Vary),
        }
    }
}

/// Whether the response is a stream by its type, or the connection becomes something else.
fn is_stream(headers: &HeaderMap) -> bool {
    let is_stream = headers.get(header::CONTENT_TYPE).is_some_and(|value| {
        let value = value.as_bytes().to_ascii_lowercase();
        value.starts_with(b"application/grpc")
            || value.starts_with(b"text/event-stream")
            || value.starts_with(b"multipart/x-mixed-replace")
    });
    // A trailer that is announced could not be sent with a stored body.
    is_stream || headers.contains_key(header::TRAILER)
}

#[cfg(test)]
mod tests {
    use larder_store::Timestamp;

    use super::*;
    use crate::engine::Exchange;
    use crate::fixture::map;

    fn check(
        profile: Profile,
        request: &[(&'static str, &'static str)],
        status: u16,
        response: &[(&'static str, &'static str)],
    ) -> Result<(), Refusal> {
        let (request, response) = (map(request), map(response));
        let said = CacheControl::of(&response);
        let now = Timestamp::from_micros(0);
        let exchange = Exchange {
            sent: now,
            received: now,
        };
        let status = StatusCode::from_u16(status).unwrap();
        let sharing = Sharing::Shared;
        let freshness = Freshness::of(sharing, status, &response, &said, exchange);
        let candidate = Candidate {
            profile,
            sharing,
            method: &Method::GET,
            request: &request,
            status,
            response: &response,
            said: &said,
            freshness: &freshness,
        };
        candidate.check()
    }

    fn both(
        request: &[(&'static str, &'static str)],
        status: u16,
        response: &[(&'static str, &'static str)],
    ) -> Result<(), Refusal> {
        let safe = check(Profile::Safe, request, status, response);
        assert_eq!(safe, check(Profile::Rfc, request, status, response));
        safe
    }

    const HOUR: (&str, &str) = ("cache-control", "max-age=3600");

    #[test]
    fn what_says_how_long_is_stored_whatever_its_final_status() {
        for status in [
            200, 203, 204, 299, 301, 302, 307, 400, 404, 499, 500, 503, 599,
        ] {
            assert_eq!(both(&[], status, &[HOUR]), Ok(()), "{status}");
        }
        for status in [100, 206, 304, 600, 999] {
            assert_eq!(both(&[], status, &[HOUR]), Err(Refusal::Status), "{status}");
        }
    }

    #[test]
    fn must_understand_keeps_out_a_status_that_is_not_known() {
        let said = [("cache-control", "max-age=3600, must-understand")];
        assert_eq!(both(&[], 599, &said), Err(Refusal::Status));
        assert_eq!(both(&[], 200, &said), Ok(()));
    }

    #[test]
    fn no_store_and_private_are_kept_out_in_both_profiles() {
        let no_store = [HOUR, ("cache-control", "no-store")];
        assert_eq!(both(&[], 200, &no_store), Err(Refusal::NoStore));
        assert_eq!(
            both(&[("cache-control", "no-store")], 200, &[HOUR]),
            Err(Refusal::NoStore)
        );
        for private in ["private", "private=\"x\"", "PRIVATE ;"] {
            let said = [HOUR, ("cache-control", private)];
            assert_eq!(both(&[], 200, &said), Err(Refusal::Private));
        }
        let unreadable = [HOUR, ("cache-control", "x=\"")];
        assert_eq!(both(&[], 200, &unreadable), Err(Refusal::Unreadable));
    }

    #[test]
    fn authorization_needs_leave() {
        let request = [("authorization", "Basic eA==")];
        assert_eq!(both(&request, 200, &[HOUR]), Err(Refusal::Authorization));
        for leave in ["public", "must-revalidate", "s-maxage=60"] {
            assert_eq!(
                both(&request, 200, &[HOUR, ("cache-control", leave)]),
                Ok(())
            );
        }
    }

    #[test]
    fn the_safe_profile_stores_nothing_personal() {
        for personal in [
            ("set-cookie", "a=b"),
            ("vary", "Cookie"),
            ("vary", "authorization"),
        ] {
            assert!(check(Profile::Safe, &[], 200, &[HOUR, personal]).is_err());
            assert_eq!(check(Profile::Rfc, &[], 200, &[HOUR, personal]), Ok(()));
        }
    }

    #[test]
    fn what_varies_with_everything_is_not_stored() {
        for vary in ["*", "*, *", ", *", "foo, *", "*, foo", "b ad"] {
            assert_eq!(both(&[], 200, &[HOUR, ("vary", vary)]), Err(Refusal::Vary));
        }
    }

    #[test]
    fn streams_are_left_alone() {
        for stream in [
            ("content-type", "application/grpc+proto"),
            ("content-type", "Text/Event-Stream; charset=utf-8"),
            ("trailer", "x"),
        ] {
            assert_eq!(both(&[], 200, &[HOUR, stream]), Err(Refusal::Stream));
        }
    }

    #[test]
    fn what_could_never_be_reused_is_not_stored() {
        assert_eq!(both(&[], 200, &[]), Err(Refusal::Useless));
        let stale = ("cache-control", "max-age=0");
        assert_eq!(both(&[], 200, &[stale]), Err(Refusal::Useless));
        for useful in [("etag", "\"a\""), ("cache-control", "stale-if-error=9")] {
            assert_eq!(both(&[], 200, &[stale, useful]), Ok(()));
        }
    }
}
