//! The operators' page for administrators, and the doctor who examines the servers at the start.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::http::header::{CONTENT_TYPE, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{map_response, map_response_with_state};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use larder::ops::doctor::{Doctor, Report, Use, Uses, memory_shared_by_processes};
use larder::ops::page::{Figures, Operator, OpsPage};
use larder::redis::RedisStore;
use larder::response_cache::Purger;
use larder::session::{OnFailure, Session, Sessions};
use sqlx::SqlitePool;
use tokio_util::sync::CancellationToken;

use crate::accounts::{self, Admin};
use crate::config::Config;
use crate::errors::StartError;
use crate::store::Opened;
use crate::{db, headers, mail, sessions};

/// Where administrators find the page.
pub(crate) const PAGE: &str = "/admin/operations";
/// How many operators are remembered at most.
const OPERATORS: usize = 100;

/// Makes a doctor who knows what this app uses its servers for, and which keys are its own.
pub(crate) fn doctor(config: &Config) -> Doctor {
    // Letters need no queue that survives a restart, because the outbox does.
    let uses = Uses::new([Use::Cache, Use::Limits, Use::Locks, Use::Sessions]);
    Doctor::new(uses).with_prefix(format!("{}:matinee:", config.environment))
}

/// Examines the servers in the background, and logs what the doctor finds. The app serves meanwhile, whatever that is.
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

/// What the page is about.
pub(crate) struct Subjects {
    pub(crate) opened: Opened,
    pub(crate) figures: Figures,
    pub(crate) sessions: Sessions,
    pub(crate) purger: Purger,
    pub(crate) pool: SqlitePool,
}

/// The page, behind a guard that lets in administrators who have signed in lately. Its streams end with `stop`.
pub(crate) fn routes(
    config: &Config,
    subjects: Subjects,
    stop: CancellationToken,
) -> Result<Router, StartError> {
    let Subjects { opened, pool, .. } = subjects;
    // Another answer than that of other pages: while the store fails the guard decides.
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
    let guard = Guard {
        pool,
        reauth_after: config.reauth_after.into(),
        lately: Arc::default(),
    };
    let page = page.build(move |parts| guard.clone().admit(parts))?;
    Ok(Router::new()
        .nest(PAGE, page)
        .layer(session)
        .layer(map_response(headers::personal))
        .layer(map_response_with_state(stop, end_with_the_app)))
}

/// Ends a stream when the app stops, which otherwise would wait for it.
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

/// Lets in administrators who have signed in lately.
///
/// While the store fails nobody is recognized by a session, and that is when the page is needed most. So whoever
/// was let in lately may go on looking, and do nothing else.
#[derive(Clone)]
struct Guard {
    pool: SqlitePool,
    reauth_after: Duration,
    lately: Arc<Lately>,
}

impl Guard {
    async fn admit(self, mut parts: Parts) -> Result<Operator, Response> {
        match self.recognize(&mut parts).await {
            Ok(admin) => {
                self.lately
                    .note(&parts.headers, admin.id, self.reauth_after);
                Ok(operator(&admin))
            }
            Err(refused) if refused.status() == StatusCode::SERVICE_UNAVAILABLE => {
                let known = self.lately.find(&parts.headers).ok_or(refused)?;
                match db::account(&self.pool, known).await {
                    Ok(Some(admin)) if admin.is_admin => Ok(operator(&admin).read_only()),
                    _ => Err(StatusCode::SERVICE_UNAVAILABLE.into_response()),
                }
            }
            Err(refused) => Err(refused),
        }
    }

    async fn recognize(&self, parts: &mut Parts) -> Result<db::Account, Response> {
        let Admin(admin) = Admin::from_request_parts(parts, &self.pool).await?;
        let session = Session::from_request_parts(parts, &()).await;
        let session = session.map_err(IntoResponse::into_response)?;
        let again = accounts::sign_in_again(&session, self.reauth_after, PAGE).await;
        match again.map_err(IntoResponse::into_response)? {
            None => Ok(admin),
            Some(form) => Err(form),
        }
    }
}

fn operator(admin: &db::Account) -> Operator {
    Operator::new(format!("{} ({})", admin.name, admin.id))
}

/// Who was let in lately, by their cookies: in this process alone, and until their sign-in is too old.
#[derive(Default)]
struct Lately(Mutex<HashMap<Vec<u8>, (i64, Instant)>>);

impl Lately {
    fn note(&self, headers: &HeaderMap, admin: i64, lasts: Duration) {
        let Some(cookie) = headers.get(COOKIE) else {
            return;
        };
        let now = Instant::now();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (_, ends)| *ends > now);
        if known.len() < OPERATORS {
            // A sign-in is not prolonged by visits.
            let ends = now + lasts;
            known
                .entry(cookie.as_bytes().to_vec())
                .or_insert((admin, ends));
        }
    }

    fn find(&self, headers: &HeaderMap) -> Option<i64> {
        let cookie = headers.get(COOKIE)?;
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (admin, ends) = known.get(cookie.as_bytes())?;
        (*ends > Instant::now()).then_some(*admin)
    }
}
