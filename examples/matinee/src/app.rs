//! The app as a whole: every route, and every layer around them.
//!
//! From the outside in, with what each has to be outside or inside of:
//!
//! 1. **Trace**, with the request's id and the metrics: outside of all that may answer.
//! 2. **Compression**: outside of the response cache, which keeps each page once, as it is. Between
//!    them errors are made pages, whoever gives them; and what names no host or several, and forms of
//!    other sites (CSRF), are refused before anything is read or counted.
//! 3. **Response cache**: outside of the session, so that a page out of it costs no session, and no
//!    cookie is ever kept with a page; outside of the limits, so that it is not counted. Around it, hosts
//!    that are not ours are refused, and each page gets one address, whatever was added to its own.
//! 4. **Session**: outside of what turns panics and timeouts into responses, on which it can still set
//!    its cookie. It is lazy: films ask for none, and cost no store call for it.
//! 5. **Limits**: next to the router. The one on wrong passwords stands around the form alone.
//! 6. **Router**.

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use larder::Store;
use larder::rate_limit::RateLimitLayer;
use larder::response_cache::ResponseCacheLayer;
use larder::session::SessionLayer;
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::SqlitePool;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use crate::accounts::{self, Accounts};
use crate::admin::{self, Editor};
use crate::config::Config;
use crate::errors::{Problem, StartError};
use crate::films::Loader;
use crate::hosts::AllowedHosts;
use crate::seats::BoxOffice;
use crate::{
    assets, caching, csrf, db, errors, films, forms, headers, health, hosts, limits, logs, metrics,
    seats, sessions, store,
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
    accounts: Accounts,
    box_office: BoxOffice,
    editor: Editor,
}

/// Opens the database and the store, and builds the routes and the layers.
///
/// # Errors
///
/// When the database cannot be opened, or is not ours; when the store cannot be had.
pub async fn app(config: Config) -> Result<App, StartError> {
    let pool = db::open(&config.database_url).await?;
    // Before the layers are built: their counters belong to the recorder that is there then.
    let metrics = metrics::recorder();
    let store = store::open(&config).await?;
    let sessions = sessions::sessions(store.clone())?;
    let accounts = Accounts::open(&config, &pool, &store, &sessions).await?;
    let response_cache = caching::layer(store.clone(), config.transport())?;
    let loader = Loader::new(pool.clone(), store.clone())?;
    let state = AppState {
        editor: Editor::new(pool.clone(), loader.clone(), response_cache.purger()),
        loader,
        pool: pool.clone(),
        store: store.clone(),
        metrics: metrics.clone(),
        accounts: accounts.clone(),
        box_office: BoxOffice::new(pool.clone(), store.clone(), config.hold_for)?,
    };
    let layers = Layers {
        csrf: csrf::layer(config.public_url.as_ref())?,
        response_cache,
        session: sessions::layer(&config, sessions)?,
        limit: limits::visitors(&config, store.clone())?,
    };
    let router = routes(&config, &accounts, layers).with_state(state);
    Ok(App {
        config,
        router,
        pool,
        store,
        metrics,
    })
}

/// The layers that are built from the settings and the store.
struct Layers {
    csrf: CsrfLayer<csrf::Refuse>,
    response_cache: ResponseCacheLayer,
    session: SessionLayer,
    limit: RateLimitLayer,
}

fn routes(config: &Config, accounts: &Accounts, layers: Layers) -> Router<AppState> {
    // What every handler stands behind, whatever happens in it.
    let guards = ServiceBuilder::new()
        .layer(CatchPanicLayer::custom(Problem::from_panic))
        .layer(RequestBodyLimitLayer::new(MAX_BODY));
    let in_time =
        TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, config.request_timeout);
    let read_whole = from_fn_with_state(config.request_timeout, forms::read_whole);
    let our_hosts = from_fn_with_state(AllowedHosts::of(config), hosts::refuse_others);
    // What visitors come for, from the inside out: what is answered from the response cache is
    // neither a visitor's own nor counted by the limit.
    let house = films::routes()
        .merge(accounts::routes(accounts))
        .merge(seats::routes())
        .merge(admin::routes())
        .layer(layers.limit)
        .layer(in_time)
        .layer(read_whole)
        .layer(guards.clone())
        .layer(layers.session)
        .layer(layers.response_cache)
        .layer(map_response(caching::ask_us_again))
        .layer(from_fn(films::one_address))
        .layer(our_hosts);
    // What is for the people who run the site, and what browsers keep for ever.
    let router = assets::routes()
        .merge(health::routes())
        .merge(metrics::routes())
        .layer(in_time)
        .layer(guards)
        .merge(house);
    // Around all of it, from the outside in: a request passes the first layer first.
    let around = ServiceBuilder::new()
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
        .layer(from_fn(headers::one_host))
        .layer(layers.csrf);
    router.fallback(errors::not_found).layer(around)
}
