//! Tasks in two processes that contend for the keys of a server which is broken meanwhile.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use larder_redis::RedisStore;
use larder_store::Store;
use larder_test::server::RedisServer;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::event::{Event, What};
use crate::Table;
use crate::process::{Worker, be, tell};

const PROCESSES: u64 = 2;
const TASKS: u64 = 8;
const TIME: Duration = Duration::from_secs(20);

/// The seed of a run, from which its processes have theirs.
pub(crate) const SEED: u64 = 7;

/// The tasks of one process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Crew {
    /// The server that they contend for.
    pub url: String,
    /// How many they are.
    pub tasks: u64,
    /// How long they go on.
    pub time: Duration,
    /// What they draw follows from it.
    pub seed: u64,
}

/// Returns what two processes did that are the worker `name`, while their server was broken.
pub(crate) fn in_two_processes(name: &str, how: &impl Serialize) -> Vec<Event> {
    let server = RedisServer::start().expect("a redis-server");
    let workers: Vec<_> = (0..PROCESSES)
        .map(|process| {
            let crew = Crew {
                url: server.url(),
                tasks: TASKS / PROCESSES,
                time: TIME,
                seed: SEED << 8 | process,
            };
            Worker::start(name, &(how, crew))
        })
        .collect();
    break_for(&server, TIME, &mut fastrand::Rng::with_seed(SEED));
    workers.into_iter().flat_map(Worker::finish).collect()
}

/// Freezes the server for a moment, or kills all connections, again and again.
pub fn break_for(server: &RedisServer, time: Duration, random: &mut fastrand::Rng) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        std::thread::sleep(Duration::from_millis(random.u64(100..500)));
        if random.bool() {
            server.stop().expect("SIGSTOP");
            std::thread::sleep(Duration::from_millis(random.u64(20..400)));
            server.cont().expect("SIGCONT");
        } else {
            let killed = server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
            killed.expect("an answer of the server");
        }
    }
}

/// Is one of the two processes. `does` is given its tasks, and how they work.
pub(crate) fn be_one_of_two<H: DeserializeOwned>(
    work: &str,
    does: impl AsyncFnOnce(&Crew, H) -> Vec<Event>,
) -> io::Result<()> {
    be(work, async |(how, crew): (H, Crew)| {
        let history = does(&crew, how).await;
        history.iter().try_for_each(tell)
    })
}

/// Runs tasks on a store of their own, each with random numbers of its own, and returns what they did.
pub(crate) async fn contend<F>(
    crew: &Crew,
    task: impl Fn(Arc<dyn Store>, fastrand::Rng) -> F,
) -> Vec<Event>
where
    F: Future<Output = Vec<Event>> + Send + 'static,
{
    let store: Arc<dyn Store> =
        Arc::new(RedisStore::connect(&crew.url).await.expect("a connection"));
    let mut running = JoinSet::new();
    for number in 0..crew.tasks {
        let seed = crew.seed << 8 | number;
        running.spawn(task(store.clone(), fastrand::Rng::with_seed(seed)));
    }
    running.join_all().await.concat()
}

/// Returns how many events of a history are of a kind.
pub(crate) fn count(history: &[Event], is: fn(What) -> bool) -> usize {
    history.iter().filter(|event| is(event.what)).count()
}

/// Adds the row of a history in which the checker found these violations.
pub(crate) fn row<const N: usize>(
    table: &mut Table,
    name: &str,
    counts: [usize; N],
    violations: &[String],
    clean: &str,
) {
    let verdict = match violations.is_empty() {
        true => clean,
        false => "violated",
    };
    let counts = counts.map(|count| count.to_string());
    let mut cells = vec![name.to_owned()];
    cells.extend(counts);
    cells.extend([violations.len().to_string(), verdict.to_owned()]);
    table.row(cells);
}
