//! A rate limit, the response cache and the typed cache around a gRPC service, on tonic.
//!
//! `cargo run -p larder-examples --example tonic` serves; `LISTEN` and `STORE_URL` are optional. With
//! the number of a film it is the client: it prints the title, where it came from, and the
//! `cache-status`, which is missing because the response cache passes gRPC through.
//!
//! ```text
//! $ cargo run -p larder-examples --example tonic -- 7
//! Metropolis (loaded), cache-status: None
//! $ cargo run -p larder-examples --example tonic -- 7
//! Metropolis (near), cache-status: None
//! $ cargo run -p larder-examples --example tonic -- 8
//! NotFound: there is no such film, retry-after: None
//! $ cargo run -p larder-examples --example tonic -- 7
//! ResourceExhausted: the quota is used up, retry-after: Some("…")
//! ```

use std::convert::Infallible;
use std::env::{args, var};
use std::io::{Write, stdout};
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Extensions;
use larder::cache::{Cache, Found, LoadError, LoaderLayer};
use larder::rate_limit::{KeyBy, Quota, RateLimitLayer, RateLimiter};
use larder::response_cache::ResponseCacheLayer;
use larder::{Kind, Ttl};
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::server::{TcpConnectInfo, TcpIncoming};
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceExt, service_fn};

const FILM: Kind = Kind::evictable("film");

/// Stands in for a database query.
async fn load(id: u32) -> Result<String, Status> {
    let title = (id == 7).then(|| "Metropolis".to_owned());
    title.ok_or_else(|| Status::not_found("there is no such film"))
}

/// The server that `tonic-prost-build` generates from `rpc Title(UInt32Value) returns (StringValue)`.
#[derive(Clone)]
struct Films(BoxCloneSyncService<u32, Found<String>, LoadError<Status>>);

impl NamedService for Films {
    const NAME: &'static str = "cinema.Films";
}

impl Service<http::Request<Body>> for Films {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let films = self.0.clone();
        let title = service_fn(move |id: Request<u32>| title(films.clone(), id.into_inner()));
        Box::pin(async move {
            if request.uri().path() != "/cinema.Films/Title" {
                return Ok(Status::unimplemented("there is no such method").into_http());
            }
            let mut grpc = tonic::server::Grpc::new(ProstCodec::default());
            Ok(grpc.unary(title, request).await)
        })
    }
}

async fn title<S>(films: S, id: u32) -> Result<Response<String>, Status>
where
    S: Service<u32, Response = Found<String>, Error = LoadError<Status>>,
{
    let film = films.oneshot(id).await.map_err(|error| match error {
        LoadError::Loader(status) => Status::clone(&status),
        error => Status::unavailable(error.to_string()),
    })?;
    let text = format!("{} ({})", *film, film.source.as_str());
    Ok(Response::new(text))
}

fn peer(extensions: &Extensions) -> Option<IpAddr> {
    let connection = extensions.get::<TcpConnectInfo>()?;
    Some(connection.remote_addr()?.ip())
}

async fn serve(address: String) -> Result<(), Box<dyn std::error::Error>> {
    let store = larder::connect(&var("STORE_URL").unwrap_or("memory://".to_owned())).await?;
    let cache = Cache::builder(FILM, Ttl::from_secs(300)).with_far(store.clone());
    let films = LoaderLayer::new(cache.build()?).layer(service_fn(load));
    let limiter = RateLimiter::new(store.clone(), "films", Quota::per_minute(3))?;
    let listener = tokio::net::TcpListener::bind(address).await?;
    writeln!(stdout(), "http://{}", listener.local_addr()?)?;
    let server = Server::builder()
        .layer(ResponseCacheLayer::new(store))
        .layer(RateLimitLayer::new(limiter, KeyBy::peer_found_by(peer)))
        .add_service(Films(BoxCloneSyncService::new(films)));
    Ok(server
        // With TCP_NODELAY the body of a response does not wait until the client acknowledges its head.
        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)))
        .await?)
}

async fn ask(address: String, film: u32) -> Result<(), Box<dyn std::error::Error>> {
    let channel = Channel::from_shared(format!("http://{address}"))?
        .connect()
        .await?;
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await?;
    let path = http::uri::PathAndQuery::from_static("/cinema.Films/Title");
    let codec = ProstCodec::<u32, String>::default();
    let told = match client.unary(Request::new(film), path, codec).await {
        Ok(title) => {
            let cache = title.metadata().get("cache-status");
            format!("{}, cache-status: {cache:?}", title.get_ref())
        }
        Err(status) => {
            let (code, message) = (status.code(), status.message());
            let again = status.metadata().get("retry-after");
            format!("{code:?}: {message}, retry-after: {again:?}")
        }
    };
    Ok(writeln!(stdout(), "{told}")?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = var("LISTEN").unwrap_or("127.0.0.1:3000".to_owned());
    match args().nth(1) {
        None => serve(address).await,
        Some(film) => ask(address, film.parse()?).await,
    }
}
