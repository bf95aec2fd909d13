use std::any::Any;
use std::borrow::Cow;

use axum::Json;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// An error as a visitor sees it: problem details (RFC 9457), or a page with the same content.
///
/// A response made from it contains problem details, and has the `Problem` as an extension too, from which
/// [`render`](super::render) makes the page.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Problem {
    title: Cow<'static, str>,
    #[serde(serialize_with = "number")]
    status: StatusCode,
    detail: Cow<'static, str>,
}

impl Problem {
    pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

    pub(crate) fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            detail: detail.into(),
            ..Self::of(StatusCode::BAD_REQUEST)
        }
    }

    pub(crate) fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            detail: detail.into(),
            ..Self::of(StatusCode::NOT_FOUND)
        }
    }

    pub(crate) fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            detail: detail.into(),
            ..Self::of(StatusCode::FORBIDDEN)
        }
    }

    pub(crate) fn too_many(detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            detail: detail.into(),
            ..Self::of(StatusCode::TOO_MANY_REQUESTS)
        }
    }

    pub(crate) fn unavailable(detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            detail: detail.into(),
            ..Self::of(StatusCode::SERVICE_UNAVAILABLE)
        }
    }

    /// Makes a problem with the default text for a status.
    pub(crate) fn of(status: StatusCode) -> Self {
        let detail = match status {
            StatusCode::BAD_REQUEST => {
                "The request could not be understood. Please check the address."
            }
            StatusCode::NOT_FOUND => "There is nothing at this address.",
            StatusCode::METHOD_NOT_ALLOWED => "This address does not support that kind of request.",
            StatusCode::REQUEST_TIMEOUT => {
                "The form took too long to arrive, so nothing was changed. Please send it again."
            }
            StatusCode::MISDIRECTED_REQUEST => "This server does not answer for that host.",
            StatusCode::PAYLOAD_TOO_LARGE => "The request is larger than this address accepts.",
            StatusCode::TOO_MANY_REQUESTS => {
                "You have sent too many requests in a short time. Please wait a moment."
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                "The box office is busy and could not answer in time. If you were booking seats, please look at \
                 your tickets before you try again."
            }
            _ if status.is_server_error() => {
                "Something went wrong on our side. It is not your fault."
            }
            _ => "The request could not be answered.",
        };
        let title = status.canonical_reason().unwrap_or("Error");
        Self {
            title: title.into(),
            status,
            detail: detail.into(),
        }
    }

    /// Makes the response to a request whose handler panicked.
    pub(crate) fn from_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        tracing::error!(panic = text.unwrap_or("no text"), "a handler panicked");
        Self::of(StatusCode::INTERNAL_SERVER_ERROR).into_response()
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }
}

/// A database failure.
impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        tracing::error!(%error, "the database failed");
        Self::of(StatusCode::SERVICE_UNAVAILABLE)
    }
}

/// A session failure; the status says which.
impl From<larder::session::SessionError> for Problem {
    fn from(error: larder::session::SessionError) -> Self {
        Self::of(error.into_response().status())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(&self)).into_response();
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(Self::MEDIA_TYPE));
        response.extensions_mut().insert(self);
        response
    }
}

fn number<S: serde::Serializer>(status: &StatusCode, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u16(status.as_u16())
}
