use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Query};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;

use super::guard::{Guard, admit};
use super::render::{frame, refuse};
use super::state::{Shared, Visit};
use super::view::View;
use super::views::{Did, devices, show};
use super::{actions, drill, live};

/// The maximum size of a form: a confirmation names 15,000 counted things.
const MAX_FORM: usize = 256 * 1024;

/// Styles, scripts, streams, images and form targets of this site only; no inline code; no framing.
const CSP: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// Puts the views behind the guard.
pub(super) fn router(shared: Arc<Shared>, guard: Guard) -> Router {
    let mut router = Router::new()
        .route(
            "/page.css",
            asset(
                "text/css; charset=utf-8",
                include_str!("../../assets/page.css"),
            ),
        )
        .route(
            "/live.js",
            asset(
                "text/javascript; charset=utf-8",
                include_str!("../../assets/live.js"),
            ),
        )
        .route(
            "/icon.svg",
            asset("image/svg+xml", include_str!("../../assets/icon.svg")),
        )
        .route("/actions", post(actions::act))
        .route("/sessions", post(look_up));
    for view in View::ALL
        .into_iter()
        .filter(|view| shared.has_drill || *view != View::Drill)
    {
        let path = view.path();
        let shows = move |visit: Visit, Query(did): Query<Did>| async move {
            show(&visit, view, &did).await
        };
        router = router.route(&format!("/{path}"), get(shows));
        let live = format!("/live/{path}");
        let follows = move |visit: Visit| live::follow(visit, view);
        router = router.route(live.trim_end_matches('/'), get(follows));
    }
    if shared.has_drill {
        router = router.route("/drill", post(drill::run));
    }
    router
        .fallback(missing)
        .with_state(shared)
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(map_response(private))
        .layer(from_fn_with_state(guard, admit))
        .layer(map_response(unstored))
}

fn asset(kind: &'static str, text: &'static str) -> axum::routing::MethodRouter<Arc<Shared>> {
    get(move || async move { ([(CONTENT_TYPE, kind)], text) })
}

/// Keeps all answers out of every cache, including those of the guard: they are for one person.
async fn unstored(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Keeps the page's answers out of every frame and foreign script.
async fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, CSP);
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "same-origin"),
        (X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The user whose devices are looked up.
#[derive(Deserialize)]
struct Lookup {
    #[serde(default)]
    user: String,
}

/// Shows the devices of a user. It only reads, and is a form so that no address contains the user.
async fn look_up(visit: Visit, Form(lookup): Form<Lookup>) -> Response {
    if !visit.is_same_site() {
        let text = "This form was sent from another site.";
        return refuse(&visit, StatusCode::FORBIDDEN, text).await;
    }
    let user = lookup.user.trim();
    let frame = frame(&visit, View::Sessions, None);
    let (frame, panels) = futures_util::future::join(frame, devices(&visit, user)).await;
    frame.page(StatusCode::OK, &panels)
}

async fn missing(visit: Visit) -> Response {
    let text = "There is no such view.";
    refuse(&visit, StatusCode::NOT_FOUND, text)
        .await
        .into_response()
}
