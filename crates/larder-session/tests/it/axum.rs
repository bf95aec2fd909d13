//! Sessions as arguments of axum's handlers.

use std::time::Duration;

use axum::extract::{Extension, Query};
use axum::routing::{get, post};
use axum::{Router, middleware};
use http::request::Parts;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use larder_session::{
    OnFailure, RequireUser, ReturnPath, Session, SessionError, SessionKey, SessionLayer, SignInPage,
};
use larder_store::ErrorKind;
use larder_test::faulty::Trouble;
use tower::ServiceExt;

use crate::support::{Time, World};

const VISITS: SessionKey<u32> = SessionKey::new("visits");

async fn home(session: Session) -> Result<String, SessionError> {
    Ok(session.increment(VISITS, 1).await?.to_string())
}

async fn sign_in(session: Session) -> Result<(), SessionError> {
    session.log_in("ada").await
}

async fn account(RequireUser(user): RequireUser, session: Session) -> Result<String, SessionError> {
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
    let layer = |on_failure| SessionLayer::new(world.sessions()).with_on_failure(on_failure);
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

async fn home_of(user: Option<RequireUser>) -> String {
    user.map_or("nobody".to_owned(), |user| user.0.as_str().to_owned())
}

#[tokio::test]
async fn an_optional_user_accepts_every_visitor() {
    let world = World::memory(Time::Manual).await;
    let layer = |on_failure| SessionLayer::new(world.sessions()).with_on_failure(on_failure);
    let pages = || pages().route("/home", get(home_of));
    let app = pages().layer(layer(OnFailure::Unavailable));
    let (status, body, _) = get_page(&app, "/home", None).await;
    assert_eq!((status, &*body), (StatusCode::OK, "nobody"));
    let (_, _, cookie) = get_page(&app, "/sign-in", None).await;
    let (_, body, _) = get_page(&app, "/home", Some(&cookie)).await;
    assert_eq!(body, "ada");

    world.switch.set(Trouble::Fail(ErrorKind::NotSent));
    let (status, ..) = get_page(&app, "/home", Some(&cookie)).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let app = pages().layer(layer(OnFailure::Anonymous));
    let (status, body, _) = get_page(&app, "/home", Some(&cookie)).await;
    assert_eq!((status, &*body), (StatusCode::OK, "nobody"));
    let (status, ..) = get_page(&pages(), "/home", None).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
}

async fn recently(session: Session) -> Result<String, SessionError> {
    let user = session.recent_auth(Duration::ZERO).await?;
    Ok(user.as_str().to_owned())
}

#[tokio::test]
async fn each_401_names_a_way_to_authenticate() {
    let world = World::memory(Time::Manual).await;
    let app = pages().route("/recently", get(recently));
    let app = app.layer(SessionLayer::new(world.sessions()));
    let (.., cookie) = get_page(&app, "/sign-in", None).await;
    world.advance(Duration::from_secs(1));
    for (path, cookie) in [("/account", ""), ("/recently", ""), ("/recently", &cookie)] {
        let request = Request::builder().uri(path).header(header::COOKIE, cookie);
        let request = request.body(axum::body::Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
        let challenge = response.headers().get(header::WWW_AUTHENTICATE);
        assert_eq!(challenge.unwrap(), "Cookie realm=\"session\"", "{path}");
    }
}

#[derive(serde::Deserialize)]
struct Next {
    #[serde(default)]
    next: ReturnPath,
}

async fn enter(
    session: Session,
    Query(Next { next }): Query<Next>,
) -> Result<ReturnPath, SessionError> {
    session.log_in("ada").await?;
    Ok(next)
}

/// An app whose users sign in at `/enter`, with pages below `/club`.
fn club(world: &World) -> Router {
    let layer = SessionLayer::new(world.sessions());
    let page = SignInPage::new("/enter?lang=en").unwrap();
    let rooms = Router::new()
        .route("/account", get(account).post(account))
        .layer(Extension(page));
    let inner = Router::new().nest("/rooms", rooms);
    Router::new()
        .nest("/club", inner)
        .route("/enter", post(enter))
        .route("/api", get(account))
        .layer(layer)
}

async fn location(app: &Router, method: Method, path: &str) -> (StatusCode, Option<String>) {
    let request = Request::builder().method(method).uri(path);
    let request = request.body(axum::body::Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let headers = response.headers();
    if response.status() == StatusCode::SEE_OTHER {
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(headers[header::VARY], "Cookie");
    }
    let location = headers.get(header::LOCATION);
    let location = location.map(|to| to.to_str().unwrap().to_owned());
    (response.status(), location)
}

#[tokio::test]
async fn a_visitor_without_a_user_is_redirected_to_the_sign_in_page_with_the_requested_address() {
    let world = World::memory(Time::Manual).await;
    let app = club(&world);
    // Also behind a nested router that strips the path, and for an address with a host.
    for asked in [
        "/club/rooms/account?tab=2&x=%20y",
        "http://evil.example/club/rooms/account?tab=2&x=%20y",
    ] {
        for method in [Method::GET, Method::HEAD] {
            let expected = "/enter?lang=en&next=%2Fclub%2Frooms%2Faccount%3Ftab%3D2%26x%3D%2520y";
            let (status, to) = location(&app, method, asked).await;
            assert_eq!(
                (status, to.as_deref()),
                (StatusCode::SEE_OTHER, Some(expected))
            );
        }
    }
    // A form that was sent cannot be asked for again.
    let (status, to) = location(&app, Method::POST, "/club/rooms/account").await;
    assert_eq!(
        (status, to.as_deref()),
        (StatusCode::SEE_OTHER, Some("/enter?lang=en"))
    );
    // Without a sign-in page it is 401, and while the store fails it is 503.
    let (status, to) = location(&app, Method::GET, "/api").await;
    assert_eq!((status, to), (StatusCode::UNAUTHORIZED, None));
    let (.., cookie) = sign_in_and_go(&app, "/").await;
    world.switch.set(Trouble::Fail(ErrorKind::NotSent));
    let (status, ..) = get_page(&app, "/club/rooms/account", Some(&cookie)).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}

/// Signs in with `next` as the browser sends it, and returns the redirect's target.
async fn sign_in_and_go(app: &Router, next: &str) -> (StatusCode, String, String) {
    let request = Request::post(format!("/enter?next={next}"));
    let request = request.body(axum::body::Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let text = |name| response.headers()[name].to_str().unwrap().to_owned();
    let cookie = text(header::SET_COOKIE)
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    (response.status(), text(header::LOCATION), cookie)
}

#[tokio::test]
async fn a_sign_in_leads_back_and_never_to_another_site() {
    let world = World::memory(Time::Manual).await;
    let app = club(&world);
    let (_, to) = location(&app, Method::GET, "/club/rooms/account?tab=2&x=%20y").await;
    let next = to.unwrap().split_once("next=").unwrap().1.to_owned();
    let (status, to, cookie) = sign_in_and_go(&app, &next).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(to, "/club/rooms/account?tab=2&x=%20y");
    let (status, body, _) = get_page(&app, &to, Some(&cookie)).await;
    assert_eq!((status, &*body), (StatusCode::OK, "ada 1"));
    for hostile in [
        "",
        "//evil.example",
        "/%5Cevil.example",
        "%2F%2Fevil.example",
        "%252F%252Fevil.example",
        "/%252Fevil.example",
        "/%09/evil.example",
        "/%0D%0ASet-Cookie:a=b",
        "https://evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "%C0%AF%C0%AFevil.example",
        "/%EF%BC%8Fevil.example",
        "%00",
    ] {
        let (status, to, _) = sign_in_and_go(&app, hostile).await;
        assert_eq!((status, &*to), (StatusCode::SEE_OTHER, "/"), "{hostile}");
    }
}

#[test]
fn a_sign_in_page_must_be_a_path_of_this_site() {
    for wrong in [
        "",
        "sign-in",
        "//evil.example",
        "https://evil.example/",
        "/a b",
    ] {
        let error = SignInPage::new(wrong).unwrap_err();
        assert_eq!(error.kind(), larder_session::SessionErrorKind::Invalid);
        assert!(error.to_string().contains("begins with one '/'"), "{error}");
    }
}

/// As the key of a rate limit is made.
async fn user_of(parts: &Parts) -> Option<String> {
    let user = Session::from_parts(parts)?.user().await.ok()??;
    let key = larder_store::Key::new(larder_store::Kind::record("limit"), &user);
    assert!(!format!("{user:?}").contains(user.as_str()));
    Some(key.as_str().to_owned())
}

async fn who(request: axum::extract::Request, next: middleware::Next) -> axum::response::Response {
    let (parts, body) = request.into_parts();
    let key = user_of(&parts).await;
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if let Some(key) = key {
        response.headers_mut().insert("x-key", key.parse().unwrap());
    }
    response
}

#[tokio::test]
async fn the_signed_in_user_is_found_in_the_parts_of_a_request() {
    let world = World::memory(Time::Manual).await;
    let app = club(&world);
    let (.., cookie) = sign_in_and_go(&app, "/").await;
    let layer = SessionLayer::new(world.sessions());
    let app = pages().layer(middleware::from_fn(who)).layer(layer);
    for (cookie, expected) in [(Some(&*cookie), Some("limit:{ada}")), (None, None)] {
        let mut request = Request::builder().uri("/account");
        if let Some(cookie) = cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let request = request.body(axum::body::Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        let key = response.headers().get("x-key");
        assert_eq!(key.map(|key| key.to_str().unwrap()), expected);
    }
    let (parts, ()) = Request::new(()).into_parts();
    assert!(user_of(&parts).await.is_none());
}

#[tokio::test]
async fn a_page_that_does_not_use_the_session_has_no_vary_header() {
    let world = World::memory(Time::Manual).await;
    let layer = |inner: Router| inner.layer(SessionLayer::new(world.sessions()));
    let plain = Router::new().route("/plain", get(async || "plain"));
    let held = async |session: Session| {
        let chunks = futures_util::stream::once(async move {
            let user = session.user().await.ok().flatten();
            Ok::<_, std::convert::Infallible>(user.map_or("nobody".to_owned(), |_| String::new()))
        });
        axum::body::Body::from_stream(chunks)
    };
    let app = layer(plain.route("/stream", get(held)));
    for (path, body, vary) in [
        ("/plain", "plain", None),
        ("/stream", "nobody", Some("Cookie")),
    ] {
        let request = Request::builder().uri(path);
        let request = request.body(axum::body::Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        let told = response.headers().get(header::VARY);
        assert_eq!(told.map(|vary| vary.to_str().unwrap()), vary, "{path}");
        let read = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(read, body);
    }
}
