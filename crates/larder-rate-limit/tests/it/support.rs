//! Stores that answer late, with an error or never, and a service to limit.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use larder_rate_limit::{FailMode, KeyBy, PeerAddr, Quota, RateLimit, RateLimitLayer, RateLimiter};
use larder_store::program::{Call, Calls, Programs};
use larder_store::{
    Delete, DeleteOutcome, Entry, Error, ErrorKind, ExpireOutcome, Key, ManualClock, Put,
    PutOutcome, Refusal, Result, Store, Ttl,
};
use larder_test::ModelStore;
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

/// A store in process, and the clock that it reads.
pub(crate) fn model() -> (Arc<dyn Store>, ManualClock) {
    let clock = ManualClock::default();
    (Arc::new(ModelStore::with_clock(clock.clone())), clock)
}

pub(crate) fn limiter(store: Arc<dyn Store>, quota: Quota) -> RateLimiter {
    RateLimiter::new(store, "test", quota).unwrap()
}

/// A layer that waits as long as a busy machine takes, and refuses if the store fails.
pub(crate) fn layer(limiter: RateLimiter, key_by: KeyBy) -> RateLimitLayer {
    RateLimitLayer::new(limiter, key_by)
        .with_store_timeout(Duration::from_secs(30))
        .with_fail_mode(FailMode::Closed)
}

/// How a [`ScriptedStore`] answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Behavior {
    /// At once, as in process.
    Now,
    /// After a delay, as over a network.
    After(Duration),
    /// With an error, at once.
    Fails(ErrorKind),
    /// Never.
    Hangs,
}

/// A model store whose programs answer as [`Behavior`] says.
#[derive(Clone)]
pub(crate) struct ScriptedStore {
    model: Arc<ModelStore>,
    behavior: Arc<Mutex<Behavior>>,
}

impl ScriptedStore {
    pub(crate) fn new(behavior: Behavior) -> Self {
        Self {
            model: Arc::default(),
            behavior: Arc::new(Mutex::new(behavior)),
        }
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.clone())
    }

    pub(crate) fn set(&self, behavior: Behavior) {
        *self.behavior.lock().unwrap() = behavior;
    }

    fn behavior(&self) -> Behavior {
        *self.behavior.lock().unwrap()
    }

    /// Waits as long as one call takes, or several that are sent together. Returns how they fail.
    async fn round_trip(&self) -> Option<ErrorKind> {
        match self.behavior() {
            Behavior::Now => None,
            Behavior::After(delay) => {
                tokio::time::sleep(delay).await;
                None
            }
            Behavior::Fails(kind) => Some(kind),
            Behavior::Hangs => pending().await,
        }
    }
}

fn failed(kind: ErrorKind) -> Error {
    Error::new("run", kind, "as it was told to")
}

#[async_trait]
impl Programs for ScriptedStore {
    fn call_now(&self, key: &Key, call: &mut dyn Call) -> Poll<Result<()>> {
        match self.behavior() {
            Behavior::Now => self.model.call_now(key, call),
            _ => Poll::Pending,
        }
    }

    async fn call(&self, key: &Key, call: &mut dyn Call) -> Result<()> {
        match self.round_trip().await {
            Some(failure) => Err(failed(failure)),
            None => self.model.call(key, call).await,
        }
    }

    async fn call_many<'a>(&self, calls: Calls<'a>) -> Vec<Result<()>> {
        match self.round_trip().await {
            Some(failure) => calls.iter().map(|_| Err(failed(failure))).collect(),
            None => self.model.call_many(calls).await,
        }
    }
}

#[async_trait]
impl Store for ScriptedStore {
    async fn get(&self, _: &Key) -> Result<Option<Entry>> {
        unreachable!("a limit reads no value")
    }

    async fn put(&self, _: &Put) -> Result<PutOutcome> {
        unreachable!("a limit writes no value")
    }

    async fn delete(&self, _: &Delete) -> Result<DeleteOutcome> {
        unreachable!("a limit removes no value")
    }

    async fn expire(&self, _: &Key, _: Ttl) -> Result<ExpireOutcome> {
        unreachable!("a limit keeps no value")
    }

    async fn ttl(&self, _: &Key) -> Result<Option<Ttl>> {
        unreachable!("a limit keeps no value")
    }

    async fn get_many(&self, _: &[Key]) -> Vec<Result<Option<Entry>>> {
        unreachable!("a limit reads no value")
    }

    async fn put_many(&self, _: &[Put]) -> Vec<Result<PutOutcome>> {
        unreachable!("a limit writes no value")
    }

    async fn delete_many(&self, _: &[Delete]) -> Vec<Result<DeleteOutcome>> {
        unreachable!("a limit removes no value")
    }

    fn location(&self) -> &str {
        "scripted://"
    }

    fn programs(self: Arc<Self>) -> Option<Arc<dyn Programs>> {
        Some(self)
    }
}

pub(crate) const FULL: ErrorKind = ErrorKind::Refused(Refusal::Full);

pub(crate) type Reply = Response<Full<Bytes>>;

/// The service behind the limit, which answers `hello`.
pub(crate) fn hello()
-> impl tower::Service<Request<()>, Response = Reply, Error = Infallible, Future: Send> + Clone {
    service_fn(|_: Request<()>| async { Ok(Response::new(Full::from("hello"))) })
}

/// A limited service.
pub(crate) struct App(Inner);

type Inner = BoxCloneSyncService<Request<()>, Response<Bytes>, Infallible>;

impl App {
    pub(crate) fn new(layer: RateLimitLayer) -> Self {
        Self::around(layer.layer(hello()))
    }

    pub(crate) fn around<S>(limited: RateLimit<S>) -> Self
    where
        RateLimit<S>: tower::Service<
                Request<()>,
                Response = Response<larder_rate_limit::ResponseBody<Full<Bytes>>>,
                Error = Infallible,
                Future: Send,
            > + Clone
            + Send
            + Sync
            + 'static,
    {
        let collected = ServiceBuilder::new()
            .and_then(|response: Response<_>| async {
                let (parts, body) = response.into_parts();
                let body = BodyExt::collect(body).await?.to_bytes();
                Ok(Response::from_parts(parts, body))
            })
            .service(limited);
        Self(BoxCloneSyncService::new(collected))
    }

    /// The response to `request`.
    pub(crate) fn send(&self, request: Request<()>) -> impl Future<Output = Response<Bytes>> {
        let service = self.0.clone();
        async move { service.oneshot(request).await.unwrap() }
    }

    /// The status of a request from `peer`.
    pub(crate) async fn status(&self, peer: &str) -> u16 {
        self.send(from(peer)).await.status().as_u16()
    }
}

/// A request that came from `peer`.
pub(crate) fn from(peer: &str) -> Request<()> {
    let mut request = Request::new(());
    let peer = SocketAddr::new(peer.parse().unwrap(), 4711);
    request.extensions_mut().insert(PeerAddr(peer));
    request
}

/// The same request with one more header line.
pub(crate) fn with(mut request: Request<()>, name: &'static str, value: &str) -> Request<()> {
    request.headers_mut().append(name, value.parse().unwrap());
    request
}

/// All lines of a header, in order.
pub(crate) fn lines<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    let lines = headers.get_all(name).iter();
    lines.map(|line| line.to_str().unwrap()).collect()
}
