//! Refusals: problem details (RFC 9457), or a status for gRPC clients.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use larder_layer::http::{Problem, ResponseBody};
use serde_json::Value;

use crate::headers::seconds_up;
use crate::{Decision, Reason};

// The problem types of draft-ietf-httpapi-ratelimit-headers-11, section 5.
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";
const REDUCED_CAPACITY: &str =
    "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";
const ABNORMAL_USAGE: &str =
    "https://iana.org/assignments/http-problem-types#abnormal-usage-detected";

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// The time after which a client should retry while the store fails.
pub(super) const RETRY_UNAVAILABLE: Duration = Duration::from_secs(1);

/// The protocol that the client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http,
    Grpc,
}

impl Protocol {
    /// Returns gRPC for a request with its media type. gRPC-Web is treated as HTTP, until an inner layer
    /// translates it.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let media_type = headers
            .get(header::CONTENT_TYPE)
            .map(HeaderValue::as_bytes)
            .and_then(|value| value.strip_prefix(b"application/grpc"));
        match media_type {
            Some([] | [b'+' | b';', ..]) => Self::Grpc,
            _ => Self::Http,
        }
    }
}

/// How a refusal is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) protocol: Protocol,
    pub(super) has_retry_after: bool,
    /// The longest time that is added to `Retry-After`.
    pub(super) jitter: Duration,
}

impl Style {
    /// Returns the time after which the client should come back: never earlier than `wait`.
    fn retry_after(&self, wait: Duration) -> Option<Duration> {
        let most = u64::try_from(self.jitter.as_micros()).unwrap_or(u64::MAX);
        let jitter = match most {
            0 => Duration::ZERO,
            most => Duration::from_micros(fastrand::u64(0..=most)),
        };
        self.has_retry_after.then(|| wait.saturating_add(jitter))
    }
}

/// The refusals of one limit, whose bodies are written once.
#[derive(Clone, Debug)]
pub(super) struct Refusals {
    /// By the index of the deciding rule.
    quota: Box<[Problem]>,
    ban: Problem,
    unavailable: Problem,
    denied: Problem,
}

impl Refusals {
    pub(super) fn new(policy: &str, rules: usize) -> Self {
        let name = |number| match number {
            1 => policy.to_owned(),
            number => format!("{policy}:{number}"),
        };
        Self {
            quota: (1..=rules)
                .map(|number| {
                    typed(
                        StatusCode::TOO_MANY_REQUESTS,
                        QUOTA_EXCEEDED,
                        "Request cannot be satisfied as assigned quota has been exceeded",
                        &name(number),
                    )
                })
                .collect(),
            ban: typed(
                StatusCode::TOO_MANY_REQUESTS,
                ABNORMAL_USAGE,
                "Request not satisfied due to detection of abnormal request pattern",
                policy,
            ),
            unavailable: typed(
                StatusCode::SERVICE_UNAVAILABLE,
                REDUCED_CAPACITY,
                "Request cannot be satisfied due to temporary server capacity constraints",
                policy,
            ),
            denied: Problem::new(
                StatusCode::FORBIDDEN,
                "Requests from this network are not accepted.",
            ),
        }
    }

    /// Returns the refusal of a request.
    ///
    /// A visitor without quota gets a 429 (RFC 6585, section 4), and a gRPC client `RESOURCE_EXHAUSTED`: it
    /// takes a 429 for `UNAVAILABLE`, which it may retry at once. While the store fails it is a 503, or
    /// `UNAVAILABLE`, and from a denied network a 403, or `PERMISSION_DENIED`.
    pub(super) fn response<B>(
        &self,
        decision: Decision,
        style: Style,
    ) -> Response<ResponseBody<B>> {
        let reason = decision.reason().unwrap_or(Reason::Quota);
        let wait = match reason {
            Reason::Denied => None,
            _ => style.retry_after(decision.retry_after()),
        };
        let (problem, status, message) = match reason {
            Reason::Denied => (
                &self.denied,
                "7",
                "requests from this network are not accepted",
            ),
            Reason::StoreFailed => (
                &self.unavailable,
                "14",
                "the rate limit cannot be checked at the moment",
            ),
            Reason::Ban => (&self.ban, "8", "the client is temporarily banned"),
            _ => (
                self.quota.get(decision.rule()).unwrap_or(&self.ban),
                "8",
                "the quota is used up",
            ),
        };
        let mut response = match style.protocol {
            Protocol::Http => problem.response_with(ResponseBody::text, wait),
            Protocol::Grpc => grpc_refusal(status, message, wait),
        };
        response.extensions_mut().insert(decision);
        response
    }
}

fn typed(status: StatusCode, url: &'static str, title: &'static str, policy: &str) -> Problem {
    Problem::of_type(
        status,
        url,
        title,
        [("violated-policies", Value::from(vec![policy]))],
    )
}

/// Returns a response without a body, whose status is in its only block of fields (gRPC over
/// HTTP/2, `Trailers-Only`).
fn grpc_refusal<B>(
    status: &'static str,
    message: &'static str,
    wait: Option<Duration>,
) -> Response<ResponseBody<B>> {
    let mut response = Response::new(ResponseBody::text(Bytes::new()));
    let headers = response.headers_mut();
    headers.reserve(6);
    headers.insert(header::CONTENT_TYPE, GRPC);
    headers.insert(GRPC_STATUS, HeaderValue::from_static(status));
    headers.insert(GRPC_MESSAGE, HeaderValue::from_static(message));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(wait) = wait {
        let seconds = seconds_up(wait).max(1);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
