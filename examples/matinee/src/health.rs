//! `/healthz` says that the process is alive, `/readyz` that the database and the store answer in time.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use larder::Store;
use serde::Serialize;
use sqlx::SqlitePool;

use crate::clock::span_ms;
use crate::{db, store};

/// A part that is slower than this would not answer a visitor in time either.
const DEADLINE: Duration = Duration::from_secs(1);

#[derive(Clone, FromRef)]
struct Probed {
    pool: SqlitePool,
    store: Arc<dyn Store>,
}

pub(crate) fn routes(pool: SqlitePool, store: Arc<dyn Store>) -> Router {
    Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .with_state(Probed { pool, store })
}

#[derive(Serialize)]
struct Readiness {
    status: &'static str,
    parts: Vec<Part>,
}

#[derive(Serialize)]
struct Part {
    name: &'static str,
    status: &'static str,
    ms: f64,
}

async fn alive() -> &'static str {
    "alive\n"
}

async fn ready(State(pool): State<SqlitePool>, State(store): State<Arc<dyn Store>>) -> Response {
    let (database, store) = tokio::join!(
        probe("database", db::answers(&pool)),
        probe("store", store::answers(&*store)),
    );
    let parts = vec![database, store];
    let all = parts.iter().all(|part| part.status == "ok");
    let (code, status) = if all {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    (code, Json(Readiness { status, parts })).into_response()
}

/// Probes one part. The reason of a failure is only logged, because anyone who reaches the port sees the
/// answer.
async fn probe<E: Display>(
    name: &'static str,
    answer: impl Future<Output = Result<(), E>>,
) -> Part {
    let start = Instant::now();
    let status = match tokio::time::timeout(DEADLINE, answer).await {
        Ok(Ok(())) => "ok",
        Ok(Err(error)) => {
            tracing::warn!(part = name, %error, "not ready");
            "failed"
        }
        Err(_) => "no answer",
    };
    Part {
        name,
        status,
        ms: span_ms(start.elapsed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_part_that_hangs_is_given_up_at_the_deadline() {
        let part = probe("stuck", std::future::pending::<Result<(), String>>()).await;
        assert_eq!(part.status, "no answer");
    }

    #[tokio::test]
    async fn a_failing_part_is_not_reported_as_ok() {
        assert_eq!(probe("a", async { Err("down") }).await.status, "failed");
        assert_eq!(
            probe("b", async { Ok::<(), String>(()) }).await.status,
            "ok"
        );
    }
}
