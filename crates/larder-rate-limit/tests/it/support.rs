//! Stores that answer late, with an error or never, and a service to limit.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use larder_rate_limit::{FailMode, KeyBy, PeerAddr, Quota, RateLimit, RateLimitLayer, RateLimiter};
use larder_store::{ErrorKind, ManualClock, Refusal, Store};
use larder_test::ModelStore;
use larder_test::faulty::{Faulty, Trouble};
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
    /// With an error, though the call has run.
    LosesAnswers,
    /// Never.
    Hangs,
}

/// A model store that answers as [`Behavior`] says.
#[derive(Clone)]
pub(crate) struct ScriptedStore(Arc<Faulty<ModelStore>>);

impl ScriptedStore {
    pub(crate) fn new(behavior: Behavior) -> Self {
        let store = Self(Arc::new(Faulty::new(Arc::default())));
        store.set(behavior);
        store
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        self.0.clone()
    }

    pub(crate) fn set(&self, behavior: Behavior) {
        let switch = self.0.switch();
        match behavior {
            Behavior::Now => switch.clear(),
            Behavior::After(delay) => switch.set(Trouble::Delay(delay)),
            Behavior::Fails(kind) => switch.set(Trouble::Fail(kind)),
            Behavior::LosesAnswers => switch.set(Trouble::LoseAnswer),
            Behavior::Hangs => switch.set(Trouble::Hang),
        }
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
