//! A lock with a fence: one report is written at a time, and a stale writer writes nothing.
//!
//! `cargo run -p larder-examples --example lock`; `LISTEN` and `STORE_URL` are optional.
//!
//! ```text
//! $ curl -si http://127.0.0.1:3000/report | grep -E 'HTTP|report'
//! HTTP/1.1 404 Not Found
//! there is no report yet
//! $ curl -s -d begin http://127.0.0.1:3000/writers/ada
//! ada may write
//! $ curl -si -d begin http://127.0.0.1:3000/writers/grace | grep -E 'HTTP|writes'
//! HTTP/1.1 409 Conflict
//! somebody else writes
//! $ curl -s -d 'three films' http://127.0.0.1:3000/report/ada
//! written
//! $ curl -s -d pause http://127.0.0.1:3000/writers/ada
//! ada has lost the lock, and does not know it
//! $ curl -s -d begin http://127.0.0.1:3000/writers/grace
//! grace may write
//! $ curl -s -d 'four films' http://127.0.0.1:3000/report/grace
//! written
//! $ curl -si -d 'three films, late' http://127.0.0.1:3000/report/ada | grep -E 'HTTP|writer'
//! HTTP/1.1 409 Conflict
//! refused: a newer writer has written
//! $ curl -s -d end http://127.0.0.1:3000/writers/grace
//! grace was the only writer
//! $ curl -s http://127.0.0.1:3000/report
//! four films
//! ```
//!
//! A second process on the same Redis shares the lock and the report.

use std::collections::HashMap;
use std::env::var;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use larder::Ttl;
use larder::store::lease::Fence;
use larder_structures::fenced::{Fenced, FencedPut};
use larder_structures::lock::{Lock, LockGuard, Released};

/// The state of one process: the lock, the report that it protects, and the writers here.
struct Office {
    lock: Lock,
    reports: Fenced,
    writers: Mutex<HashMap<String, Writer>>,
}

impl Office {
    /// Locks the writers. Awaiting the store meanwhile would make all other requests wait.
    fn writers(&self) -> MutexGuard<'_, HashMap<String, Writer>> {
        self.writers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A writer, and its lock while it has one.
struct Writer {
    fence: Fence,
    guard: Option<LockGuard>,
}

type Shared = State<Arc<Office>>;
type Answer = Result<String, (StatusCode, &'static str)>;

const NO_WRITER: (StatusCode, &str) = (StatusCode::NOT_FOUND, "no such writer\n");

async fn write(State(office): Shared, Path(name): Path<String>, action: String) -> Answer {
    match action.as_str() {
        "begin" => {
            // It is woken when the lock is released, and waits no longer than this.
            let patience = Duration::from_millis(200);
            let guard = office.lock.lock(patience).await.map_err(unavailable)?;
            let guard = guard.ok_or((StatusCode::CONFLICT, "somebody else writes\n"))?;
            let fence = guard.fence();
            let answer = format!("{name} may write\n");
            let guard = Some(guard);
            office.writers().insert(name, Writer { fence, guard });
            Ok(answer)
        }
        // Stands in for a process that was stopped for longer than its lease.
        "pause" => {
            let guard = office
                .writers()
                .get_mut(&name)
                .ok_or(NO_WRITER)?
                .guard
                .take();
            if let Some(guard) = guard {
                let _ = guard.release().await.map_err(unavailable)?;
            }
            Ok(format!("{name} has lost the lock, and does not know it\n"))
        }
        _ => {
            let writer = office.writers().remove(&name).ok_or(NO_WRITER)?;
            let guard = writer.guard;
            let guard = guard.ok_or((StatusCode::CONFLICT, "it holds no lock\n"))?;
            Ok(match guard.release().await.map_err(unavailable)? {
                Released::InTime => format!("{name} was the only writer\n"),
                Released::AlreadyLost => format!("{name} may have had company\n"),
            })
        }
    }
}

async fn report(State(office): Shared, Path(name): Path<String>, report: String) -> Answer {
    let fence = office.writers().get(&name).ok_or(NO_WRITER)?.fence;
    let hour = Ttl::from_secs(3600);
    let put = office.reports.put("report", fence, report, hour).await;
    match put.map_err(unavailable)? {
        FencedPut::Written => Ok("written\n".to_owned()),
        FencedPut::Stale { .. } => Err((
            StatusCode::CONFLICT,
            "refused: a newer writer has written\n",
        )),
    }
}

async fn read(State(office): Shared) -> Answer {
    let held = office.reports.get("report").await.map_err(unavailable)?;
    let (_, report) = held.ok_or((StatusCode::NOT_FOUND, "there is no report yet\n"))?;
    Ok(format!("{}\n", String::from_utf8_lossy(&report)))
}

/// The error is for the log: it may name servers.
fn unavailable(error: larder::Error) -> (StatusCode, &'static str) {
    tracing::error!(%error, "the store failed");
    (StatusCode::SERVICE_UNAVAILABLE, "try again\n")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let store = larder::connect(&var("STORE_URL").unwrap_or("memory://".to_owned())).await?;
    let office = Office {
        lock: Lock::new(store.clone(), "report")?,
        reports: Fenced::new(store)?,
        writers: Mutex::default(),
    };
    let app = Router::new()
        .route("/writers/{name}", post(write))
        .route("/report/{name}", post(report))
        .route("/report", get(read))
        .with_state(Arc::new(office));
    let address = var("LISTEN").unwrap_or("127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    writeln!(std::io::stdout(), "http://{}", listener.local_addr()?)?;
    // Otherwise the body would wait until the client has acknowledged the head.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, app).await?)
}
