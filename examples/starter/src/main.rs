//! A web service on axum and larder, to build on.
//!
//! `cargo run -p starter`; `STORE_URL`, `LISTEN` and `APP_ENV` are optional.
//!
//! ```text
//! $ curl -si http://127.0.0.1:3000/films/7 | grep -i cache-status
//! cache-status: larder; fwd=uri-miss; fwd-status=200; stored
//! $ curl -si http://127.0.0.1:3000/films/7 | grep -i cache-status
//! cache-status: larder; hit; ttl=…
//! $ curl -si http://127.0.0.1:3000/account | grep HTTP
//! HTTP/1.1 401 Unauthorized
//! $ curl -s -c jar -d 'user=ada&password=open-sesame' http://127.0.0.1:3000/sign-in
//! welcome, ada
//! $ curl -s -b jar http://127.0.0.1:3000/account
//! ada, tonight we show Metropolis (near)
//! $ curl -si -b jar http://127.0.0.1:3000/account | grep -i ratelimit:
//! ratelimit: "requests";r=98;t=…
//! $ curl -s -b jar -d '' http://127.0.0.1:3000/sign-out
//! signed out
//! $ curl -si -b jar http://127.0.0.1:3000/account | grep HTTP
//! HTTP/1.1 401 Unauthorized
//! $ curl -s http://127.0.0.1:3000/readyz
//! ready
//! $ curl -s http://127.0.0.1:3000/metrics | grep 'larder_cache_misses_total{'
//! larder_cache_misses_total{kind="film"} 1
//! ```

use std::{env, net::SocketAddr, sync::Arc, time::Duration};

use axum::extract::{Form, Path, State};
use axum::http::{StatusCode, header::CACHE_CONTROL};
use axum::response::{IntoResponse, Result};
use axum::routing::{get, post};
use axum::{Router, serve::ListenerExt};
use larder::cache::{Cache, Found};
use larder::rate_limit::{FailMode, KeyBy, Quota, RateLimitLayer, RateLimiter};
use larder::response_cache::ResponseCacheLayer;
use larder::session::{RequireUser, Session, SessionCookie, SessionLayer, Sessions};
use larder::{Key, Kind, Namespace, Prefixed, Store, Ttl};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::signal::unix::{SignalKind, signal};
use tower_http::{csrf::CsrfLayer, timeout::TimeoutLayer, trace::TraceLayer};

type Error = Box<dyn std::error::Error>;
type Films = Cache<u32, String>;
const FILM: Kind = Kind::evictable("film");
const TIMEOUT: Duration = Duration::from_secs(10);

/// Stands in for your database.
async fn slow_query(id: u32) -> std::io::Result<Option<String>> {
    tokio::time::sleep(Duration::from_millis(200)).await;
    Ok((id == 7).then(|| "Metropolis".to_owned()))
}

/// Stands in for your users, whose passwords are stored as Argon2id hashes.
fn is_demo_user(user: &str, password: &str) -> bool {
    (user, password) == ("ada", "open-sesame")
}

/// Returns a film from the cache. Callers who miss it at the same time share one query.
async fn find(films: &Films, id: u32) -> Result<Found<String>> {
    match films.find_or_load(&id, move || slow_query(id)).await {
        Ok(film) => Ok(film),
        Err(e) if e.is_not_found() => Err((StatusCode::NOT_FOUND, "no such film\n").into()),
        Err(_) => Err((StatusCode::SERVICE_UNAVAILABLE, "try again\n").into()),
    }
}

async fn film(State(films): State<Films>, Path(id): Path<u32>) -> Result<impl IntoResponse> {
    let film = find(&films, id).await?;
    Ok(([(CACHE_CONTROL, "max-age=30")], format!("{}\n", *film)))
}

async fn account(State(films): State<Films>, RequireUser(user): RequireUser) -> Result<String> {
    let (user, film) = (user.as_str(), find(&films, 7).await?);
    let source = film.source.as_str();
    Ok(format!("{user}, tonight we show {} ({source})\n", *film))
}

#[derive(serde::Deserialize)]
struct Credentials {
    user: String,
    password: String,
}

async fn sign_in(session: Session, Form(form): Form<Credentials>) -> Result<String> {
    if !is_demo_user(&form.user, &form.password) {
        return Err((StatusCode::UNAUTHORIZED, "wrong user or password\n").into());
    }
    session.log_in(form.user.as_str()).await?;
    Ok(format!("welcome, {}\n", form.user))
}

async fn sign_out(session: Session) -> Result<&'static str> {
    session.log_out().await?;
    Ok("signed out\n")
}

// It is 200 even while the store fails: all processes share it. A database of your own would decide here.
async fn ready(State(store): State<Arc<dyn Store>>) -> &'static str {
    match store.get(&Key::new(Kind::pinned("probe"), "ready")).await {
        Ok(_) => "ready\n",
        Err(_) => "degraded: the store does not answer\n",
    }
}

fn operators(store: Arc<dyn Store>, metrics: PrometheusHandle) -> Router {
    Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(async move || metrics.render()))
        .with_state(store)
}

fn visitors(store: Arc<dyn Store>, cookie: SessionCookie) -> Result<Router, Error> {
    // Behind a proxy, `KeyBy::peer()` is the proxy: use `KeyBy::forwarded(..)`.
    let requests = RateLimiter::new(store.clone(), "requests", Quota::per_minute(100))?;
    let by_address = RateLimitLayer::new(requests.clone(), KeyBy::peer());
    let by_user = RateLimitLayer::new(requests, KeyBy::user::<Session>().or(KeyBy::peer()));
    let passwords = RateLimiter::new(store.clone(), "passwords", Quota::per_hour(20))?;
    let wrong_passwords = RateLimitLayer::new(passwords, KeyBy::peer())
        .with_fail_mode(FailMode::Closed)
        .with_refund_if(|response| response.status != StatusCode::UNAUTHORIZED);
    let timeout = TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, TIMEOUT);
    let sessions = SessionLayer::new(Sessions::new(store.clone())?).with_cookie(cookie);
    let films = Cache::builder(FILM, Ttl::from_secs(300))
        .with_far(store.clone())
        .build()?;

    // A limit by user reads the session, and a response that depends on the session is not cached.
    let public = Router::new()
        .route("/films/{id}", get(film))
        .layer(by_address);
    let personal = Router::new()
        .route("/account", get(account))
        .route("/sign-in", post(sign_in).layer(wrong_passwords))
        .route("/sign-out", post(sign_out))
        .layer(by_user);
    // A layer wraps those above it, so a cached page reads no session and is charged to no limit.
    let all = public.merge(personal).with_state(films);
    Ok(all
        .layer(timeout)
        .layer(sessions)
        .layer(ResponseCacheLayer::new(store))
        .layer(CsrfLayer::new()))
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing_subscriber::fmt().init();
    let setting = |name, default: &str| env::var(name).unwrap_or(default.to_owned());
    let environment = setting("APP_ENV", "development");
    let mut cookie = SessionCookie::builder();
    if environment == "development" {
        cookie = cookie.with_name("session").insecure_over_plain_http();
        tracing::warn!("APP_ENV is 'development': session cookies are not Secure");
    }
    // First of all, because a layer uses the recorder that is installed when it is built.
    let mut exporter = PrometheusBuilder::new();
    for (name, bounds) in larder::buckets() {
        exporter = exporter.set_buckets_for_metric(Matcher::Full((*name).to_owned()), bounds)?;
    }
    let metrics = exporter.install_recorder()?;
    larder::describe_metrics();
    let upkeep = metrics.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            upkeep.run_upkeep();
        }
    });
    let store = larder::connect(&setting("STORE_URL", "memory://")).await?;
    let namespace = Namespace::new(&environment, "starter")?;
    let store: Arc<dyn Store> = Arc::new(Prefixed::new(namespace, store));
    let app = visitors(store.clone(), cookie.build()?)?
        .merge(operators(store, metrics))
        .layer(TraceLayer::new_for_http());

    // Before the address is printed: from then on, a signal to stop may arrive.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = tokio::net::TcpListener::bind(setting("LISTEN", "127.0.0.1:3000")).await?;
    tracing::info!("listening on http://{}", listener.local_addr()?);
    // Otherwise a body may wait 40 ms, until the client has acknowledged the head.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let (stopping, stopped) = tokio::sync::oneshot::channel();
    let server = axum::serve(listener, app).with_graceful_shutdown(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        let _ = stopping.send(());
    });
    let too_late = async {
        let _ = stopped.await;
        tokio::time::sleep(TIMEOUT).await;
    };
    tokio::select! {
        ended = async { server.await } => ended.map_err(Error::from),
        () = too_late => Err("requests in flight did not end in time and were cut off".into()),
    }
}
