//! A queue of a million jobs: what one of them costs, in time and in memory.

use std::sync::Arc;
use std::time::Instant;

use larder_moka::MokaStore;
use larder_queue::{MAX_BATCH, NewJob, Queue, Verdict};
use larder_store::Store;
use redis::aio::MultiplexedConnection;
use tokio::runtime::Runtime;

use super::queue::{JOBS, PAYLOAD, asynq_fill};
use crate::harness::{Bar, Row, compare, per_operation};
use crate::load::{raw_connection, runtime, store};

const MANY: usize = 1_000_000;
const FEW: usize = 1_000;
/// How many jobs a round works off and adds again.
const WORKED: usize = 400;
/// The longest that a script may take, in nanoseconds.
const LONGEST: f64 = 5e6;
/// How many of the largest steps are measured.
const STEPS: usize = 200;

pub(crate) fn run(url: &str) -> Vec<Row> {
    let runtime = runtime();
    let store = runtime.block_on(store(url));
    let raw = runtime.block_on(raw_connection(url));
    let queue = |name: &str| {
        let queue = Queue::new(store.clone(), name).expect("a queue");
        queue.with_max_jobs(2 * MANY as u32)
    };
    let (many, few) = (queue("many"), queue("few"));
    let before = runtime.block_on(used_memory(&raw));
    runtime.block_on(fill(&many, MANY));
    let of_job = (runtime.block_on(used_memory(&raw)) - before) / MANY as f64;
    runtime.block_on(fill(&few, FEW));
    vec![
        work(&runtime, "Redis", &many, &few),
        longest(&runtime, &raw, &many),
        redis_memory(&runtime, &raw, of_job),
        in_process(&runtime),
    ]
}

async fn fill(queue: &Queue, jobs: usize) {
    for first in (0..jobs).step_by(10_000) {
        let many = (jobs - first).min(10_000);
        let jobs = (0..many).map(|_| NewJob::raw("bench", &PAYLOAD[..]));
        for added in queue.enqueue_many(jobs).await {
            added.expect("an answer");
        }
    }
}

/// Takes and settles so many jobs, one after the other.
async fn turn(queue: &Queue, jobs: usize) {
    let mut taken = queue.dequeue(1).await.expect("an answer");
    for _ in 0..jobs {
        let acks: Vec<_> = taken
            .iter()
            .map(|it| (it.receipt().clone(), Verdict::Ack))
            .collect();
        let next = queue.settle_and_dequeue(&acks, 1).await;
        taken = next.expect("an answer").1;
        assert_eq!(taken.len(), 1);
    }
    let left = taken.pop().expect("a job");
    let _ = queue.release(left.receipt()).await.expect("an answer");
}

fn work(runtime: &Runtime, place: &str, many: &Queue, few: &Queue) -> Row {
    let worked = |queue: &Queue| {
        runtime.block_on(async {
            let started = Instant::now();
            turn(queue, WORKED).await;
            let took = per_operation(started.elapsed(), WORKED);
            fill(queue, WORKED).await;
            took
        })
    };
    compare(
        format!("{place}, a job taken and acknowledged"),
        7,
        ("among a million", Box::new(|| worked(many))),
        ("among a thousand", Box::new(|| worked(few))),
        Bar::CostAtMost(1.5),
    )
}

/// The time of the server for the largest step: what the machine takes from it does not count.
fn longest(runtime: &Runtime, raw: &MultiplexedConnection, queue: &Queue) -> Row {
    let mean = runtime.block_on(async {
        let mut taken = queue.dequeue(MAX_BATCH).await.expect("an answer");
        let before = server_seconds(raw).await;
        for _ in 0..STEPS {
            let acks: Vec<_> = taken
                .iter()
                .map(|it| (it.receipt().clone(), Verdict::Ack))
                .collect();
            let next = queue.settle_and_dequeue(&acks, MAX_BATCH).await;
            taken = next.expect("an answer").1;
        }
        (server_seconds(raw).await - before) / STEPS as f64
    });
    compare(
        format!(
            "Redis, a step that settles {MAX_BATCH} jobs and takes as many, among a million: the server's time"
        ),
        1,
        ("Queue", Box::new(move || mean * 1e9)),
        ("the target", Box::new(move || LONGEST)),
        Bar::NanosAtMost(LONGEST),
    )
    .with_note("the mean of 200; no other step does as much")
}

/// The seconds that the server has worked so far.
pub(crate) async fn server_seconds(raw: &MultiplexedConnection) -> f64 {
    let info = info(raw, "cpu").await;
    figure(&info, "used_cpu_user_main_thread:") + figure(&info, "used_cpu_sys_main_thread:")
}

fn redis_memory(runtime: &Runtime, raw: &MultiplexedConnection, of_job: f64) -> Row {
    let before = runtime.block_on(used_memory(raw));
    runtime.block_on(asynq_fill(raw, 16));
    let asynq = (runtime.block_on(used_memory(raw)) - before) / JOBS as f64;
    compare(
        "Redis, bytes for a job with a payload of 100",
        1,
        ("Queue", Box::new(move || of_job)),
        ("asynq's commands", Box::new(move || asynq)),
        Bar::NumberAtMost(600.0),
    )
    .with_note("a million jobs beside 1,600; both have a name or a state beside the payload")
}

fn in_process(runtime: &Runtime) -> Row {
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    let queue = Queue::new(store, "many").expect("a queue");
    let queue = queue.with_max_jobs(2 * MANY as u32);
    let before = resident();
    runtime.block_on(fill(&queue, MANY));
    let of_job = (resident() - before) / MANY as f64;
    alone(
        "in process, bytes for a job with a payload of 100, of a million",
        of_job,
        1_000.0,
        "of the process, as the system counts them",
    )
}

/// A row without a peer.
fn alone(what: &str, figure: f64, most: f64, note: &str) -> Row {
    compare(
        what,
        1,
        ("Queue", Box::new(move || figure)),
        ("the target", Box::new(move || most)),
        Bar::NumberAtMost(most),
    )
    .with_note(note)
}

pub(crate) async fn used_memory(raw: &MultiplexedConnection) -> f64 {
    figure(&info(raw, "memory").await, "used_memory:")
}

pub(crate) async fn info(raw: &MultiplexedConnection, section: &str) -> String {
    let mut info = redis::cmd("INFO");
    info.arg(section);
    info.query_async(&mut raw.clone()).await.expect("an answer")
}

pub(crate) fn figure(info: &str, name: &str) -> f64 {
    let figure = info.lines().find_map(|line| line.strip_prefix(name));
    figure
        .and_then(|figure| figure.trim().parse().ok())
        .expect("a number")
}

/// The bytes of this process that are in memory.
pub(crate) fn resident() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("a Linux system");
    let pages: f64 = pages
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .expect("a number of pages");
    pages * 4_096.0
}
