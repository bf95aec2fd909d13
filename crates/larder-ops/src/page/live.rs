use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep;

use super::state::Visit;
use super::view::View;
use super::views;

/// The streams that may be open at once.
pub(super) const MAX_STREAMS: usize = 16;
/// The time between two pictures.
const EVERY: Duration = Duration::from_secs(2);
/// The pictures of a stream. Then the browser asks anew, and so the guard is asked again.
const PICTURES: u32 = 10;

/// One open stream.
struct Stream {
    visit: Visit,
    view: View,
    left: u32,
    _open: OwnedSemaphorePermit,
}

/// Sends the panels of a view again and again.
pub(super) async fn follow(visit: Visit, view: View) -> Response {
    let streams = Arc::clone(&visit.shared.streams);
    let Ok(open) = streams.try_acquire_owned() else {
        // A browser does not try again by itself after this, and the page works by reload.
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let stream = Stream {
        visit,
        view,
        left: PICTURES,
        _open: open,
    };
    Sse::new(stream::unfold(stream, next)).into_response()
}

async fn next(mut stream: Stream) -> Option<(Result<Event, Infallible>, Stream)> {
    stream.left = stream.left.checked_sub(1)?;
    sleep(EVERY).await;
    let html = views::panels_of(&stream.visit, stream.view).await;
    let event = Event::default().event("panels").data(html);
    Some((Ok(event.retry(Duration::from_secs(1))), stream))
}
