//! Builds the app: every route, and every layer around them.
//!
//! From the outside in, with the reason for each position:
//!
//! 1. **Trace**, with the request's id and the metrics: outside every layer that may answer.
//! 2. **Compression**: outside the response cache, which stores each page once, uncompressed. Between
//!    the two, errors become pages, and requests without exactly one host and forms of other sites
//!    (CSRF) are refused before anything is read or counted.
//! 3. **Response cache**: outside the session, so that a cached page reads no session and no cookie is
//!    stored with a page; outside the limits, so that a cached page is not counted. Around it, other
//!    hosts are refused, and every spelling of a page gets one address.
//! 4. **Session**: outside the layers that turn panics and timeouts into responses, so that it can set
//!    its cookie on those too. It is lazy: pages of films use none and cost no store call for it.
//! 5. **Limits**: next to the router. Wrong passwords are limited in the handler of their form.
//! 6. **Router**.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use larder::rate_limit::RateLimitLayer;
use larder::response_cache::ResponseCacheLayer;
use larder::session::SessionLayer;
use sqlx::SqlitePool;
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use crate::accounts::{self, Accounts};
use crate::admin::{self, AccountsDesk, Editor};
use crate::config::{Config, Operations};
use crate::errors::{Problem, StartError};
use crate::figures::{CountVisits, Figures, Visitors};
use crate::films::Loader;
use crate::hosts::AllowedHosts;
use crate::mail::{Mail, Outbox};
use crate::metrics::Metrics;
use crate::operations::Subjects;
use crate::seats::Bookings;
use crate::store::Opened;
use crate::{
    assets, caching, csrf, db, errors, figures, films, forms, headers, health, hosts, limits, logs,
    metrics, operations, seats, sessions, store,
};

const MAX_BODY: usize = 64 * 1024;

/// The app, ready to be served; made by [`app`].
pub struct App {
    pub(crate) config: Config,
    pub(crate) router: Router,
    pub(crate) pool: SqlitePool,
    pub(crate) opened: Opened,
    /// None if they are not kept.
    pub(crate) metrics: Option<Metrics>,
    pub(crate) count_visits: CountVisits,
    pub(crate) mail: Mail,
    /// Ends the streams and the background work.
    pub(crate) stop: CancellationToken,
}

/// Opens the database and the store, and builds the routes and the layers.
///
/// # Errors
///
/// If the database cannot be opened or belongs to another program, or if the store is unavailable.
pub async fn app(config: Config) -> Result<App, StartError> {
    let pool = db::open(&config.database_url).await?;
    // Before the layers, because each uses the recorder that is installed when it is built.
    let metrics = (config.operations == Operations::On).then(metrics::recorder);
    let opened = store::open(&config).await?;
    let store = opened.store.clone();
    let sessions = sessions::sessions(store.clone())?;
    let accounts = Accounts::open(&config, &pool, &store, &sessions).await?;
    let response_cache = caching::layer(store.clone(), config.transport())?;
    let loader = Loader::new(pool.clone(), store.clone())?;
    let (visitors, count_visits) = Visitors::new(&config, store.clone())?;
    let figures = Figures::new(store.clone(), visitors.clone(), loader.clone())?;
    let mut editor = Editor::new(pool.clone(), loader.clone(), response_cache.purger());
    if metrics.is_some() {
        editor = editor.with_operations(operations::PAGE);
    }
    let desk = AccountsDesk::new(pool.clone(), sessions.clone(), accounts.attempts());
    let (outbox, stop) = (Outbox::default(), CancellationToken::new());
    let mail = Mail::open(&config, pool.clone(), store.clone(), outbox.clone()).await?;
    let bookings = Bookings::new(
        pool.clone(),
        store.clone(),
        config.hold_for,
        outbox,
        stop.clone(),
    )?;
    let mut pages = films::routes(loader, figures)
        .merge(accounts::routes(accounts))
        .merge(seats::routes(bookings, limits::address(&config)))
        .merge(admin::routes(editor, desk));
    let mut rest = assets::routes().merge(health::routes(pool.clone(), store.clone()));
    if let Some(metrics) = &metrics {
        let subjects = Subjects {
            opened: opened.clone(),
            figures: metrics.figures.clone(),
            sessions: sessions.clone(),
            purger: response_cache.purger(),
            pool: pool.clone(),
        };
        pages = pages.merge(operations::routes(&config, subjects, stop.clone())?);
        rest = rest.merge(metrics::routes(metrics.exported.clone()));
    }
    let layers = Layers {
        csrf: csrf::layer(config.public_url.as_ref())?,
        response_cache,
        session: sessions::layer(&config, sessions)?,
        limit: limits::visitors(&config, store.clone())?,
        visitors,
        metrics: metrics.clone().map(Arc::new),
    };
    let router = layered(&config, pages, rest, layers);
    Ok(App {
        config,
        router,
        pool,
        opened,
        metrics,
        count_visits,
        mail,
        stop,
    })
}

/// The layers that are built from the settings and the store.
struct Layers {
    csrf: CsrfLayer<csrf::Refuse>,
    response_cache: ResponseCacheLayer,
    session: SessionLayer,
    limit: RateLimitLayer,
    visitors: Visitors,
    metrics: Option<Arc<Metrics>>,
}

/// Puts all layers around the pages, and the general layers around assets, health checks and metrics.
fn layered(config: &Config, pages: Router, rest: Router, layers: Layers) -> Router {
    // These layers protect every handler.
    let guards = ServiceBuilder::new()
        .layer(CatchPanicLayer::custom(Problem::from_panic))
        .layer(RequestBodyLimitLayer::new(MAX_BODY));
    let in_time =
        TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, config.request_timeout);
    let read_whole = from_fn_with_state(config.request_timeout, forms::read_whole);
    let our_hosts = from_fn_with_state(AllowedHosts::of(config), hosts::refuse_others);
    // A cached response belongs to no visitor, and no limit counts it. Each stack, listed from the outside in, is
    // one allocation of axum's, because axum clones what is inside a layer for each request.
    let inside = ServiceBuilder::new()
        .layer(read_whole)
        .layer(in_time)
        .layer(layers.limit);
    let kept = ServiceBuilder::new()
        .layer(layers.response_cache)
        .layer(layers.session);
    let outside = ServiceBuilder::new()
        .layer(our_hosts)
        .layer(from_fn(films::one_address))
        .layer(from_fn_with_state(
            Arc::new(layers.visitors),
            figures::note_visit,
        ))
        .layer(map_response(caching::ask_us_again));
    let pages = pages
        .layer(inside)
        .layer(guards.clone())
        .layer(kept)
        .layer(outside);
    let router = rest.layer(in_time).layer(guards).merge(pages);
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
        .layer(from_fn_with_state(layers.metrics, metrics::track))
        .layer(from_fn(headers::strict))
        .layer(CompressionLayer::new())
        .layer(from_fn(errors::render))
        .layer(from_fn(headers::one_host))
        .layer(layers.csrf);
    router.fallback(errors::not_found).layer(around)
}
