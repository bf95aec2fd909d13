use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Form;
use axum::http::StatusCode;
use axum::response::Response;
use larder_cache::Cache;
use larder_store::{Kind, Result, Ttl};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::actions::check;
use super::model::{Block, Cell, Form as Shown, Origin, Panel, Table, Tone, number, text};
use super::numbers::{count, seconds};
use super::render::{frame, refuse};
use super::state::Visit;
use super::view::View;

const VISITORS: u64 = 1_000;
/// The duration of a query of the simulated database.
const QUERY: Duration = Duration::from_millis(20);
/// The number of connections of the simulated database.
const CONNECTIONS: usize = 20;
/// The time limit of one run.
const WITHIN: Duration = Duration::from_secs(10);
const PAGE: Kind = Kind::evictable("ops-drill");

/// A database that answers slowly, and only few queries at a time.
struct Database {
    queries: AtomicU64,
    connections: Semaphore,
}

/// The result of a run.
#[derive(Clone, Copy, Debug)]
struct Run {
    queries: u64,
    answered: u64,
    median: Duration,
    longest: Duration,
}

impl Database {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            queries: AtomicU64::new(0),
            connections: Semaphore::new(CONNECTIONS),
        })
    }

    async fn query(&self) -> u64 {
        // The semaphore is never closed.
        let _connection = self.connections.acquire().await;
        sleep(QUERY).await;
        self.queries.fetch_add(1, Ordering::Relaxed)
    }
}

/// What the form of the drill sends.
#[derive(Deserialize)]
pub(super) struct Sent {
    #[serde(default)]
    token: String,
}

/// Offers the drill.
pub(super) fn offer(may_act: bool) -> Vec<Panel> {
    let panel = Panel::new("drill", "A cold page", Origin::Page).note(format!(
        "{VISITORS} visitors ask for one page that is not cached. A query takes {} and the database has \
         {CONNECTIONS} connections. It runs twice in this process, on a cache of its own: once with the loader, \
         and once without.",
        seconds(QUERY.as_secs_f64())
    ));
    vec![match may_act {
        true => panel.with(Block::Form(Shown {
            to: "drill",
            button: "Open the doors",
            ..Shown::default()
        })),
        false => panel.alarm(Tone::Unknown, "The drill needs an operator who may act."),
    }]
}

/// Runs the drill, one at a time.
pub(super) async fn run(
    visit: Visit,
    Form(sent): Form<Sent>,
) -> std::result::Result<Response, Response> {
    check(&visit, &sent.token).await?;
    let Ok(_alone) = visit.shared.drill.try_lock() else {
        let text = "A drill is running: wait until it has ended.";
        return Err(refuse(&visit, StatusCode::CONFLICT, text).await);
    };
    let (with, without) = (with_loader().await, without_loader().await);
    let (Ok(with), Ok(without)) = (with, without) else {
        let text = "The drill exceeded its time limit.";
        return Err(refuse(&visit, StatusCode::SERVICE_UNAVAILABLE, text).await);
    };
    let mut panels = offer(true);
    panels.push(shown(with, without));
    let frame = frame(&visit, View::Drill, None).await;
    Ok(frame.page(StatusCode::OK, &panels))
}

/// Lets every visitor read the cache, which loads the page for the first of them.
async fn with_loader() -> Result<Run> {
    let database = Database::new();
    let cache: Cache<u8, u64> = Cache::builder(PAGE, Ttl::from_secs(60)).build()?;
    visit_all(&database, |database| {
        let cache = cache.clone();
        async move {
            let load = || async move { Ok::<_, Infallible>(database.query().await) };
            cache.get_or_load(&1, load).await.is_ok()
        }
    })
    .await
}

/// Lets every visitor find the cache empty and query the database.
async fn without_loader() -> Result<Run> {
    let database = Database::new();
    visit_all(&database, |database| async move {
        database.query().await;
        true
    })
    .await
}

async fn visit_all<F>(database: &Arc<Database>, open: impl Fn(Arc<Database>) -> F) -> Result<Run>
where
    F: Future<Output = bool> + Send + 'static,
{
    let mut visitors = JoinSet::new();
    let started = Instant::now();
    for _ in 0..VISITORS {
        let page = open(database.clone());
        visitors.spawn(async move { page.await.then(|| started.elapsed()) });
    }
    let all = timeout(WITHIN, visitors.join_all()).await;
    let mut waits: Vec<_> = all.map_err(|_| late())?.into_iter().flatten().collect();
    waits.sort_unstable();
    Ok(Run {
        queries: database.queries.load(Ordering::Relaxed),
        answered: waits.len() as u64,
        median: waits.get(waits.len() / 2).copied().unwrap_or_default(),
        longest: waits.last().copied().unwrap_or_default(),
    })
}

fn late() -> larder_store::Error {
    let kind = larder_store::ErrorKind::Refused(larder_store::Refusal::Unavailable);
    larder_store::Error::new("drill", kind, "it took too long")
}

/// Compares the two runs.
fn shown(with: Run, without: Run) -> Panel {
    let most = without.queries.max(with.queries).max(1) as f64;
    let row = |name: &str, tone, run: Run| {
        vec![
            Cell::Badge(tone, name.to_owned()),
            Cell::Bar(run.queries as f64 / most, count(run.queries as f64)),
            Cell::Text(count(run.answered as f64)),
            Cell::Text(seconds(run.median.as_secs_f64())),
            Cell::Text(seconds(run.longest.as_secs_f64())),
        ]
    };
    let rows = vec![
        row("with the loader", Tone::Good, with),
        row("without it", Tone::Bad, without),
    ];
    let columns = [
        text("how"),
        number("queries"),
        number("visitors answered"),
        number("half waited"),
        number("longest wait"),
    ];
    let queries = super::numbers::of(with.queries, "query", "queries");
    Panel::new("result", "What happened", Origin::Page)
        .alarm(
            Tone::Good,
            format!("With the loader {VISITORS} visitors cost {queries}."),
        )
        .with(Table::of("Both runs", columns, rows, ""))
}
