use http::{HeaderMap, HeaderName, HeaderValue};
use memchr::memchr;

use super::BypassReason;
use super::content::Framing;
use super::target::Host;
use crate::engine::Profile;

/// The findings of one pass over the headers of a GET or HEAD.
///
/// A lookup of each header that matters would cost more than the rest of a hit.
#[derive(Default)]
pub(super) struct RequestHeaders<'a> {
    pub(super) host: Host<'a>,
    /// Why the request bypasses the cache, if it does.
    pub(super) bypass: Option<BypassReason>,
    pub(super) framing: Framing,
    pub(super) has_range: bool,
    /// Whether it has preconditions, or asks for a range.
    pub(super) is_conditional: bool,
    pub(super) has_authorization: bool,
    /// Whether it has directives about the reuse of responses.
    pub(super) has_directives: bool,
    /// The headers in which it names another origin than its own, in the safe profile.
    pub(super) forwarded: Vec<HeaderName>,
}

/// Headers in which a request names another origin than its own.
///
/// If such a header is present, it selects the response, so that no visitor gets a page made for another
/// origin.
const FORWARDED_HEADERS: [HeaderName; 11] = [
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-forwarded-scheme"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-prefix"),
    HeaderName::from_static("x-forwarded-server"),
    HeaderName::from_static("x-host"),
    HeaderName::from_static("x-forwarded-ssl"),
    HeaderName::from_static("x-forwarded-path"),
    HeaderName::from_static("x-http-host-override"),
    HeaderName::from_static("x-original-host"),
];

/// Headers in which a request asks for another method or path than its own. It is never cached.
const OVERRIDE_HEADERS: [HeaderName; 7] = [
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-method-override"),
    HeaderName::from_static("x-original-url"),
    HeaderName::from_static("x-rewrite-url"),
    HeaderName::from_static("x-original-uri"),
    HeaderName::from_static("x-forwarded-uri"),
];

impl<'a> RequestHeaders<'a> {
    pub(super) fn read(headers: &'a HeaderMap, profile: Profile) -> Self {
        let mut found = Self::default();
        for (name, value) in headers {
            match name.as_str() {
                "host" => found.host = found.host.and(value),
                "cache-control" | "pragma" => found.has_directives = true,
                "range" => (found.is_conditional, found.has_range) = (true, true),
                "if-none-match" | "if-modified-since" => found.is_conditional = true,
                "authorization" => found.has_authorization = true,
                "content-length" => found.add_framing(!is_zero(value)),
                "transfer-encoding" => found.add_framing(true),
                "upgrade" => found.bypass = Some(BypassReason::Upgrade),
                "if-match" | "if-unmodified-since" => {
                    found.bypass = Some(BypassReason::Precondition);
                }
                "expect" => found.bypass = Some(BypassReason::Expect),
                "a-im" => found.bypass = Some(BypassReason::Delta),
                "accept" if contains(value, b"text/event-stream") => {
                    found.bypass = Some(BypassReason::EventStream);
                }
                "content-type" if contains(value, b"application/grpc") => {
                    found.bypass = Some(BypassReason::Grpc);
                }
                "connection" if names_headers(value) => {
                    found.bypass = Some(BypassReason::Connection);
                }
                "forwarded" if profile == Profile::Safe && names_origin(value) => {
                    found.forwarded.push(name.clone());
                }
                text if profile == Profile::Safe && text.starts_with("x-") => {
                    found.add_extension(name);
                }
                _ => {}
            }
        }
        found
    }

    fn add_framing(&mut self, has_content: bool) {
        if has_content {
            self.framing = Framing::Content;
        } else if self.framing == Framing::None {
            self.framing = Framing::Empty;
        }
    }

    fn add_extension(&mut self, name: &HeaderName) {
        if OVERRIDE_HEADERS.contains(name) {
            self.bypass = Some(BypassReason::Override);
        } else if FORWARDED_HEADERS.contains(name) {
            self.forwarded.push(name.clone());
        }
    }
}

/// Returns whether a request is gRPC or gRPC-Web: its content type begins with that name.
///
/// A parameter of another type does not make it one.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    let content_type = headers.get(http::header::CONTENT_TYPE);
    let start = content_type.and_then(|value| value.as_bytes().get(..GRPC.len()));
    start.is_some_and(|start| start.eq_ignore_ascii_case(GRPC))
}

/// Returns whether a `Content-Length` is zero.
fn is_zero(value: &HeaderValue) -> bool {
    let digits = value.as_bytes().trim_ascii();
    !digits.is_empty() && digits.iter().all(|&byte| byte == b'0')
}

/// Returns whether a `Connection` asks for an upgrade, or names headers for a proxy to remove.
///
/// The origin then answers a different request from the one that the cache sees.
fn names_headers(value: &HeaderValue) -> bool {
    let known: [&[u8]; 4] = [b"keep-alive", b"close", b"te", b""];
    let mut names = value.as_bytes().split(|&byte| byte == b',');
    names.any(|name| {
        let name = name.trim_ascii();
        !known.iter().any(|known| name.eq_ignore_ascii_case(known))
    })
}

/// Returns whether a `Forwarded` names a host or a scheme, not only the client (RFC 7239, 4).
fn names_origin(value: &HeaderValue) -> bool {
    contains(value, b"host=") || contains(value, b"proto=")
}

/// Returns whether the value contains `text`, in any case.
///
/// It searches for the last byte without case: a browser's `Accept` is long, and has no `-`.
fn contains(value: &HeaderValue, text: &[u8]) -> bool {
    let bytes = value.as_bytes();
    let caseless = text.iter().rposition(|byte| !byte.is_ascii_alphabetic());
    let at = caseless.unwrap_or_default();
    let mut from = at;
    while let Some(next) = bytes.get(from..).and_then(|rest| memchr(text[at], rest)) {
        let start = from + next - at;
        let part = bytes.get(start..start + text.len());
        if part.is_some_and(|part| part.eq_ignore_ascii_case(text)) {
            return true;
        }
        from += next + 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::header_map as map;

    #[test]
    fn a_header_that_bypasses_the_cache_counts_in_any_case_and_position() {
        for field in [
            ("upgrade", "websocket"),
            ("if-match", "\"a\""),
            ("if-unmodified-since", "x"),
            ("expect", "100-continue"),
            ("a-im", "feed"),
            ("accept", "*/*, Text/Event-Stream"),
            ("accept", "text/event-stream;q=1, a"),
            ("content-type", "application/grpc+proto"),
            ("connection", "keep-alive, UPGRADE"),
            ("connection", "close, host"),
            ("x-http-method-override", "DELETE"),
        ] {
            let headers = map(&[field]);
            assert!(
                RequestHeaders::read(&headers, Profile::Safe)
                    .bypass
                    .is_some(),
                "{field:?}"
            );
        }
        for field in [
            ("accept", "text/event"),
            ("connection", "close"),
            ("x-a", "upgrade"),
        ] {
            let headers = map(&[field]);
            assert!(
                RequestHeaders::read(&headers, Profile::Safe)
                    .bypass
                    .is_none(),
                "{field:?}"
            );
        }
    }

    #[test]
    fn any_framing_header_that_is_not_zero_means_content() {
        for (field, framing) in [
            (("content-length", "0"), Framing::Empty),
            (("content-length", "7"), Framing::Content),
            (("content-length", ""), Framing::Content),
            (("transfer-encoding", "chunked"), Framing::Content),
            (("x", "7"), Framing::None),
        ] {
            let headers = map(&[field]);
            assert_eq!(
                RequestHeaders::read(&headers, Profile::Safe).framing,
                framing
            );
        }
        let doubled = map(&[("transfer-encoding", "chunked"), ("content-length", "0")]);
        assert_eq!(
            RequestHeaders::read(&doubled, Profile::Safe).framing,
            Framing::Content
        );
    }

    #[test]
    fn only_the_safe_profile_keeps_forwarded_origins_apart() {
        let headers = map(&[("x-forwarded-host", "a"), ("x-other", "b")]);
        assert_eq!(
            RequestHeaders::read(&headers, Profile::Safe).forwarded,
            ["x-forwarded-host"]
        );
        assert!(
            RequestHeaders::read(&headers, Profile::Rfc)
                .forwarded
                .is_empty()
        );
    }

    #[test]
    fn a_repeated_host_is_noticed() {
        let mut headers = map(&[("host", "a")]);
        assert!(matches!(
            RequestHeaders::read(&headers, Profile::Rfc).host,
            Host::One(_)
        ));
        headers.append("host", HeaderValue::from_static("a"));
        assert!(matches!(
            RequestHeaders::read(&headers, Profile::Rfc).host,
            Host::Several
        ));
    }
}
