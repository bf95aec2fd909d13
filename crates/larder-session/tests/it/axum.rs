//! Sessions as arguments of axum's handlers.

use axum::Router;
use axum::routing::get;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use larder_session::{
    Error, OnFailure, RequireUser, Session, SessionCookie, SessionKey, SessionLayer,
};
use larder_store::ErrorKind;
use larder_test::faulty::Trouble;
use tower::ServiceExt;

use crate::support::{Time, World};

const VISITS: SessionKey<u32> = SessionKey::new("visits");

async fn home(session: Session) -> Result<String, Error> {
    Ok(session.increment(VISITS, 1).await?.to_string())
}

async fn sign_in(session: Session) -> Result<(), Error> {
    session.log_in("ada").await
}

async fn account(RequireUser(user): RequireUser, session: Session) -> Result<String, Error> {
    let devices = session.devices().await?.len();
    Ok(format!("{} {devices}", user.as_str()))
}

fn pages() -> Router {
    Router::new()
        .route("/", get(home))
        .route("/sign-in", get(sign_in))
        .route("/account", get(account))
}

async fn get_page(app: &Router, path: &str, cookie: Option<&str>) -> (StatusCode, String, String) {
    let mut request = Request::builder().uri(path);
    if let Some(cookie) = cookie {
        request = request.header(header::COOKIE, cookie);
    }
    let request = request.body(axum::body::Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let cookie = response
        .headers()
        .get(header::SET_COOKIE)
        .map_or("", |set| set.to_str().unwrap().split(';').next().unwrap());
    let (status, cookie) = (response.status(), cookie.to_owned());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.into()).unwrap(), cookie)
}

#[tokio::test]
async fn handlers_take_a_session_and_a_user() {
    let world = World::memory(Time::Manual).await;
    let layer = |on_failure| {
        SessionLayer::new(world.sessions(), SessionCookie::default(), on_failure).unwrap()
    };
    let app = pages().layer(layer(OnFailure::Anonymous));
    let (status, body, cookie) = get_page(&app, "/", None).await;
    assert_eq!((status, &*body), (StatusCode::OK, "1"));
    let (_, body, again) = get_page(&app, "/", Some(&cookie)).await;
    assert_eq!((&*body, &*again), ("2", ""));
    let (status, body, _) = get_page(&app, "/account", Some(&cookie)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(body.contains("Nobody is signed in"), "{body}");
    let (_, _, cookie) = get_page(&app, "/sign-in", Some(&cookie)).await;
    let (status, body, _) = get_page(&app, "/account", Some(&cookie)).await;
    assert_eq!((status, &*body), (StatusCode::OK, "ada 1"));

    world.switch.set(Trouble::Fail(ErrorKind::NotSent));
    for app in [app, pages().layer(layer(OnFailure::Unavailable))] {
        let (status, body, _) = get_page(&app, "/account", Some(&cookie)).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains("Service Unavailable"), "{body}");
        let (status, ..) = get_page(&app, "/sign-in", Some(&cookie)).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    }
}

#[tokio::test]
async fn without_the_layer_a_handler_says_what_is_missing() {
    let (status, body, _) = get_page(&pages(), "/", None).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(body.contains("no SessionLayer"), "{body}");
}
