//! Refusals, as problem details (RFC 9457).

use std::time::Duration;

use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, Response, StatusCode};
use larder_layer::http::Problem;

use super::ResponseBody;
use crate::SessionErrorKind;

/// The challenge of a 401, which must have one (RFC 9110, section 15.5.2).
///
/// No scheme is registered for cookies. Browsers know none by this name, so they show the response instead of a
/// dialog for a password.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Cookie realm=\"session\"");
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Returns a 503, for a session that could not be read or written.
pub(super) fn unavailable<B>() -> Response<ResponseBody<B>> {
    problem_unavailable().response_with(ResponseBody::text, Some(RETRY_AFTER))
}

fn problem_unavailable() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "Sessions cannot be read or written at the moment.",
    )
}

/// Returns the response to a session's error, with the body that `body` makes.
pub(crate) fn problem<B>(
    kind: SessionErrorKind,
    body: impl FnOnce(bytes::Bytes) -> B,
) -> Response<B> {
    let (status, detail) = match kind {
        SessionErrorKind::Unavailable | SessionErrorKind::Overloaded => {
            return problem_unavailable().response_with(body, Some(RETRY_AFTER));
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
    let mut response = Problem::new(status, detail).response_with(body, None);
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, CHALLENGE);
    }
    response
}

/// Returns a 500, for a service that needs sessions but has no layer around it.
pub(super) fn missing_layer<B>() -> Response<ResponseBody<B>> {
    let detail = "This service requires a user, but there is no SessionLayer around it: add one.";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).response_with(ResponseBody::text, None)
}
