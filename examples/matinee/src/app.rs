//! The app as a whole: every route, and every layer around them.

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::response::IntoResponse;
use larder::Store;
use larder::rate_limit::RateLimitLayer;
use larder::session::SessionLayer;
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::SqlitePool;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use crate::accounts::{self, Passwords, add_demo_accounts};
use crate::config::{Config, DemoAccounts};
use crate::errors::{Problem, StartError};
use crate::films::Loader;
use crate::seats::BoxOffice;
use crate::{
    assets, csrf, db, errors, films, headers, health, limits, logs, metrics, seats, sessions, store,
};

const MAX_BODY: usize = 64 * 1024;

/// The app, ready to be served; made by [`app`].
pub struct App {
    pub(crate) config: Config,
    pub(crate) router: Router,
    pub(crate) pool: SqlitePool,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) metrics: PrometheusHandle,
}

/// What the handlers may ask for; each takes only the part it needs.
#[derive(Clone, FromRef)]
pub(crate) struct AppState {
    loader: Loader,
    pool: SqlitePool,
    store: Arc<dyn Store>,
    metrics: PrometheusHandle,
    passwords: Passwords,
    demo_accounts: DemoAccounts,
    box_office: BoxOffice,
}

/// Opens the database and the store, and builds the routes and the layers.
///
/// # Errors
///
/// When the database cannot be opened, or is not ours; when the store cannot be had.
pub async fn app(config: Config) -> Result<App, StartError> {
    let pool = db::open(&config.database_url).await?;
    let passwords = Passwords::new()?;
    if config.demo_accounts() == DemoAccounts::Open {
        add_demo_accounts(&pool, &passwords).await?;
    }
    // Before the layers are built: their counters belong to the recorder that is there then.
    let metrics = metrics::recorder();
    let store = store::open(&config).await?;
    let state = AppState {
        loader: Loader::new(pool.clone(), store.clone())?,
        pool: pool.clone(),
        store: store.clone(),
        metrics: metrics.clone(),
        passwords,
        demo_accounts: config.demo_accounts(),
        box_office: BoxOffice::new(pool.clone(), store.clone(), config.hold_for)?,
    };
    let session = sessions::layer(&config, store.clone())?;
    let limit = limits::visitors(&config, store.clone())?;
    let router = routes(&config, session, limit).with_state(state);
    Ok(App {
        config,
        router,
        pool,
        store,
        metrics,
    })
}

fn routes(config: &Config, session: SessionLayer, limit: RateLimitLayer) -> Router<AppState> {
    // What visitors come for; the rest is for the people who run the site.
    let house = films::routes()
        .merge(accounts::routes())
        .merge(seats::routes())
        .layer(limit);
    let router = house
        .merge(assets::routes())
        .merge(health::routes())
        .merge(metrics::routes());
    // From the outside in: a request passes the first layer first.
    let layers = ServiceBuilder::new()
        .layer(from_fn(headers::plain_request_id))
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(logs::span)
                .on_response(logs::answered),
        )
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(from_fn(metrics::track))
        .layer(from_fn(headers::strict))
        .layer(CompressionLayer::new())
        .layer(from_fn(errors::render))
        .layer(csrf::layer())
        .map_response(IntoResponse::into_response)
        // The response cache stands here.
        .layer(session)
        .layer(CatchPanicLayer::custom(Problem::from_panic))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            config.request_timeout,
        ))
        .layer(RequestBodyLimitLayer::new(MAX_BODY));
    router.fallback(errors::not_found).layer(layers)
}
