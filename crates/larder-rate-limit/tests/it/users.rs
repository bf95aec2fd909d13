//! Limits by user: keys that have to be waited for, and sessions outside of the limit.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::request::Parts;
use http::{Request, StatusCode, header};
use larder_moka::MokaStore;
use larder_rate_limit::{
    FailMode, Identity, KeyBy, Limit, PeerAddr, Quota, RateLimitLayer, RateLimiter, Unkeyed,
};
use larder_redis::RedisStore;
use larder_session::{Session, SessionLayer, Sessions};
use larder_store::{ErrorKind, Store};
use larder_test::server::RedisServer;
use tokio::time::Instant;
use tower::ServiceExt;

use crate::support::{App, Behavior, ScriptedStore, from, limiter, model};

/// The user of a request, who is known after a delay, or never.
#[derive(Clone)]
struct SlowIdentity(Option<&'static str>, Duration);

impl Identity for SlowIdentity {
    type User = &'static str;

    async fn identify(&self) -> Option<&'static str> {
        tokio::time::sleep(self.1).await;
        self.0
    }
}

const SOON: Duration = Duration::from_millis(10);
const NEVER: Duration = Duration::MAX;

fn request_by(peer: &str, user: Option<&'static str>, after: Duration) -> Request<()> {
    let mut request = from(peer);
    request.extensions_mut().insert(SlowIdentity(user, after));
    request
}

async fn found_by_a_function(parts: &Parts) -> Option<&'static str> {
    parts.extensions.get::<SlowIdentity>()?.identify().await
}

/// Every kind of key that has to be waited for.
fn ways() -> [KeyBy; 4] {
    [
        KeyBy::user::<SlowIdentity>(),
        KeyBy::from_async_fn(found_by_a_function),
        KeyBy::from_async_fn(async |parts: &Parts| found_by_a_function(parts).await),
        KeyBy::from_async_fn(|parts: &Parts| {
            let told = parts.extensions.get::<SlowIdentity>().cloned();
            async move { Some(told?.identify().await?.to_owned()) }
        }),
    ]
}

fn once_on(behavior: Behavior, key_by: KeyBy) -> RateLimitLayer {
    RateLimitLayer::new(
        limiter(ScriptedStore::new(behavior).store(), Quota::per_hour(1)),
        key_by,
    )
}

#[tokio::test(start_paused = true)]
async fn a_user_is_one_visitor_from_any_address_and_others_are_their_address() {
    for behavior in [Behavior::Now, Behavior::After(Duration::from_millis(1))] {
        for way in ways() {
            let app = App::new(once_on(behavior, way.or(KeyBy::peer())));
            for (request, status) in [
                (request_by("192.0.2.1", Some("ann"), SOON), 200),
                (request_by("192.0.2.2", Some("ann"), SOON), 429),
                (request_by("192.0.2.1", Some("ben"), Duration::ZERO), 200),
                // Nobody is signed in, or there is no session to ask.
                (request_by("192.0.2.1", None, SOON), 200),
                (from("192.0.2.1"), 429),
                (from("192.0.2.2"), 200),
                // A user whose name reads like an address is not that address.
                (request_by("192.0.2.9", Some("192.0.2.3"), SOON), 200),
                (from("192.0.2.3"), 200),
            ] {
                assert_eq!(app.send(request).await.status(), status, "{behavior:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_who_is_not_found_in_time_is_charged_by_the_fallback() {
    for way in ways() {
        let app = App::new(once_on(Behavior::Now, way.clone().or(KeyBy::peer())));
        let started = Instant::now();
        let late = request_by("192.0.2.1", Some("ann"), NEVER);
        assert_eq!(app.send(late).await.status(), 200);
        assert_eq!(started.elapsed(), RateLimitLayer::DEFAULT_TIMEOUT);
        assert_eq!(app.status("192.0.2.1").await, 429);
        let in_time = RateLimitLayer::DEFAULT_TIMEOUT - Duration::from_millis(1);
        let ann = request_by("192.0.2.1", Some("ann"), in_time);
        assert_eq!(app.send(ann).await.status(), 200);

        // The keys of several limits are looked up concurrently.
        let limit = |name| {
            let store = ScriptedStore::new(Behavior::Now).store();
            let limiter = RateLimiter::new(store, name, Quota::per_hour(9)).unwrap();
            Limit::new(limiter, way.clone().or(KeyBy::peer()))
        };
        let layer = RateLimitLayer::of(limit("one"))
            .and(limit("two"))
            .and(limit("three"));
        let (app, started) = (App::new(layer), Instant::now());
        let late = request_by("192.0.2.1", Some("ann"), NEVER);
        assert_eq!(app.send(late).await.status(), 200);
        assert_eq!(started.elapsed(), RateLimitLayer::DEFAULT_TIMEOUT);

        // Each that is asked has its own time, and after the last there is no key.
        let both = way.clone().or(KeyBy::from_async_fn(found_by_a_function));
        let layer = once_on(Behavior::Now, both).with_store_timeout(SOON);
        let app = App::new(layer.with_unkeyed(Unkeyed::ExemptFromLimit));
        for _ in 0..2 {
            let started = Instant::now();
            let late = request_by("192.0.2.1", Some("ann"), NEVER);
            assert_eq!(app.send(late).await.status(), 200);
            assert_eq!(started.elapsed(), 2 * SOON);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_needs_no_waiting_comes_before_one_that_does() {
    let asked = KeyBy::from_async_fn(|_: &Parts| async { panic!("nobody is asked") as Option<u8> });
    let app = App::new(once_on(Behavior::Now, KeyBy::peer().or(asked)));
    assert_eq!(app.status("192.0.2.1").await, 200);
    assert_eq!(app.status("192.0.2.1").await, 429);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_after_the_user_is_told_is_answered_as_declared() {
    let fails = Behavior::Fails(ErrorKind::NotSent);
    for (fail_mode, status) in [(FailMode::Open, 200), (FailMode::Closed, 503)] {
        let layer = once_on(fails, KeyBy::user::<SlowIdentity>()).with_fail_mode(fail_mode);
        let app = App::new(layer);
        let response = app.send(request_by("192.0.2.1", Some("ann"), SOON)).await;
        assert_eq!(response.status(), status);
    }
}

#[tokio::test(start_paused = true)]
async fn the_key_of_each_kind_of_visitor_can_be_asked_for() {
    let (store, _) = model();
    let limiter = limiter(store, Quota::per_hour(1));
    let head = |request: Request<()>| request.into_parts().0;
    for way in ways() {
        let key_by = way.or(KeyBy::peer());
        let ann = head(request_by("192.0.2.1", Some("ann"), SOON));
        let key = key_by.key(&limiter, &ann).await.unwrap();
        assert!(key.as_str().ends_with(":ann}"), "{}", key.as_str());
        let peer = head(from("192.0.2.1"));
        let key = key_by.key(&limiter, &peer).await;
        assert_eq!(key.unwrap().as_str(), "limit:{test:ip:192.0.2.1}");
        let late = head(request_by("192.0.2.2", Some("ann"), NEVER));
        let key = key_by.key(&limiter, &late).await;
        assert_eq!(key.unwrap().as_str(), "limit:{test:ip:192.0.2.2}");
        let unknown = head(Request::new(()));
        assert_eq!(key_by.key(&limiter, &unknown).await, None);
    }
    let [user, function, ..] = ways();
    let shown = format!("{:?}", user.or(function));
    assert_eq!(shown, "KeyBy::user.or(KeyBy::from_async_fn)");
}

/// Two guests and two users on a router whose session is outside of the limit.
async fn users_are_limited_by_who_they_are(store: Arc<dyn Store>) {
    let sessions = Sessions::new(store.clone()).unwrap();
    let sessions = SessionLayer::new(sessions);
    let limiter = RateLimiter::new(store, "api", Quota::per_hour(2)).unwrap();
    let by_user = RateLimitLayer::new(limiter, KeyBy::user::<Session>().or(KeyBy::peer()))
        .with_store_timeout(Duration::from_secs(30));
    let log_in = |session: Session, user: String| async move {
        session.log_in(user).await.unwrap();
    };
    let app = Router::new()
        .route("/", get(async || "hello").layer(by_user))
        .route("/log-in", post(log_in))
        .layer(sessions);
    let send = async |path: &str, peer: &str, cookie: &str, body: &'static str| {
        let method = if body.is_empty() { "GET" } else { "POST" };
        let mut request = Request::builder().method(method).uri(path);
        if !cookie.is_empty() {
            request = request.header(header::COOKIE, cookie);
        }
        let mut request = request.body(Body::from(body)).unwrap();
        let peer = SocketAddr::new(peer.parse().unwrap(), 4711);
        request.extensions_mut().insert(PeerAddr(peer));
        app.clone().oneshot(request).await.unwrap()
    };
    let mut cookies = Vec::new();
    for (peer, user) in [
        ("192.0.2.1", "ann"),
        ("192.0.2.2", "ann"),
        ("192.0.2.1", "ben"),
    ] {
        let response = send("/log-in", peer, "", user).await;
        assert_eq!(response.status(), StatusCode::OK);
        let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
        cookies.push(cookie.split(';').next().unwrap().to_owned());
    }
    let [ann, ann_elsewhere, ben] = [&*cookies[0], &*cookies[1], &*cookies[2]];
    for (peer, cookie, status) in [
        ("192.0.2.1", ann, 200),
        ("192.0.2.2", ann_elsewhere, 200),
        ("192.0.2.3", ann, 429),
        ("192.0.2.1", ben, 200),
        ("192.0.2.1", "", 200),
        ("192.0.2.1", "id=made-up", 200),
        ("192.0.2.1", "", 429),
        ("192.0.2.2", "", 200),
        ("192.0.2.2", ben, 200),
        ("192.0.2.2", ben, 429),
    ] {
        let response = send("/", peer, cookie, "").await;
        assert_eq!(response.status(), status, "{peer} {cookie}");
    }
}

#[tokio::test]
async fn signed_in_users_are_limited_by_who_they_are_on_moka() {
    users_are_limited_by_who_they_are(Arc::new(MokaStore::new())).await;
}

#[tokio::test]
async fn signed_in_users_are_limited_by_who_they_are_on_redis() {
    let server = RedisServer::start().unwrap();
    let store = RedisStore::builder(&server.url()).with_timeout(Duration::from_secs(10));
    users_are_limited_by_who_they_are(Arc::new(store.connect().await.unwrap())).await;
}
