//! A reverse proxy that caches responses by RFC 9111, in this process or in Redis.
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
//! | `TIMEOUT` | how many seconds a request may take until its response begins | `30` |
//!
//! While the origin is down, stored responses are served if they allow it. Otherwise the answer is 502, or
//! 504 if the origin took too long to begin a response. A request with a malformed body gets 400, and one
//! whose body does not arrive in time gets 408.

mod client_body;
mod framing;
mod max_forwards;
mod proxy;

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Method, Request, Response, StatusCode, Version, header};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use larder_response_cache::{Profile, ResponseCache, ResponseCacheLayer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{error::Elapsed, sleep};
use tower::{Layer, ServiceExt, service_fn};

use self::client_body::{ClientError, TooSlow};
use self::proxy::Proxy;

type BoxError = Box<dyn Error + Send + Sync>;

/// The number of clients that are served at once. More wait in the listener's queue.
const CLIENTS: usize = 10_000;
/// How long stale responses are served while the origin is down.
const COVER: Duration = Duration::from_secs(3600);

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
    let patience = Duration::from_secs(variable("TIMEOUT", "30").parse()?);
    let proxy = Proxy::to(&variable("ORIGIN", "http://127.0.0.1:8000"), patience)?;
    let proxy = layer.layer(proxy);
    let listener = TcpListener::bind(variable("LISTEN", "127.0.0.1:8080")).await?;
    writeln!(std::io::stdout(), "http://{}", listener.local_addr()?)?;
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
            // The client is gone, or file descriptors have run out: both pass.
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
    let service = service_fn(move |mut request| {
        let refusal = refusal(&request).map(only);
        let answer = refusal.or_else(|| max_forwards::answer(&mut request));
        let proxy = proxy.clone();
        async move {
            Ok::<_, Infallible>(match answer {
                Some(answer) => answer,
                None => or_failure(proxy.oneshot(request).await),
            })
        }
    });
    // A client that disconnects is not an error. A client that takes 30 s for its headers is dropped.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .await;
}

fn variable(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}

/// Refuses a request that asks for a tunnel, whose host is missing or ambiguous (RFC 9112, 3.2), or whose
/// body is in a coding that this proxy does not decode.
fn refusal<B>(request: &Request<B>) -> Option<StatusCode> {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    let is_clear = hosts == 1 || (hosts == 0 && request.version() == Version::HTTP_10);
    if request.method() == Method::CONNECT {
        Some(StatusCode::NOT_IMPLEMENTED)
    } else if !is_clear {
        Some(StatusCode::BAD_REQUEST)
    } else {
        framing::refusal(request.headers())
    }
}

/// Returns the response, or an error: 400 and 408 for errors of the client, 502 and 504 for those of the
/// origin (RFC 9110, 15.5 and 15.6).
fn or_failure<B>(result: Result<Response<B>, BoxError>) -> Response<UnsyncBoxBody<Bytes, B::Error>>
where
    B: Body<Data = Bytes> + Send + 'static,
{
    match result {
        Ok(response) => response.map(BodyExt::boxed_unsync),
        Err(error) if error.is::<TooSlow>() => only(StatusCode::REQUEST_TIMEOUT),
        Err(error) if error.is::<Elapsed>() => only(StatusCode::GATEWAY_TIMEOUT),
        Err(error) if ClientError::caused(&*error) => only(StatusCode::BAD_REQUEST),
        Err(_) => only(StatusCode::BAD_GATEWAY),
    }
}

/// Makes a response without a body.
fn only<E: 'static>(status: StatusCode) -> Response<UnsyncBoxBody<Bytes, E>> {
    let mut response = Response::new(whole(Empty::new()));
    *response.status_mut() = status;
    response
}

/// Boxes a body that cannot fail.
fn whole<B, E: 'static>(body: B) -> UnsyncBoxBody<Bytes, E>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    body.map_err(|never| match never {}).boxed_unsync()
}
