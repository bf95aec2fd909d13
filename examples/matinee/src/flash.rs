//! Messages that are shown once, on the page after a form.

use axum::response::{IntoResponse, Redirect, Response};
use larder::session::{Flash, FlashLevel, Session};

/// Redirects to a page that will tell the visitor what the form has done.
///
/// While the store fails, the message is left out: the form has done its work anyway.
pub(crate) async fn tell(
    session: &Session,
    level: FlashLevel,
    text: impl Into<String> + Send,
    page: &str,
) -> Response {
    if let Err(error) = session.flash(level, text).await {
        tracing::warn!(%error, "a visitor was not told what a form has done");
    }
    Redirect::to(page).into_response()
}

/// Takes the waiting messages, for the page that is about to be shown. While the store fails there are none.
pub(crate) async fn take(session: &Session) -> Vec<Flash> {
    session.take_flashes().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "a visitor's messages were not read");
        Vec::new()
    })
}
