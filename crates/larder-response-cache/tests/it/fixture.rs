use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_response_cache::{ResponseCache, ResponseCacheBuilder, ResponseCacheLayer};
use larder_store::{Clock, ManualClock, Store};
use larder_test::ModelStore;
use larder_test::server::RedisServer;
use tower::{Layer, Service, ServiceExt};

use crate::gate::{Control, Gate};

pub(crate) type Body = UnsyncBoxBody<Bytes, Broken>;

/// The error of the origin, and of its bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the origin is broken")
    }
}

impl std::error::Error for Broken {}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Broken>> + Send>>;
type Script = Box<dyn FnOnce(&Request<Full<Bytes>>) -> Answer + Send>;

/// An origin that answers by a script.
#[derive(Clone, Default)]
pub(crate) struct Origin {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    script: VecDeque<Script>,
    requests: Vec<Request<()>>,
}

impl Origin {
    /// Answers the next request with these headers and `body`.
    pub(crate) fn then(&self, status: u16, fields: &[(&str, &str)], body: &'static str) -> &Self {
        let answer = response(status, fields, full(body));
        self.then_with(move |_| Box::pin(async move { Ok(answer) }))
    }

    /// Answers the next request with `answer`.
    pub(crate) fn then_response(&self, answer: Response<Body>) -> &Self {
        self.then_with(move |_| Box::pin(async move { Ok(answer) }))
    }

    /// Fails the next request.
    pub(crate) fn then_fail(&self) -> &Self {
        self.then_with(|_| Box::pin(async { Err(Broken) }))
    }

    pub(crate) fn then_with(
        &self,
        script: impl FnOnce(&Request<Full<Bytes>>) -> Answer + Send + 'static,
    ) -> &Self {
        self.state
            .lock()
            .unwrap()
            .script
            .push_back(Box::new(script));
        self
    }

    /// Returns the number of requests that it got.
    pub(crate) fn count(&self) -> usize {
        self.state.lock().unwrap().requests.len()
    }

    /// Returns the headers of its last request.
    pub(crate) fn last(&self) -> HeaderMap {
        let state = self.state.lock().unwrap();
        state.requests.last().unwrap().headers().clone()
    }
}

impl Service<Request<Full<Bytes>>> for Origin {
    type Response = Response<Body>;
    type Error = Broken;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Answer {
        let mut state = self.state.lock().unwrap();
        let mut seen = Request::new(());
        *seen.method_mut() = request.method().clone();
        *seen.uri_mut() = request.uri().clone();
        *seen.headers_mut() = request.headers().clone();
        state.requests.push(seen);
        match state.script.pop_front() {
            Some(script) => script(&request),
            None => Box::pin(async { Ok(response(200, &[], full("unscripted"))) }),
        }
    }
}

pub(crate) fn full(body: &'static str) -> Body {
    Full::new(Bytes::from_static(body.as_bytes()))
        .map_err(|never| match never {})
        .boxed_unsync()
}

pub(crate) fn response(status: u16, fields: &[(&str, &str)], body: Body) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    response.body(body).unwrap()
}

/// Longer than any operation takes on a busy machine.
const PATIENT: Duration = Duration::from_secs(20);

/// A cache in front of an origin, with its own store and clock.
pub(crate) struct Fixture {
    pub(crate) origin: Origin,
    pub(crate) clock: ManualClock,
    pub(crate) layer: ResponseCacheLayer,
    pub(crate) store: Arc<dyn Store>,
    service: ResponseCache<Origin>,
    // Dropping it ends the server.
    _server: Option<RedisServer>,
}

/// The kind of store.
pub(crate) enum Place {
    Memory,
    Redis,
}

/// A response that was read to its end.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) async fn at(
        place: Place,
        set: impl FnOnce(ResponseCacheBuilder) -> ResponseCacheBuilder,
    ) -> Self {
        let clock = ManualClock::default();
        let (store, server): (Arc<dyn Store>, _) = match place {
            Place::Memory => {
                let store = MokaStore::builder().with_clock(clock.clone()).build();
                (Arc::new(store), None)
            }
            Place::Redis => {
                let server = RedisServer::start().unwrap();
                let builder = RedisStore::builder(&server.url()).with_timeout(PATIENT);
                (Arc::new(builder.connect().await.unwrap()), Some(server))
            }
        };
        let fixture = Self::on(store, clock, |builder| {
            set(builder.with_store_timeout(PATIENT))
        });
        Self {
            _server: server,
            ..fixture
        }
    }

    pub(crate) fn with(set: impl FnOnce(ResponseCacheBuilder) -> ResponseCacheBuilder) -> Self {
        let clock = ManualClock::default();
        let store: Arc<dyn Store> = Arc::new(ModelStore::with_clock(clock.clone()));
        Self::on(store, clock, set)
    }

    pub(crate) fn on(
        store: Arc<dyn Store>,
        clock: ManualClock,
        set: impl FnOnce(ResponseCacheBuilder) -> ResponseCacheBuilder,
    ) -> Self {
        let builder = ResponseCacheLayer::builder(store.clone()).with_clock(clock.clone());
        let layer = set(builder).build().unwrap();
        let origin = Origin::default();
        Self {
            service: layer.layer(origin.clone()),
            layer,
            clock,
            store,
            origin,
            _server: None,
        }
    }

    /// Makes a fixture on a store whose operations a test can hold.
    pub(crate) async fn gated_at(
        place: Place,
        set: impl FnOnce(ResponseCacheBuilder) -> ResponseCacheBuilder,
    ) -> (Self, Control) {
        let plain = Self::at(place, |builder| builder).await;
        let (gate, control) = Gate::new(plain.store.clone());
        let gated = Self::on(Arc::new(gate), plain.clock.clone(), |builder| {
            set(builder.with_store_timeout(PATIENT))
        });
        let gated = Self {
            _server: plain._server,
            ..gated
        };
        (gated, control)
    }

    /// Makes another process on the same store, with its own origin.
    pub(crate) fn sibling(&self) -> Self {
        Self::on(self.store.clone(), self.clock.clone(), |builder| builder)
    }

    pub(crate) fn later(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Returns the date of this many seconds from now.
    pub(crate) fn date(&self, seconds: i64) -> String {
        let now = self.clock.now().as_micros() / 1_000_000 + seconds;
        let date = larder_response_cache::engine::format_date(now);
        date.to_str().unwrap().to_owned()
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answered, Broken> {
        let response = self.service.clone().oneshot(request).await?;
        let (parts, body) = response.into_parts();
        Ok(Answered {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await?.to_bytes(),
        })
    }

    /// Sends a request, and returns the response before its body is read.
    pub(crate) async fn open(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Response<larder_response_cache::ResponseCacheBody<Body>> {
        self.service.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answered {
        self.get_with(path, &[]).await
    }

    pub(crate) async fn get_with(&self, path: &str, fields: &[(&str, &str)]) -> Answered {
        self.send(request(Method::GET, path, fields)).await.unwrap()
    }
}

pub(crate) fn request(method: Method, path: &str, fields: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(path);
    if !fields.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "cinema.example");
    }
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(Full::default()).unwrap()
}

impl Answered {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn field(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn is_hit(&self) -> bool {
        self.field("cache-status").contains("; hit")
    }
}

/// Lets each task run that can. Needs a runtime with one thread.
pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// Waits until `is_so` returns true.
pub(crate) async fn until(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENT, waiting).await.unwrap();
}

pub(crate) const HOUR: (&str, &str) = ("cache-control", "max-age=3600");

impl Origin {
    /// Returns the URI of its last request.
    pub(crate) fn last_uri(&self) -> String {
        let state = self.state.lock().unwrap();
        state.requests.last().unwrap().uri().to_string()
    }

    /// Drops the answers that are left in the script.
    pub(crate) fn drop_script(&self) {
        self.state.lock().unwrap().script.clear();
    }
}
