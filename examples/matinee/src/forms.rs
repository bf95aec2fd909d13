//! Reads the whole form before its handler runs.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONNECTION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

use crate::errors::Problem;

/// Reads the whole body of a request before its handler runs, so that a refusal comes after the body.
///
/// An earlier answer would close the connection, because the rest of the form would precede the next request, and a
/// client that already sends its next request would get no answer. The layers around this one bound the size. A body
/// that takes longer than `patience` gets 408 (RFC 9110, section 15.5.9).
pub(crate) async fn read_whole(
    State(patience): State<Duration>,
    request: Request,
    next: Next,
) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let reading = Bytes::from_request(Request::new(body), &());
    match timeout(patience, reading).await {
        Ok(Ok(whole)) => {
            next.run(Request::from_parts(parts, Body::from(whole)))
                .await
        }
        Ok(Err(refused)) => refused.into_response(),
        Err(_) => {
            let problem = Problem::of(StatusCode::REQUEST_TIMEOUT);
            ([(CONNECTION, "close")], problem).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use axum::Router;
    use axum::middleware::from_fn_with_state;
    use axum::routing::post;
    use tokio::time::Instant;
    use tower::ServiceExt;

    use super::*;

    /// A client that begins to send a form and never finishes.
    struct Endless;

    impl HttpBody for Endless {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_form_that_never_ends_is_a_408_and_closes_its_connection() {
        let patience = Duration::from_secs(10);
        let app = Router::new()
            .route("/", post(async |form: String| form))
            .layer(from_fn_with_state(patience, read_whole));
        let started = Instant::now();
        let request = Request::post("/").body(Body::new(Endless)).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
        assert_eq!(response.headers()[CONNECTION], "close");
        assert_eq!(started.elapsed(), patience);

        let request = Request::post("/").body(Body::from("whole")).unwrap();
        let response = app.oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
}
