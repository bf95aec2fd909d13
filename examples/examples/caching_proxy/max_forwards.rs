//! `Max-Forwards`: how many proxies a diagnostic request may still pass (RFC 9110, 7.6.2).

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{Empty, Full};

use crate::{only, whole};

/// The methods of this proxy. Those of the origin are unknown.
const ALLOW: HeaderValue =
    HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE");
const MESSAGE: HeaderValue = HeaderValue::from_static("message/http");
/// The headers that `TRACE` does not repeat (RFC 9110, 9.3.8).
const SECRET: [HeaderName; 3] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::PROXY_AUTHORIZATION,
];

/// Decrements the count, or answers if it is zero. For methods other than `OPTIONS` and `TRACE` the field
/// is ignored.
pub(crate) fn answer<B, E: 'static>(
    request: &mut Request<B>,
) -> Option<Response<UnsyncBoxBody<Bytes, E>>> {
    if !matches!(*request.method(), Method::OPTIONS | Method::TRACE) {
        return None;
    }
    match left(request.headers()) {
        Ok(None) => None,
        Ok(Some(0)) => Some(ours(request)),
        Ok(Some(left)) => {
            let left = HeaderValue::from(left - 1);
            request.headers_mut().insert(header::MAX_FORWARDS, left);
            None
        }
        Err(()) => Some(only(StatusCode::BAD_REQUEST)),
    }
}

/// Reads the count; one that overflows is the largest number.
fn left(headers: &HeaderMap) -> Result<Option<u64>, ()> {
    let mut fields = headers.get_all(header::MAX_FORWARDS).iter();
    let Some(field) = fields.next() else {
        return Ok(None);
    };
    let digits = field.as_bytes();
    if fields.next().is_some() || digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(());
    }
    let digits = digits.iter().map(|digit| u64::from(digit - b'0'));
    let left = digits.fold(0_u64, |left, digit| {
        left.saturating_mul(10).saturating_add(digit)
    });
    Ok(Some(left))
}

/// Answers as the last recipient.
fn ours<B, E: 'static>(request: &Request<B>) -> Response<UnsyncBoxBody<Bytes, E>> {
    if request.method() == Method::OPTIONS {
        let mut response = Response::new(whole(Empty::new()));
        response.headers_mut().insert(header::ALLOW, ALLOW);
        return response;
    }
    let mut response = Response::new(whole(Full::from(message(request))));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, MESSAGE);
    response
}

/// Writes the request as received, without confidential headers.
fn message<B>(request: &Request<B>) -> Vec<u8> {
    let line = format!("TRACE {} {:?}\r\n", request.uri(), request.version());
    let mut message = line.into_bytes();
    let fields = request.headers().iter();
    for (name, value) in fields.filter(|(name, _)| !SECRET.contains(name)) {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            message.extend_from_slice(part);
        }
    }
    message.extend_from_slice(b"\r\n");
    message
}
