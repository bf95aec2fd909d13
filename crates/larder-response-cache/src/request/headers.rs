use http::{HeaderMap, HeaderName, HeaderValue};

use crate::engine::Profile;
use crate::request::BypassReason;
use crate::request::Framing;
use crate::request::{FORWARDED_HEADERS, OVERRIDE_HEADERS};

/// What one pass over the fields of a GET or HEAD finds: a look-up for each field that matters
/// would cost more than the rest of a hit.
#[derive(Default)]
pub(crate) struct RequestHeaders<'a> {
    pub(crate) host: Host<'a>,
    /// Why the cache has nothing to do with it, if that is so.
    pub(crate) bypass: Option<BypassReason>,
    pub(crate) framing: Framing,
    /// Whether it asks for a part.
    pub(crate) has_range: bool,
    /// Whether it asks for a part, or sets conditions of its own, so that the answer may be of no
    /// use to others.
    pub(crate) is_conditional: bool,
    pub(crate) has_authorization: bool,
    /// Whether it says what may be reused for it.
    pub(crate) has_rules: bool,
    /// The fields by which it claims another origin than its own, in the safe profile.
    pub(crate) key_fields: Vec<HeaderName>,
}

/// What a request says in `Host`.
#[derive(Clone, Copy, Default)]
pub(crate) enum Host<'a> {
    #[default]
    Missing,
    One(&'a HeaderValue),
    Several,
}

impl<'a> Host<'a> {
    pub(crate) fn and(self, value: &'a HeaderValue) -> Self {
        match self {
            Self::Missing => Self::One(value),
            Self::One(_) | Self::Several => Self::Several,
        }
    }
}

impl<'a> RequestHeaders<'a> {
    pub(crate) fn of(headers: &'a HeaderMap, profile: Profile) -> Self {
        let mut scan = Self::default();
        for (name, value) in headers {
            match name.as_str() {
                "host" => scan.host = scan.host.and(value),
                "cache-control" | "pragma" => scan.has_rules = true,
                "range" => (scan.is_conditional, scan.has_range) = (true, true),
                "if-none-match" | "if-modified-since" => scan.is_conditional = true,
                "authorization" => scan.has_authorization = true,
                "content-length" => scan.frame(!is_zero(value)),
                "transfer-encoding" => scan.frame(true),
                "upgrade" => scan.bypass = Some(BypassReason::Upgrade),
                "if-match" | "if-unmodified-since" => {
                    scan.bypass = Some(BypassReason::Precondition)
                }
                "expect" => scan.bypass = Some(BypassReason::Expect),
                "a-im" => scan.bypass = Some(BypassReason::Delta),
                "accept" if says(value, b"text/event-stream") => {
                    scan.bypass = Some(BypassReason::EventStream);
                }
                "content-type" if says(value, b"application/grpc") => {
                    scan.bypass = Some(BypassReason::Grpc);
                }
                "connection" if takes_away(value) => scan.bypass = Some(BypassReason::Connection),
                "forwarded" if profile == Profile::Safe && claims_an_origin(value) => {
                    scan.key_fields.push(name.clone());
                }
                text if profile == Profile::Safe && text.starts_with("x-") => scan.claim(name),
                _ => {}
            }
        }
        scan
    }

    fn frame(&mut self, has_content: bool) {
        if has_content {
            self.framing = Framing::Content;
        } else if self.framing == Framing::None {
            self.framing = Framing::Empty;
        }
    }

    fn claim(&mut self, name: &HeaderName) {
        if OVERRIDE_HEADERS.contains(name) {
            self.bypass = Some(BypassReason::Override);
        } else if FORWARDED_HEADERS.contains(name) {
            self.key_fields.push(name.clone());
        }
    }
}

/// Whether a request is gRPC, or gRPC-Web: its type begins so. A parameter of another type does not
/// make it one.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    let said = headers.get(http::header::CONTENT_TYPE);
    let start = said.and_then(|value| value.as_bytes().get(..GRPC.len()));
    start.is_some_and(|start| start.eq_ignore_ascii_case(GRPC))
}

/// Whether a `Content-Length` is zero.
fn is_zero(value: &HeaderValue) -> bool {
    let digits = value.as_bytes().trim_ascii();
    !digits.is_empty() && digits.iter().all(|&byte| byte == b'0')
}

/// Whether a `Connection` asks for an upgrade, or names fields that a proxy behind takes away: then
/// the origin answers another request than the one that is seen here.
fn takes_away(value: &HeaderValue) -> bool {
    let known: [&[u8]; 4] = [b"keep-alive", b"close", b"te", b""];
    let mut names = value.as_bytes().split(|&byte| byte == b',');
    names.any(|name| {
        let name = name.trim_ascii();
        !known.iter().any(|known| name.eq_ignore_ascii_case(known))
    })
}

/// Whether a `Forwarded` says more than who asks (RFC 7239, 4).
fn claims_an_origin(value: &HeaderValue) -> bool {
    says(value, b"host=") || says(value, b"proto=")
}

/// Whether `text` stands in the value, in any case.
///
/// It is looked for by its first byte that has no case, as a browser's `Accept` is long.
fn says(value: &HeaderValue, text: &[u8]) -> bool {
    let bytes = value.as_bytes();
    let caseless = text.iter().position(|byte| !byte.is_ascii_alphabetic());
    let at = caseless.unwrap_or_default();
    let mut from = at;
    while let Some(next) = bytes.get(from..).and_then(|rest| find(rest, text[at])) {
        let start = from + next - at;
        let part = bytes.get(start..start + text.len());
        if part.is_some_and(|part| part.eq_ignore_ascii_case(text)) {
            return true;
        }
        from += next + 1;
    }
    false
}

fn find(bytes: &[u8], wanted: u8) -> Option<usize> {
    bytes.iter().position(|&byte| byte == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::map;

    #[test]
    fn what_is_never_cached_is_seen_in_any_case_and_any_place() {
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
                RequestHeaders::of(&headers, Profile::Safe).bypass.is_some(),
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
                RequestHeaders::of(&headers, Profile::Safe).bypass.is_none(),
                "{field:?}"
            );
        }
    }

    #[test]
    fn content_is_framed_by_any_field_that_says_more_than_nothing() {
        for (field, framing) in [
            (("content-length", "0"), Framing::Empty),
            (("content-length", "7"), Framing::Content),
            (("content-length", ""), Framing::Content),
            (("transfer-encoding", "chunked"), Framing::Content),
            (("x", "7"), Framing::None),
        ] {
            let headers = map(&[field]);
            assert_eq!(RequestHeaders::of(&headers, Profile::Safe).framing, framing);
        }
        let doubled = map(&[("transfer-encoding", "chunked"), ("content-length", "0")]);
        assert_eq!(
            RequestHeaders::of(&doubled, Profile::Safe).framing,
            Framing::Content
        );
    }

    #[test]
    fn only_the_safe_profile_looks_at_claims() {
        let headers = map(&[("x-forwarded-host", "a"), ("x-other", "b")]);
        assert_eq!(
            RequestHeaders::of(&headers, Profile::Safe).key_fields,
            ["x-forwarded-host"]
        );
        assert!(
            RequestHeaders::of(&headers, Profile::Rfc)
                .key_fields
                .is_empty()
        );
    }

    #[test]
    fn a_host_that_is_said_twice_is_doubled() {
        let mut headers = map(&[("host", "a")]);
        assert!(matches!(
            RequestHeaders::of(&headers, Profile::Rfc).host,
            Host::One(_)
        ));
        headers.append("host", HeaderValue::from_static("a"));
        assert!(matches!(
            RequestHeaders::of(&headers, Profile::Rfc).host,
            Host::Several
        ));
    }
}
