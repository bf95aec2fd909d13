//! Streaming responses, responses without a body, and handlers that panic.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http::{Method, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use larder_session::{Session, SessionCookie, SessionErrorKind, SessionKey, SessionLayer};
use larder_test::faulty::Trouble;
use tokio::sync::mpsc;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{Browser, NAME, World, on_both_stores};

const LATE: SessionKey<String> = SessionKey::new("late");

fn layer(world: &World) -> SessionLayer {
    SessionLayer::new(world.sessions())
}

fn request(browser: &Browser) -> Request<()> {
    let cookie = browser.cookie().map(|value| format!("{NAME}={value}"));
    let request = Request::builder().header(header::COOKIE, cookie.unwrap_or_default());
    request.body(()).unwrap()
}

on_both_stores! { Manual;
    async fn immediate_changes_hold_when_the_handler_panics(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        for (path, user) in [("/panicking/log-in/ada", "ada"), ("/panicking/rotate", "grace")] {
            browser.read(&site, "/log-in/grace").await;
            let (old, site) = (browser.copy(), site.clone());
            let panicking = {
                let (browser, site) = (browser.copy(), site.clone());
                tokio::spawn(async move { browser.get(&site, path).await })
            };
            assert!(panicking.await.unwrap_err().is_panic());
            // No cookie was sent, so nobody has the new id; the old one no longer works either.
            assert_eq!(old.read(&site, "/whoami").await, "", "{path}");
            let sessions = world.sessions();
            let devices = sessions.devices(user).await.unwrap();
            assert_eq!(devices.len(), 1, "{path}");
            assert!(sessions.revoke(user, devices[0].id).await.unwrap());
        }
        browser.read(&site, "/log-in/ada").await;
        let signed_out = {
            let (browser, site) = (browser.copy(), site.clone());
            tokio::spawn(async move { browser.get(&site, "/panicking/log-out").await })
        };
        assert!(signed_out.await.unwrap_err().is_panic());
        assert_eq!(browser.read(&site, "/whoami").await, "");
        assert!(world.sessions().devices("ada").await.unwrap().is_empty());
    }

    async fn collected_changes_are_dropped_when_the_handler_panics(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/set/a/1").await;
        let panicking = {
            let (browser, site) = (browser.copy(), site.clone());
            tokio::spawn(async move { browser.get(&site, "/panicking/set/a/2").await })
        };
        assert!(panicking.await.unwrap_err().is_panic());
        assert_eq!(browser.read(&site, "/get/a").await, "1");
    }

    async fn a_head_request_has_a_session_like_a_get(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        let head = Request::builder().method(Method::HEAD).uri("/set/a/1");
        let reply = site.call(head.body(String::new()).unwrap()).await;
        assert!(reply.sets_cookie());
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.header("vary"), Some("Cookie"));
        browser.read(&site, "/set/a/1").await;
        let head = Request::builder()
            .method(Method::HEAD)
            .uri("/get/a")
            .header(header::COOKIE, format!("{NAME}={}", browser.cookie().unwrap()));
        let reply = site.call(head.body(String::new()).unwrap()).await;
        assert_eq!((reply.status, reply.header("vary")), (StatusCode::OK, Some("Cookie")));
        assert!(!reply.sets_cookie());
    }

    /// As server-sent events do: the head and each event go out at once, and the session can be
    /// read for as long as the stream lasts.
    async fn a_stream_is_not_held_back_and_reads_its_session_to_the_end(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/log-in/ada").await;
        let (events, stream) = mpsc::channel::<Result<Frame<Bytes>, Infallible>>(1);
        let (stream, kept) = (Mutex::new(Some(stream)), Mutex::new(None));
        let service = layer(&world).layer(service_fn(async |request: Request<()>| {
            let session = request.extensions().get::<Session>().unwrap().clone();
            assert!(session.user().await.unwrap().is_some());
            *kept.lock().unwrap() = Some(session);
            let mut stream = stream.lock().unwrap().take().unwrap();
            let frames = futures_util::stream::poll_fn(move |cx| stream.poll_recv(cx));
            Ok::<_, Infallible>(Response::new(StreamBody::new(frames)))
        }));
        let response = service.oneshot(request(&browser)).await.unwrap();
        assert_eq!(response.headers()[header::VARY], "Cookie");
        let mut body = response.into_body().into_data_stream();
        let session = kept.lock().unwrap().clone().unwrap();
        for event in ["one", "two"] {
            events.send(Ok(Frame::data(event.into()))).await.unwrap();
            assert_eq!(body.next().await.unwrap().unwrap(), event);
            assert!(session.user().await.unwrap().is_some());
        }
        // A change after the response could not reach the visitor.
        let late = "late".to_owned();
        for error in [
            session.insert(LATE, &late).await.unwrap_err(),
            session.log_in("grace").await.unwrap_err(),
            session.rotate().await.unwrap_err(),
            session.save().await.unwrap_err(),
            session.update(LATE, |_| "late".to_owned()).await.unwrap_err(),
            session.revoke_all().await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), SessionErrorKind::Late, "{error}");
        }
        drop(events);
        assert!(body.next().await.is_none());
        assert_eq!(browser.read(&site, "/whoami").await, "ada");
        assert_eq!(browser.read(&site, "/get/late").await, "");
    }

    async fn a_session_that_is_first_used_after_the_response_reads_and_changes_nothing(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/log-in/ada").await;
        let kept = Mutex::new(None);
        let service = layer(&world).layer(service_fn(async |request: Request<()>| {
            let session = request.extensions().get::<Session>().unwrap().clone();
            *kept.lock().unwrap() = Some(session);
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }));
        let response = service.oneshot(request(&browser)).await.unwrap();
        // It may be read yet, and the head is gone by then.
        assert_eq!(response.headers()[header::VARY], "Cookie");
        let session = kept.lock().unwrap().take().unwrap();
        assert_eq!(session.user().await.unwrap().unwrap().as_str(), "ada");
        let error = session.log_out().await.unwrap_err();
        assert_eq!(error.kind(), SessionErrorKind::Late);
        assert_eq!(browser.read(&site, "/whoami").await, "ada");
    }
}

/// A read that is cancelled has read nothing, and the body may read the session yet.
#[tokio::test]
async fn a_response_after_a_cancelled_read_has_vary_and_its_body_reads_the_session() {
    use crate::support::Time;
    for is_kept in [true, false] {
        let world = World::memory(Time::Manual).await;
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/log-in/ada").await;
        let kept = Mutex::new(None);
        world.switch.set(Trouble::Hang);
        let service = layer(&world).layer(service_fn(async |request: Request<()>| {
            let session = request.extensions().get::<Session>().unwrap().clone();
            let read = tokio::time::timeout(Duration::from_millis(10), session.user());
            assert!(read.await.is_err(), "the store does not answer");
            *kept.lock().unwrap() = Some(session).filter(|_| is_kept);
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }));
        let response = service.oneshot(request(&browser)).await.unwrap();
        world.switch.clear();
        let vary = response.headers().get(header::VARY);
        assert_eq!(vary.unwrap(), "Cookie", "{is_kept}");
        let session = kept.lock().unwrap().take();
        if let Some(session) = session {
            assert_eq!(session.user().await.unwrap().unwrap().as_str(), "ada");
        }
    }
}

/// A future that keeps its request until it is dropped, as some middleware does.
struct Keeps(Option<Request<()>>);

impl Future for Keeps {
    type Output = Result<Response<Full<Bytes>>, Infallible>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        assert!(self.0.is_some());
        Poll::Ready(Ok(Response::new(Full::default())))
    }
}

#[tokio::test]
async fn a_finished_call_keeps_no_session_alive() {
    use crate::support::Time;
    let world = World::memory(Time::Manual).await;
    let service = layer(&world).layer(service_fn(|request| Keeps(Some(request))));
    let response = service.oneshot(request(&Browser::new())).await.unwrap();
    assert!(!response.headers().contains_key(header::VARY));
}

#[test]
fn a_cookie_that_browsers_would_refuse_cannot_be_built() {
    let cookie = SessionCookie::builder;
    for (wrong, fix) in [
        (cookie().insecure_over_plain_http(), "without a prefix"),
        (cookie().with_domain("example.org"), "__Secure-"),
        (cookie().with_path("/account"), "__Secure-"),
        (cookie().with_name("a b"), "token"),
        (cookie().with_name("a".repeat(4096)), "4096 octets"),
    ] {
        let error = wrong.build().unwrap_err();
        assert_eq!(error.kind(), SessionErrorKind::Invalid);
        assert!(error.to_string().contains(fix), "{error}");
    }
}
