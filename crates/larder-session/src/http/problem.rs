//! Refusals, as problem details (RFC 9457).

use std::time::Duration;

use http::{Response, StatusCode};
use larder_layer::http::Problem;

use super::ResponseBody;
#[cfg(feature = "axum")]
use crate::SessionErrorKind;

const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Returns a 503, for a session that could not be read or written.
pub(super) fn unavailable<B>() -> Response<ResponseBody<B>> {
    problem_unavailable().response_with(ResponseBody::text, Some(RETRY_AFTER))
}

fn problem_unavailable() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "Sessions cannot be read or written for now.",
    )
}

/// Returns the response for an error that a handler returns.
#[cfg(feature = "axum")]
pub(crate) fn problem<B: From<bytes::Bytes>>(kind: SessionErrorKind) -> Response<B> {
    let (status, detail) = match kind {
        SessionErrorKind::Unavailable | SessionErrorKind::Overloaded => {
            return problem_unavailable().response(Some(RETRY_AFTER));
        }
        SessionErrorKind::SignedOut => (StatusCode::UNAUTHORIZED, "Nobody is signed in."),
        SessionErrorKind::ReauthenticationRequired => (
            StatusCode::UNAUTHORIZED,
            "This needs a recent sign-in: sign in again.",
        ),
        SessionErrorKind::Disabled => (StatusCode::FORBIDDEN, "The account is disabled."),
        SessionErrorKind::TooManyDevices => (
            StatusCode::FORBIDDEN,
            "The user is signed in on as many devices as allowed.",
        ),
        SessionErrorKind::Gone | SessionErrorKind::Conflict => (
            StatusCode::CONFLICT,
            "The session changed while the request was in flight.",
        ),
        SessionErrorKind::TooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "The session cannot hold any more.",
        ),
        SessionErrorKind::NotAnInteger | SessionErrorKind::Late | SessionErrorKind::Invalid => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "The server made a mistake with the session.",
        ),
    };
    Problem::new(status, detail).response(None)
}
