//! The operators' page for administrators, and the doctor, which examines the servers at the start.

mod guard;
mod lately;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{map_response, map_response_with_state};
use axum::response::Response;
use futures_util::StreamExt as _;
use larder::ops::doctor::{Doctor, Report, Use, Uses, memory_shared_by_processes};
use larder::ops::page::{Figures, OpsPage};
use larder::redis::RedisStore;
use larder::response_cache::Purger;
use larder::session::{OnFailure, Sessions};
use sqlx::SqlitePool;
use tokio_util::sync::CancellationToken;

use self::guard::Guard;
use crate::config::Config;
use crate::errors::StartError;
use crate::store::Opened;
use crate::{headers, mail, sessions};

/// The address of the page for administrators.
pub(crate) const PAGE: &str = "/admin/operations";

/// Makes a doctor that knows what this app uses its servers for, and which keys are its own.
pub(crate) fn doctor(config: &Config) -> Doctor {
    // Letters need no queue that survives a restart, because the outbox survives.
    let uses = Uses::new([Use::Cache, Use::Limits, Use::Locks, Use::Sessions]);
    Doctor::new(uses).with_prefix(format!("{}:matinee:", config.environment))
}

/// Examines the servers in the background, and logs the findings. The app serves meanwhile, whatever they are.
pub(crate) fn examine(config: &Config, redis: Option<Arc<RedisStore>>, stop: CancellationToken) {
    let (doctor, location) = (doctor(config), config.store_url.to_string());
    let examining = async move {
        let report = match redis {
            Some(redis) => doctor.examine(&redis).await,
            None => Report::default(),
        };
        let of_the_app = memory_shared_by_processes(&location, |name| std::env::var(name).ok());
        report.with(of_the_app).log();
    };
    tokio::spawn(async move { stop.run_until_cancelled(examining).await });
}

/// What the page shows.
pub(crate) struct Subjects {
    pub(crate) opened: Opened,
    pub(crate) figures: Figures,
    pub(crate) sessions: Sessions,
    pub(crate) purger: Purger,
    pub(crate) pool: SqlitePool,
}

/// Returns the page, behind a guard that admits administrators who have signed in recently. Its streams end with
/// `stop`.
pub(crate) fn routes(
    config: &Config,
    subjects: Subjects,
    stop: CancellationToken,
) -> Result<Router, StartError> {
    let Subjects { opened, pool, .. } = subjects;
    // This page needs a different answer than the other pages: while the store fails, the guard decides.
    let session = sessions::layer(config, subjects.sessions.clone())?;
    let session = session.with_on_failure(OnFailure::Anonymous);
    let mut page = OpsPage::new(opened.store)
        .with_title("Matinee")
        .with_doctor(doctor(config))
        .with_figures(subjects.figures)
        .with_sessions(subjects.sessions)
        .with_purger(subjects.purger)
        .with_queues([mail::QUEUE])
        .allow_actions();
    if let Some(redis) = opened.redis {
        page = page.with_redis(redis);
    }
    if config.is_development() {
        page = page.with_drill();
    }
    let guard = Guard::new(config, pool);
    let page = page.build(move |parts| guard.clone().admit(parts))?;
    Ok(Router::new()
        .nest(PAGE, page)
        .layer(session)
        .layer(map_response(headers::personal))
        .layer(map_response_with_state(stop, end_with_the_app)))
}

/// Ends a stream when the app stops, which otherwise would wait for the stream.
async fn end_with_the_app(State(stop): State<CancellationToken>, response: Response) -> Response {
    let kind = response.headers().get(CONTENT_TYPE);
    if kind.is_none_or(|kind| kind != "text/event-stream") {
        return response;
    }
    response.map(|body| {
        let ends = stop.cancelled_owned();
        Body::from_stream(body.into_data_stream().take_until(ends))
    })
}
