//! `/healthz` says that the process is alive, `/readyz` that the database answers in time.
//!
//! A store that does not answer is only reported: all processes have the same one, so a proxy that took them out for it
//! would have none left, though most pages are still served.

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
    let (code, status) = match (database.status, store.status) {
        ("ok", "ok") => (StatusCode::OK, "ready"),
        ("ok", _) => (StatusCode::OK, "degraded"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
    };
    let parts = vec![database, store];
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
            tracing::warn!(part = name, %error, "a part fails");
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
    use axum::body::to_bytes;
    use larder::moka::MokaStore;
    use larder::store::ErrorKind;
    use larder_test::faulty::{Faulty, Trouble};

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

    #[tokio::test]
    async fn the_database_decides_whether_visitors_are_sent_here_and_the_store_does_not() {
        let pool = db::open("sqlite::memory:").await.unwrap();
        let faulty = Faulty::new(Arc::new(MokaStore::new()));
        let trouble = faulty.switch();
        let store: Arc<dyn Store> = Arc::new(faulty);
        let asked = async || {
            let answer = ready(State(pool.clone()), State(store.clone())).await;
            let (parts, body) = answer.into_parts();
            let body = to_bytes(body, 1_000).await.unwrap();
            let told: serde_json::Value = serde_json::from_slice(&body).unwrap();
            (
                parts.status.as_u16(),
                told["status"].as_str().unwrap().to_owned(),
            )
        };
        assert_eq!(asked().await, (200, "ready".to_owned()));
        trouble.set(Trouble::Fail(ErrorKind::NotSent));
        assert_eq!(asked().await, (200, "degraded".to_owned()));
        pool.close().await;
        assert_eq!(asked().await, (503, "not ready".to_owned()));
        trouble.clear();
        assert_eq!(asked().await, (503, "not ready".to_owned()));
    }
}
