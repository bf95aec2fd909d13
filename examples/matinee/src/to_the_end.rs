//! Finishes a request even if the visitor disconnects.

use std::panic::resume_unwind;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;

use crate::errors::Problem;

/// Handles a request to its end, even if the visitor disconnects in the middle.
///
/// It is for forms whose steps belong together. An attempt to sign in is charged first and refunded last: if it were
/// cut off in between, right passwords would count as wrong ones. Each call to the store and
/// each wait in the database has a deadline of its own, which bounds how long it takes.
pub(crate) async fn to_the_end(request: Request, next: Next) -> Response {
    match tokio::spawn(next.run(request).in_current_span()).await {
        Ok(response) => response,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => Problem::of(StatusCode::SERVICE_UNAVAILABLE).into_response(),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn;
    use axum::routing::post;
    use tokio::sync::Notify;
    use tokio::time::timeout;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_begun_is_ended_without_the_visitor() {
        let (go, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (gone, ended) = (go.clone(), done.clone());
        let slow = post(async move || {
            gone.notified().await;
            ended.notify_one();
        });
        let app = Router::new().route("/", slow.layer(from_fn(to_the_end)));
        let asked = app.oneshot(Request::post("/").body(Body::empty()).unwrap());
        assert!(timeout(Duration::from_secs(1), asked).await.is_err());
        go.notify_one();
        let ended = timeout(Duration::from_secs(1), done.notified()).await;
        assert!(ended.is_ok(), "it was cut off with its visitor");
    }
}
