//! Refusals, as problem details (RFC 9457), and to gRPC clients as a status.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use problem_details::ProblemDetails;
use serde::Serialize;
use serde_json::json;

use crate::Decision;
use crate::body::ResponseBody;
use crate::headers::seconds_up;

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
/// A refusal is never stored by a cache (RFC 6585, section 4).
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// What the one who asked understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Http,
    Grpc,
}

impl Dialect {
    /// gRPC where the request says so; gRPC-Web is HTTP, until something inside translates it.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
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

/// The bodies of the refusals of one policy, written once.
#[derive(Clone, Debug)]
pub(crate) struct Refusals {
    too_many: Bytes,
    unavailable: Bytes,
}

impl Refusals {
    pub(crate) fn new(policy: &str) -> Self {
        // The registered type has a fragment, which `http::Uri` drops: it is set as a member.
        let members = BTreeMap::from([
            (
                "type",
                json!("https://iana.org/assignments/http-problem-types#quota-exceeded"),
            ),
            ("violated-policies", json!([policy])),
        ]);
        let too_many = ProblemDetails::new()
            .with_status(StatusCode::TOO_MANY_REQUESTS)
            .with_title("Request cannot be satisfied as assigned quota has been exceeded")
            .with_extensions(members);
        let unavailable = ProblemDetails::from_status_code(StatusCode::SERVICE_UNAVAILABLE)
            .with_detail("The rate limit cannot be checked for now.");
        Self {
            too_many: body(&too_many),
            unavailable: body(&unavailable),
        }
    }

    /// 429: the visitor has used up its quota (RFC 6585, section 4). To gRPC, `RESOURCE_EXHAUSTED`:
    /// a client takes a 429 for `UNAVAILABLE`, which it may try again at once.
    pub(crate) fn too_many<B>(
        &self,
        decision: Decision,
        dialect: Dialect,
    ) -> Response<ResponseBody<B>> {
        let seconds = seconds_up(decision.retry_after()).max(1);
        let mut response = match dialect {
            Dialect::Http => refusal(StatusCode::TOO_MANY_REQUESTS, &self.too_many, seconds),
            Dialect::Grpc => grpc_refusal("8", "the quota is used up", seconds),
        };
        response.extensions_mut().insert(decision);
        response
    }

    /// 503: the store does not say. To gRPC, `UNAVAILABLE`.
    pub(crate) fn unavailable<B>(&self, dialect: Dialect) -> Response<ResponseBody<B>> {
        match dialect {
            Dialect::Http => refusal(StatusCode::SERVICE_UNAVAILABLE, &self.unavailable, 1),
            Dialect::Grpc => grpc_refusal("14", "the rate limit cannot be checked for now", 1),
        }
    }
}

fn body(problem: &impl Serialize) -> Bytes {
    // Text and numbers under names that are text: this never takes the fallback.
    serde_json::to_vec(problem).unwrap_or_default().into()
}

fn refusal<B>(status: StatusCode, body: &Bytes, retry_after: u64) -> Response<ResponseBody<B>> {
    let mut response = Response::new(ResponseBody::refusal(body.clone()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(5);
    headers.insert(header::CONTENT_TYPE, PROBLEM_JSON);
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
    response
}

/// A response without a body, whose status is in its only block of fields (gRPC over HTTP/2,
/// `Trailers-Only`).
fn grpc_refusal<B>(
    status: &'static str,
    message: &'static str,
    retry_after: u64,
) -> Response<ResponseBody<B>> {
    let mut response = Response::new(ResponseBody::refusal(Bytes::new()));
    let headers = response.headers_mut();
    headers.reserve(6);
    headers.insert(header::CONTENT_TYPE, GRPC);
    headers.insert(GRPC_STATUS, HeaderValue::from_static(status));
    headers.insert(GRPC_MESSAGE, HeaderValue::from_static(message));
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
    response
}
