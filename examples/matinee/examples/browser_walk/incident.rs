use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use larder::queue::worker::{JobError, Worker};
use larder::queue::{Job, Queue};
use larder::structures::lock::{Lock, LockGuard};
use larder::{Namespace, Prefixed, Store};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use ureq::Agent;

use crate::Failure;
use crate::walk::ADA;

/// The visitor who sends more requests than allowed.
pub(crate) const BUSY: &str = "203.0.113.66";

/// What operators should see: visits, guesses, jobs that have failed for good, and a lock that is held.
pub(crate) struct Incident {
    // The lock is released in the runtime.
    _lock: LockGuard,
    _runtime: Runtime,
}

#[derive(Serialize, Deserialize)]
struct Print {
    film: u32,
}

impl Job for Print {
    const NAME: &'static str = "print";
}

impl Incident {
    /// Lets visitors come for a while, and leaves behind work that needs an operator.
    pub(crate) fn happen(url: &str, store: &str, lasts: Duration) -> Result<Self, Failure> {
        let runtime = Runtime::new()?;
        let lock = runtime.block_on(leave_work(store))?;
        visit(url, lasts)?;
        Ok(Self {
            _lock: lock,
            _runtime: runtime,
        })
    }
}

/// Leaves dead letters in a queue, and a held lock, among the app's own keys.
async fn leave_work(store: &str) -> Result<LockGuard, Failure> {
    let namespace = Namespace::new("development", "matinee")?;
    let store: Arc<dyn Store> = Arc::new(Prefixed::new(namespace, larder::connect(store).await?));
    let queue = Queue::new(store.clone(), "posters")?;
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = Worker::new(queue.clone())
        .on(async |_: Print| Err::<(), _>(JobError::dead("the printer is out of red ink")));
    let worker = tokio::spawn(worker.run_until(async { drop(stopped.await) }));
    for film in 1..=3 {
        queue.enqueue(&Print { film }).await?;
    }
    while queue.counts().await?.dead < 3 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(stop);
    worker.await??;
    for film in 4..=8 {
        queue.enqueue(&Print { film }).await?;
    }
    let lock = Lock::new(store, "nightly-report")?.try_lock().await?;
    lock.ok_or_else(|| "somebody holds the lock".into())
}

/// Visits pages and signs in, with right and wrong passwords, in waves. One address sends more than it may.
fn visit(url: &str, lasts: Duration) -> Result<(), Failure> {
    let config = Agent::config_builder().http_status_as_error(false);
    let agent: Agent = config.max_redirects(0).build().into();
    let get = |from: &str, path: String| -> Result<(), Failure> {
        let request = agent.get(format!("{url}{path}"));
        let request = request.header("x-forwarded-for", from);
        let read = request.call()?.body_mut().read_to_vec();
        read.map(drop).map_err(Failure::from)
    };
    for number in 0..700 {
        get(BUSY, format!("/api/films/{}", number % 40 + 1))?;
    }
    let since = Instant::now();
    for wave in 0.. {
        for number in 0..10 + 8 * (wave % 7) {
            let film = (number * number + wave) % 120 + 1;
            let from = format!("203.0.113.{}", number % 50);
            get(&from, format!("/films/{film}"))?;
            get(&from, format!("/api/films/{}", number % 40 + 1))?;
            if number % 5 == 0 {
                get(&from, format!("/?q=word{}", wave % 9))?;
            }
        }
        let is_wrong = wave % 3 == 0;
        let password = if is_wrong { "wrong" } else { ADA.password };
        let form = [("email", ADA.email), ("password", password)];
        let sign_in = agent.post(format!("{url}/sign-in"));
        let from = format!("198.51.100.{}", wave % 99);
        sign_in.header("x-forwarded-for", from).send_form(form)?;
        if since.elapsed() >= lasts {
            return Ok(());
        }
        sleep(Duration::from_millis(400));
    }
    Ok(())
}
