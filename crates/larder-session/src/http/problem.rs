//! Refusals, as problem details (RFC 9457).

use http::{HeaderValue, Response, StatusCode, header};

use super::ResponseBody;
#[cfg(feature = "axum")]
use crate::ErrorKind;

const UNAVAILABLE: &str = r#"{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"Sessions cannot be read or written for now."}"#;

/// 503: the store does not say whose the session is, or has not kept what the response says.
pub(super) fn unavailable<B>() -> Response<ResponseBody<B>> {
    refusal(
        StatusCode::SERVICE_UNAVAILABLE,
        ResponseBody::text(UNAVAILABLE),
    )
}

fn refusal<B>(status: StatusCode, body: B) -> Response<B> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// What a handler answers that gives an error on.
#[cfg(feature = "axum")]
pub(crate) fn problem<B: From<&'static str>>(kind: ErrorKind) -> Response<B> {
    let (status, text) = match kind {
        ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE),
        ErrorKind::SignedOut => (
            StatusCode::UNAUTHORIZED,
            r#"{"type":"about:blank","title":"Unauthorized","status":401,"detail":"Nobody is signed in."}"#,
        ),
        ErrorKind::Gone | ErrorKind::Conflict => (
            StatusCode::CONFLICT,
            r#"{"type":"about:blank","title":"Conflict","status":409,"detail":"The session changed while the request was under way."}"#,
        ),
        ErrorKind::TooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            r#"{"type":"about:blank","title":"Content Too Large","status":413,"detail":"The session cannot hold any more."}"#,
        ),
        ErrorKind::NotAnInteger | ErrorKind::Late | ErrorKind::Invalid => (
            StatusCode::INTERNAL_SERVER_ERROR,
            r#"{"type":"about:blank","title":"Internal Server Error","status":500}"#,
        ),
    };
    refusal(status, text.into())
}
