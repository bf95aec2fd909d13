use std::fmt::Write;
use std::sync::{Arc, Mutex};

use http::Request;
use larder_session::{OnFailure, Session, SessionLayer};
use larder_store::ErrorKind;
use larder_test::faulty::Trouble;
use larder_test::server::Reply;

use crate::support::{Browser, Time, World};

/// All that a server holds, as bytes.
fn dump(world: &World) -> Vec<u8> {
    let server = world.server.as_ref().unwrap();
    let mut held = Vec::new();
    let Reply::Array(keys) = server.command(&["KEYS", "*"]).unwrap() else {
        panic!("no list")
    };
    for key in keys {
        let key = key.text().unwrap().into_owned();
        held.extend_from_slice(key.as_bytes());
        let all = match server.command(&["GET", &key]).unwrap() {
            Reply::Error(_) => server.command(&["HGETALL", &key]).unwrap(),
            text => Reply::Array(vec![text]),
        };
        let Reply::Array(all) = all else {
            panic!("neither text nor a hash")
        };
        for part in all {
            let Reply::Bulk(bytes) = part else {
                panic!("no text: {part:?}")
            };
            held.extend_from_slice(&bytes);
        }
        let ttl = server.command(&["PTTL", &key]).unwrap().int().unwrap();
        assert!(ttl > 0, "every key has a TTL");
    }
    held
}

fn contains(held: &[u8], part: &[u8]) -> bool {
    held.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_dump_of_the_store_holds_no_cookie() {
    let world = World::redis(Time::Real).await;
    let site = world.site();
    let (visitor, user) = (Browser::new(), Browser::new());
    visitor.read(&site, "/set/a/hello").await;
    user.read(&site, "/log-in/ada/phone").await;
    user.read(&site, "/rotate").await;
    let held = dump(&world);
    assert!(contains(&held, b"hello"));
    for browser in [visitor, user] {
        let cookie = browser.cookie().unwrap();
        let (record, secret) = cookie.split_once('.').unwrap();
        assert!(contains(&held, record.as_bytes()));
        assert!(!contains(&held, secret.as_bytes()));
        assert!(!contains(&held, &secret.as_bytes()[..16]));
        use base64::Engine;
        let raw = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let raw = raw.decode(secret).unwrap();
        assert!(!contains(&held, &raw[..8]));
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        span.record(&mut Line(&self.0));
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut Line(&self.0));
    }
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut Line(&self.0));
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

struct Line<'a>(&'a Mutex<String>);

impl tracing::field::Visit for Line<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        let _ = writeln!(self.0.lock().unwrap(), "{field}={value:?}");
    }
}

#[tokio::test]
async fn no_log_error_or_debug_output_contains_an_id_a_secret_or_a_value() {
    let log = Log::default();
    let _guard = larder_test::subscribe(log.clone());
    let world = World::memory(Time::Manual).await;
    let site = world.site_on_failure(OnFailure::Unavailable);
    let browser = Browser::new();
    browser
        .read(&site, "/log-in/canary-user/canary-device")
        .await;
    browser.read(&site, "/set/a/canary-value").await;
    let mut said = String::new();
    for path in [
        "/set-large/a/99999999",
        "/revoke/x",
        "/add/1",
        "/set/count/x",
        "/add/1",
    ] {
        let _ = write!(said, "{:?}", browser.get(&site, path).await.body);
    }
    for trouble in [
        Trouble::Fail(ErrorKind::NotSent),
        Trouble::Hang,
        Trouble::LoseAnswer,
    ] {
        world.switch.set(trouble);
        for path in ["/whoami", "/log-out", "/set/a/canary-value"] {
            let reply = browser.copy().get(&site, path).await;
            let _ = write!(said, "{:?}", reply.body);
        }
        world.switch.clear();
        browser.copy().get(&site, "/whoami").await;
    }
    let layer = SessionLayer::new(world.sessions());
    let service = tower::Layer::layer(
        &layer,
        tower::service_fn(|request: Request<()>| async move {
            let session = request.extensions().get::<Session>().unwrap();
            let user = session.user().await.unwrap();
            let debug = format!("{session:?} {user:?} {:?}", session.devices().await);
            Ok::<_, std::convert::Infallible>(http::Response::new(debug))
        }),
    );
    let cookie = browser.cookie().unwrap();
    let request = Request::builder().header("cookie", format!("__Host-session={cookie}"));
    let response = tower::ServiceExt::oneshot(service, request.body(()).unwrap())
        .await
        .unwrap();
    let body = http_body_util::BodyExt::collect(response.into_body())
        .await
        .unwrap();
    let debug = String::from_utf8(body.to_bytes().into()).unwrap();
    // The name of a device is chosen by its user, and may be shown.
    said += &debug.replace("canary-device", "");
    assert!(said.contains("UserId(..)"), "{said}");
    let logged = log.0.lock().unwrap().clone();
    assert!(logged.contains("the store fails"), "{logged}");
    for text in [said, logged] {
        for secret in cookie.split('.').chain(["canary"]) {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}
