//! Refusals: problem details (RFC 9457), or a status for gRPC clients.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use larder_layer::http::{Problem, ResponseBody};
use serde_json::Value;

use super::headers::seconds_up;
use crate::Decision;

const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// The time that a client waits for a store that fails.
const RETRY_UNAVAILABLE: Duration = Duration::from_secs(1);

/// The protocol that the client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http,
    Grpc,
}

impl Protocol {
    /// Returns gRPC for a request of its media type. gRPC-Web counts as HTTP, until something inside
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

/// The refusals of one policy, whose bodies are written once.
#[derive(Clone, Debug)]
pub(super) struct Refusals {
    too_many: Problem,
    unavailable: Problem,
}

impl Refusals {
    pub(super) fn new(policy: &str) -> Self {
        Self {
            too_many: Problem::of_type(
                StatusCode::TOO_MANY_REQUESTS,
                QUOTA_EXCEEDED,
                "Request cannot be satisfied as assigned quota has been exceeded",
                [("violated-policies", Value::from(vec![policy]))],
            ),
            unavailable: Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "The rate limit cannot be checked for now.",
            ),
        }
    }

    /// Returns a 429, for a visitor without quota (RFC 6585, section 4). A gRPC client gets
    /// `RESOURCE_EXHAUSTED`: it takes a 429 for `UNAVAILABLE`, which it may retry at once.
    pub(super) fn too_many<B>(
        &self,
        decision: Decision,
        protocol: Protocol,
    ) -> Response<ResponseBody<B>> {
        let wait = decision.retry_after();
        let mut response = match protocol {
            Protocol::Http => self.too_many.response_with(ResponseBody::text, Some(wait)),
            Protocol::Grpc => grpc_refusal("8", "the quota is used up", wait),
        };
        response.extensions_mut().insert(decision);
        response
    }

    /// Returns a 503, while the store fails. A gRPC client gets `UNAVAILABLE`.
    pub(super) fn unavailable<B>(&self, protocol: Protocol) -> Response<ResponseBody<B>> {
        let wait = RETRY_UNAVAILABLE;
        match protocol {
            Protocol::Http => self
                .unavailable
                .response_with(ResponseBody::text, Some(wait)),
            Protocol::Grpc => grpc_refusal("14", "the rate limit cannot be checked for now", wait),
        }
    }
}

/// Returns a response without a body, whose status is in its only block of fields (gRPC over
/// HTTP/2, `Trailers-Only`).
fn grpc_refusal<B>(
    status: &'static str,
    message: &'static str,
    wait: Duration,
) -> Response<ResponseBody<B>> {
    let mut response = Response::new(ResponseBody::text(Bytes::new()));
    let headers = response.headers_mut();
    headers.reserve(6);
    headers.insert(header::CONTENT_TYPE, GRPC);
    headers.insert(GRPC_STATUS, HeaderValue::from_static(status));
    headers.insert(GRPC_MESSAGE, HeaderValue::from_static(message));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let seconds = seconds_up(wait).max(1);
    headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}
