//! A reverse proxy that keeps responses by RFC 9111, in this process or in Redis.
//!
//! ```text
//! ORIGIN=http://127.0.0.1:8000 LISTEN=127.0.0.1:8080 \
//!     cargo run --release -p larder-examples --example caching_proxy
//! ```
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `ORIGIN` | where requests go, as `http://host:port` | `http://127.0.0.1:8000` |
//! | `LISTEN` | the address to listen on | `127.0.0.1:8080` |
//! | `PROFILE` | `safe`, or `rfc` for the letter of RFC 9111 | `safe` |
//! | `STORE_URL` | `memory://` or `redis://…` | `memory://` |
//!
//! An origin that is away is covered for by what is stored, where that does not forbid it; else the
//! answer is 502, or 504 where the origin took longer than 30 s to begin one.

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use larder_response_cache::engine::{CacheControl, strip};
use larder_response_cache::{Profile, ResponseCache, ResponseCacheLayer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{error::Elapsed, sleep, timeout};
use tower::{Layer, Service, ServiceExt, service_fn};

type BoxError = Box<dyn Error + Send + Sync>;

/// How many clients are served at once. More wait in the listener's queue.
const CLIENTS: usize = 10_000;
/// How long the origin may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long it may take to begin a response.
const RESPOND: Duration = Duration::from_secs(30);
/// How long what is stale is served while it is away.
const COVER: Duration = Duration::from_secs(3600);
/// How long an idle connection to it is kept: less than servers keep theirs.
const IDLE: Duration = Duration::from_secs(4);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let store = larder::connect(&variable("STORE_URL", "memory://")).await?;
    let profile = match variable("PROFILE", "safe").as_str() {
        "safe" => Profile::Safe,
        "rfc" => Profile::Rfc,
        other => return Err(format!("PROFILE is safe or rfc, not '{other}'").into()),
    };
    let layer = ResponseCacheLayer::builder(store)
        .with_profile(profile)
        .with_targeted_field(HeaderName::from_static("cdn-cache-control"))
        .with_stale_while_disconnected(COVER)
        .build()?;
    let proxy = layer.layer(Proxy::to(&variable("ORIGIN", "http://127.0.0.1:8000"))?);
    let listener = TcpListener::bind(variable("LISTEN", "127.0.0.1:8080")).await?;
    tokio::select! {
        never = serve(listener, proxy) => match never {},
        stop = tokio::signal::ctrl_c() => Ok(stop?),
    }
}

async fn serve(listener: TcpListener, proxy: ResponseCache<Proxy>) -> Infallible {
    let places = Arc::new(Semaphore::new(CLIENTS));
    loop {
        let place = places.clone().acquire_owned().await;
        let Ok((stream, _)) = listener.accept().await else {
            // The client is gone, or there are no more files: neither is for ever.
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let answering = answer(stream, proxy.clone());
        tokio::spawn(async move {
            answering.await;
            drop(place);
        });
    }
}

/// Answers the requests of one connection.
async fn answer(stream: TcpStream, proxy: ResponseCache<Proxy>) {
    // One small write for each response: waiting for more would only add a delay.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let (refusal, proxy) = (refusal(&request), proxy.clone());
        async move {
            Ok::<_, Infallible>(match refusal {
                Some(status) => only(status),
                None => or_bad_gateway(proxy.oneshot(request).await),
            })
        }
    });
    // A client that goes away is no event. One that takes 30 s for its fields is let go.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .await;
}

fn variable(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}

/// Why a request goes no further: it asks for a tunnel, or nobody can say whom it is for (RFC 9112,
/// 3.2).
fn refusal<B>(request: &Request<B>) -> Option<StatusCode> {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    let is_clear = hosts == 1 || (hosts == 0 && request.version() == Version::HTTP_10);
    if request.method() == Method::CONNECT {
        Some(StatusCode::NOT_IMPLEMENTED)
    } else {
        (!is_clear).then_some(StatusCode::BAD_REQUEST)
    }
}

/// The response, or 502 or 504 where there is none.
fn or_bad_gateway<B>(
    result: Result<Response<B>, BoxError>,
) -> Response<UnsyncBoxBody<Bytes, B::Error>>
where
    B: Body<Data = Bytes> + Send + 'static,
{
    match result {
        Ok(response) => response.map(BodyExt::boxed_unsync),
        Err(error) if error.is::<Elapsed>() => only(StatusCode::GATEWAY_TIMEOUT),
        Err(_) => only(StatusCode::BAD_GATEWAY),
    }
}

/// A response without a body.
fn only<E: 'static>(status: StatusCode) -> Response<UnsyncBoxBody<Bytes, E>> {
    let nothing = Empty::new().map_err(|never: Infallible| match never {});
    let mut response = Response::new(nothing.boxed_unsync());
    *response.status_mut() = status;
    response
}

/// Sends requests to the origin, without the fields that were for this connection alone.
#[derive(Clone)]
struct Proxy {
    client: Client<HttpConnector, Incoming>,
    origin: Authority,
}

impl Proxy {
    fn to(origin: &str) -> Result<Self, BoxError> {
        let uri: Uri = origin.parse()?;
        let authority = uri
            .authority()
            .filter(|_| uri.scheme() == Some(&Scheme::HTTP));
        let origin = authority.ok_or("ORIGIN is a URI of the form http://host:port")?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Ok(Self {
            client,
            origin: origin.clone(),
        })
    }

    /// The same request at the origin, for the host that the client named.
    fn at_origin(&self, request: &mut Request<Incoming>) {
        let path = request.uri().path_and_query().cloned();
        // Where the URI names a host, `Host` means nothing (RFC 9112, 3.2.2).
        let said = request.uri().authority().and_then(|authority| {
            let host = authority.as_str().rsplit('@').next()?;
            HeaderValue::try_from(host).ok()
        });
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.origin.clone());
        parts.path_and_query = Some(path.unwrap_or(PathAndQuery::from_static("/")));
        // All three parts are there, so it is a URI.
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
        let via = match request.version() {
            Version::HTTP_10 => HeaderValue::from_static("1.0 larder"),
            _ => HeaderValue::from_static("1.1 larder"),
        };
        *request.version_mut() = Version::HTTP_11;
        let headers = request.headers_mut();
        let host = said.or(headers.get(header::HOST).cloned());
        strip(headers, &CacheControl::default());
        // `Connection: host` must not change whom the origin answers for.
        if let Some(host) = host {
            headers.insert(header::HOST, host);
        }
        headers.append(header::VIA, via);
    }
}

impl Service<Request<Incoming>> for Proxy {
    type Response = Response<Incoming>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        self.at_origin(&mut request);
        let answer = timeout(RESPOND, self.client.request(request));
        Box::pin(async move {
            let mut response = answer.await??;
            // It is sent on by what this proxy speaks.
            *response.version_mut() = Version::HTTP_11;
            strip(response.headers_mut(), &CacheControl::default());
            Ok(response)
        })
    }
}
