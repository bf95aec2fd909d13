//! Requests that end without a response, and tasks that still have their sessions.

use std::future::pending;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, header};
use http_body_util::Full;
use larder_session::{Session, SessionErrorKind, SessionKey, SessionLayer, Sessions};
use tower::{Layer, Service, service_fn};

use crate::support::{Browser, NAME, Time, World};

const A: SessionKey<u32> = SessionKey::new("a");

/// Returns the session of a request that has ended without a response.
async fn abandoned(sessions: Sessions, browser: &Browser, fails: bool) -> Session {
    let kept = Arc::new(Mutex::new(None));
    let to = kept.clone();
    let inner = service_fn(move |request: Request<()>| {
        let session = request.extensions().get::<Session>().cloned();
        *to.lock().unwrap() = session;
        async move {
            match fails {
                true => Err(()),
                false => pending::<Result<Response<Full<Bytes>>, ()>>().await,
            }
        }
    });
    let cookie = browser.cookie().map(|it| format!("{NAME}={it}"));
    let request = Request::builder().header(header::COOKIE, cookie.unwrap_or_default());
    let mut service = SessionLayer::new(sessions).layer(inner);
    let mut future = Box::pin(service.call(request.body(()).unwrap()));
    assert_eq!((&mut future).now_or_never().is_some(), fails);
    drop(future);
    kept.lock().unwrap().take().unwrap()
}

fn is_late<T>(answer: larder_session::Result<T>) -> bool {
    answer.is_err_and(|error| error.kind() == SessionErrorKind::Late)
}

#[tokio::test]
async fn a_change_that_nothing_would_write_is_refused() {
    let world = World::memory(Time::Manual).await;
    let site = world.site();
    for fails in [false, true] {
        let browser = Browser::signed_in(&site, "ada").await;
        let session = abandoned(world.sessions(), &browser, fails).await;
        assert!(is_late(session.insert(A, &1).await));
        assert!(is_late(session.increment(A, 1).await));
        assert!(is_late(session.remove(A).await));
        assert!(is_late(session.take(A).await));
        assert!(is_late(session.name_device("phone").await));
        // No response can carry the new id.
        assert!(is_late(session.log_in("ada").await));
        assert!(is_late(session.rotate().await));
        assert_eq!(browser.read(&site, "/whoami").await, "ada");
    }
}

#[tokio::test]
async fn what_is_written_at_once_is_written_without_a_response_too() {
    let world = World::memory(Time::Manual).await;
    let site = world.site();
    let browser = Browser::signed_in(&site, "ada").await;
    let session = abandoned(world.sessions(), &browser, false).await;
    session.update(A, |a| a.unwrap_or(0) + 1).await.unwrap();
    assert_eq!(session.get(A).await.unwrap(), Some(1));
    assert_eq!(session.take_now(A).await.unwrap(), Some(1));
    session.log_out().await.unwrap();
    assert_eq!(browser.read(&site, "/whoami").await, "");
    // Nobody would get the cookie of a new session.
    let session = abandoned(world.sessions(), &Browser::new(), false).await;
    assert!(is_late(session.update(A, |_| 1).await));
}
