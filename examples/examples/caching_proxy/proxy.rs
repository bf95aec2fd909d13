//! Forwards requests to the origin.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use larder_response_cache::engine::{CacheControl, strip};
use tokio::time::timeout;
use tower::Service;

use crate::BoxError;
use crate::client_body::{ClientBody, TooSlow};
use crate::framing;

/// How long the origin may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an idle connection to it is kept: less than servers keep theirs.
const IDLE: Duration = Duration::from_secs(4);
/// The size of the read buffer, which also limits the header fields of an answer. An origin that sends
/// `100 Continue` without an end keeps a thread busy with this much at a time.
const MOST_READ: usize = 16 * 1024;

/// Sends requests to the origin, without hop-by-hop headers.
#[derive(Clone)]
pub(crate) struct Proxy {
    client: Client<HttpConnector, ClientBody>,
    origin: Authority,
    /// How long the origin may take to begin a response, including the time for sending the request.
    patience: Duration,
}

impl Proxy {
    pub(crate) fn to(origin: &str, patience: Duration) -> Result<Self, BoxError> {
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
            .http1_max_buf_size(MOST_READ)
            .build(connector);
        Ok(Self {
            client,
            origin: origin.clone(),
            patience,
        })
    }

    /// Rewrites the request for the origin, keeping the host that the client named.
    fn at_origin<B>(&self, request: &mut Request<B>) {
        let path = target(request);
        // If the URI names a host, `Host` is ignored (RFC 9112, 3.2.2).
        let said = request.uri().authority().and_then(|authority| {
            let host = authority.as_str().rsplit('@').next()?;
            HeaderValue::try_from(host).ok()
        });
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.origin.clone());
        parts.path_and_query = Some(path);
        // All three parts are present, so it is a URI.
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
        let via = match request.version() {
            Version::HTTP_10 => HeaderValue::from_static("1.0 larder"),
            _ => HeaderValue::from_static("1.1 larder"),
        };
        *request.version_mut() = Version::HTTP_11;
        let headers = request.headers_mut();
        let host = said.or(headers.get(header::HOST).cloned());
        strip(headers, &CacheControl::default());
        // `Connection: host` must not change the host that the origin sees.
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
        let (parts, body) = request.into_parts();
        let (body, progress) = ClientBody::new(body);
        let answer = self.client.request(Request::from_parts(parts, body));
        let answer = timeout(self.patience, answer);
        Box::pin(async move {
            let mut response = match answer.await {
                Err(_) if progress.is_awaited() => return Err(TooSlow.into()),
                answer => answer??,
            };
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                // `Upgrade` is never forwarded (RFC 9110, 7.8), so nobody has asked for it.
                return Err("the origin switches protocols unasked".into());
            }
            framing::settle(&mut response)?;
            // It is forwarded in the version that this proxy speaks.
            *response.version_mut() = Version::HTTP_11;
            strip(response.headers_mut(), &CacheControl::default());
            Ok(response)
        })
    }
}

/// Returns the path and query for the request to the origin.
///
/// An `OPTIONS` request without a path is about the whole server (RFC 9112, 3.2.4). hyper reads it as a
/// request for `/`, so `/` is treated as such.
fn target<B>(request: &Request<B>) -> PathAndQuery {
    let uri = request.uri();
    let is_bare = uri.authority().is_some() && uri.path_and_query().is_none_or(|it| it == "/");
    if request.method() == Method::OPTIONS && is_bare {
        return PathAndQuery::from_static("*");
    }
    let path = uri.path_and_query().cloned();
    path.unwrap_or(PathAndQuery::from_static("/"))
}
