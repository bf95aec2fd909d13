//! A lock with a fence: one report is written at a time, and a stale writer writes nothing.
//!
//! `cargo run -p larder-examples --example lock`; `LISTEN` and `STORE_URL` are optional.
//!
//! ```text
//! $ curl -s -d begin http://127.0.0.1:3000/writers/ada
//! ada may write
//! $ curl -s -d begin http://127.0.0.1:3000/writers/grace
//! somebody else writes
//! $ curl -s -d 'three films' http://127.0.0.1:3000/report/ada
//! written
//! $ curl -s -d pause http://127.0.0.1:3000/writers/ada
//! ada has lost the lock, and does not know it
//! $ curl -s -d begin http://127.0.0.1:3000/writers/grace
//! grace may write
//! $ curl -s -d 'four films' http://127.0.0.1:3000/report/grace
//! written
//! $ curl -s -d 'three films, late' http://127.0.0.1:3000/report/ada
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
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use larder::Ttl;
use larder::store::lease::Fence;
use larder_structures::fenced::{Fenced, FencedPut};
use larder_structures::lock::{Lock, LockGuard, Released};
use tokio::sync::Mutex;

/// The state of one process: the lock, the report that it protects, and the writers here.
struct Office {
    lock: Lock,
    reports: Fenced,
    writers: Mutex<HashMap<String, Writer>>,
}

/// A writer, and its lock while it has one.
struct Writer {
    fence: Fence,
    guard: Option<LockGuard>,
}

type Shared = State<Arc<Office>>;
type Answer = Result<String, String>;

async fn write(State(office): Shared, Path(name): Path<String>, action: String) -> Answer {
    let mut writers = office.writers.lock().await;
    match action.as_str() {
        "begin" => {
            // It is woken when the lock is released, and waits no longer than this.
            let patience = Duration::from_millis(200);
            let Some(guard) = office.lock.lock(patience).await.map_err(text)? else {
                return Ok("somebody else writes\n".to_owned());
            };
            let fence = guard.fence();
            let answer = format!("{name} may write\n");
            let guard = Some(guard);
            writers.insert(name, Writer { fence, guard });
            Ok(answer)
        }
        // Stands in for a process that was stopped for longer than its lease.
        "pause" => {
            let writer = writers.get_mut(&name).ok_or("no such writer\n")?;
            if let Some(guard) = writer.guard.take() {
                let _ = guard.release().await.map_err(text)?;
            }
            Ok(format!("{name} has lost the lock, and does not know it\n"))
        }
        _ => {
            let writer = writers.remove(&name).ok_or("no such writer\n")?;
            let guard = writer.guard.ok_or("it holds no lock\n")?;
            Ok(match guard.release().await.map_err(text)? {
                Released::InTime => format!("{name} was the only writer\n"),
                Released::AlreadyLost => format!("{name} may have had company\n"),
            })
        }
    }
}

async fn report(State(office): Shared, Path(name): Path<String>, report: String) -> Answer {
    let writers = office.writers.lock().await;
    let fence = writers.get(&name).ok_or("no such writer\n")?.fence;
    let hour = Ttl::from_secs(3600);
    let put = office.reports.put("report", fence, report, hour).await;
    Ok(match put.map_err(text)? {
        FencedPut::Written => "written\n".to_owned(),
        FencedPut::Stale { .. } => "refused: a newer writer has written\n".to_owned(),
    })
}

async fn read(State(office): Shared) -> Answer {
    let held = office.reports.get("report").await.map_err(text)?;
    let (_, report) = held.ok_or("there is no report yet\n")?;
    Ok(format!("{}\n", String::from_utf8_lossy(&report)))
}

fn text(error: larder::Error) -> String {
    format!("{error}\n")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
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
