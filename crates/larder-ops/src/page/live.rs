use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::future::select;
use futures_util::stream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::state::Visit;
use super::view::View;
use super::views;

/// The maximum number of streams that are open at once.
pub(super) const MAX_STREAMS: usize = 16;
/// The time between two updates.
const EVERY: Duration = Duration::from_secs(2);
/// The number of updates in a stream. Then the browser reconnects, and so the guard is asked again.
const PICTURES: u32 = 10;
/// The maximum duration of a stream, even of one that nobody reads. It leaves some time to make the
/// updates.
const LASTS: Duration = EVERY.saturating_mul(PICTURES + 2);

/// Sends the panels of a view again and again.
pub(super) async fn follow(visit: Visit, view: View) -> Response {
    let streams = Arc::clone(&visit.shared.streams);
    let Ok(open) = streams.try_acquire_owned() else {
        // After this, a browser does not reconnect by itself; the page still works by reloading.
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let (sender, receiver) = mpsc::channel(1);
    // A task of its own ends on time, whether or not the events are read.
    tokio::spawn(async move {
        let sent = pin!(send(&visit, view, &sender));
        let left = pin!(sender.closed());
        // However it ends, its place is free for another stream.
        let _ = timeout(LASTS, select(sent, left)).await;
        drop(open);
    });
    let pictures = stream::unfold(receiver, |mut receiver| async {
        let event = receiver.recv().await?;
        Some((Ok::<_, Infallible>(event), receiver))
    });
    Sse::new(pictures).into_response()
}

async fn send(visit: &Visit, view: View, sender: &mpsc::Sender<Event>) {
    for _ in 0..PICTURES {
        sleep(EVERY).await;
        let html = views::panels_of(visit, view).await;
        let event = Event::default().event("panels").data(html);
        let event = event.retry(Duration::from_secs(1));
        if sender.send(event).await.is_err() {
            return;
        }
    }
}
