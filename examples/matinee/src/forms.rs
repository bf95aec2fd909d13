//! Reads a form before anybody answers it.

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Gives the whole body of a request on, so that a refusal comes after it.
///
/// An answer that comes first closes the connection, since the rest of the form would be in the way of
/// the next request; and whoever is sending the next one on it gets no answer. It is bounded in size
/// and in time by the layers around it.
pub(crate) async fn read_whole(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    match Bytes::from_request(Request::new(body), &()).await {
        Ok(whole) => {
            next.run(Request::from_parts(parts, Body::from(whole)))
                .await
        }
        Err(refused) => refused.into_response(),
    }
}
