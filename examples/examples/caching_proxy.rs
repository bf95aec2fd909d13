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

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri, header};
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
use larder_response_cache::{Profile, ResponseCacheLayer};
use tokio::net::TcpListener;
use tower::{Layer, Service, ServiceExt, service_fn};

type BoxError = Box<dyn Error + Send + Sync>;

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
        .build()?;
    let proxy = layer.layer(Proxy::to(&variable("ORIGIN", "http://127.0.0.1:8000"))?);
    let listener = TcpListener::bind(variable("LISTEN", "127.0.0.1:8080")).await?;
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            stop = tokio::signal::ctrl_c() => return Ok(stop?),
        };
        // One small write for each response: waiting for more would only add a delay.
        stream.set_nodelay(true)?;
        let proxy = proxy.clone();
        let service = service_fn(move |request| {
            let proxy = proxy.clone();
            async move { Ok::<_, Infallible>(or_bad_gateway(proxy.oneshot(request).await)) }
        });
        tokio::spawn(async move {
            // A client that goes away is no event.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
                .await;
        });
    }
}

fn variable(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}

/// The response, or 502 where there is none.
fn or_bad_gateway<B, E>(result: Result<Response<B>, E>) -> Response<UnsyncBoxBody<Bytes, B::Error>>
where
    B: Body<Data = Bytes> + Send + 'static,
{
    match result {
        Ok(response) => response.map(BodyExt::boxed_unsync),
        Err(_) => {
            let nothing = Empty::new().map_err(|never: Infallible| match never {});
            let mut response = Response::new(nothing.boxed_unsync());
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response
        }
    }
}

/// Sends requests to the origin, without the fields that were for this connection alone.
#[derive(Clone)]
struct Proxy {
    client: Client<HttpConnector, Incoming>,
    origin: Authority,
}

type ProxyError = hyper_util::client::legacy::Error;

impl Proxy {
    fn to(origin: &str) -> Result<Self, BoxError> {
        let uri: Uri = origin.parse()?;
        let authority = uri
            .authority()
            .filter(|_| uri.scheme() == Some(&Scheme::HTTP));
        let origin = authority.ok_or("ORIGIN is a URI of the form http://host:port")?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            origin: origin.clone(),
        })
    }

    /// The same request at the origin. `Host` stays what the client said.
    fn at_origin(&self, request: &mut Request<Incoming>) {
        let path = request.uri().path_and_query().cloned();
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.origin.clone());
        parts.path_and_query = Some(path.unwrap_or(PathAndQuery::from_static("/")));
        // All three parts are there, so it is a URI.
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
        *request.version_mut() = http::Version::HTTP_11;
        strip(request.headers_mut(), &CacheControl::default());
        let via = HeaderValue::from_static("1.1 larder");
        request.headers_mut().append(header::VIA, via);
    }
}

impl Service<Request<Incoming>> for Proxy {
    type Response = Response<Incoming>;
    type Error = ProxyError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ProxyError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ProxyError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        self.at_origin(&mut request);
        let answer = self.client.request(request);
        Box::pin(async move {
            let mut response = answer.await?;
            strip(response.headers_mut(), &CacheControl::default());
            Ok(response)
        })
    }
}
