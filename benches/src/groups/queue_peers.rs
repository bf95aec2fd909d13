//! The queue and its worker beside the Rust queues on Redis: whole jobs, through each one's own worker.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use apalis::prelude::{BoxDynError, TaskSink, WorkerBuilder, WorkerBuilderExt};
use apalis_redis::{Config, RedisStorage};
use larder_queue::worker::{JobError, State, Worker};
use larder_queue::{Job, NewJob, Queue};
use larder_store::Store;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::harness::{Bar, Row, compare, counted, per_operation};
use crate::load::{p99, runtime, store};

const JOBS: usize = 2_000;
const BATCH: usize = 16;
const ROUNDS: usize = 7;
/// How many jobs an idle worker waits for.
const PICKUPS: usize = 300;
const AOF: &str = "AOF off; payloads of 100 bytes; the server shares two cores with the client";

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Mail {
    to: u64,
    text: String,
}

impl Job for Mail {
    const NAME: &'static str = "mail";
}

fn mail(to: usize) -> Mail {
    Mail {
        to: to as u64,
        text: "x".repeat(100),
    }
}

pub(crate) fn run(url: &str) -> Vec<Row> {
    let runtime = runtime();
    let bench = Bench {
        runtime: &runtime,
        url,
        store: &runtime.block_on(store(url)),
        names: AtomicUsize::new(0),
    };
    let mut rows = Vec::new();
    for (what, batch, least) in [
        ("enqueued one by one", 1, 1.5),
        ("enqueued 16 at a time", BATCH, 3.0),
    ] {
        for (peer, enqueue) in [
            (
                "bullmq-official",
                &(|name: &str| bench.bullmq_enqueue(name, batch)) as &dyn Fn(&str) -> f64,
            ),
            ("apalis-redis", &|name: &str| {
                bench.apalis_enqueue(name, batch)
            }),
        ] {
            rows.push(bench.row(
                what,
                peer,
                &|name| bench.enqueue(name, batch),
                enqueue,
                least,
            ));
        }
    }
    for (tasks, least) in [(1, 1.5), (16, 1.5), (100, 1.5)] {
        let what = format!("done by a worker with {}", counted(tasks, "slot"));
        for (peer, work) in [
            (
                "bullmq-official",
                &(|name: &str| bench.bullmq_work(name, tasks)) as &dyn Fn(&str) -> f64,
            ),
            ("apalis-redis", &|name: &str| bench.apalis_work(name, tasks)),
        ] {
            rows.push(bench.row(&what, peer, &|name| bench.work(name, tasks), work, least));
        }
    }
    rows.push(bench.pickup());
    rows.push(bench.lateness());
    rows
}

struct Bench<'a> {
    runtime: &'a Runtime,
    url: &'a str,
    store: &'a Arc<dyn Store>,
    names: AtomicUsize,
}

impl Bench<'_> {
    fn row(
        &self,
        what: &str,
        peer: &str,
        ours: &dyn Fn(&str) -> f64,
        theirs: &dyn Fn(&str) -> f64,
        least: f64,
    ) -> Row {
        compare(
            format!("Redis, a job {what}"),
            ROUNDS,
            ("larder-queue", Box::new(|| ours(&self.fresh_name()))),
            (peer, Box::new(|| theirs(&self.fresh_name()))),
            Bar::ThroughputAtLeast(least),
        )
        .with_note(format!("{AOF}{}", remark(what, peer)))
    }

    fn fresh_name(&self) -> String {
        format!("jobs-{}", self.names.fetch_add(1, Ordering::Relaxed))
    }

    fn queue(&self, name: &str) -> Queue {
        Queue::new(self.store.clone(), name).expect("a queue")
    }

    fn enqueue(&self, name: &str, batch: usize) -> f64 {
        let queue = self.queue(name);
        self.runtime.block_on(async {
            let started = Instant::now();
            for first in (0..JOBS).step_by(batch) {
                match batch {
                    1 => drop(
                        queue
                            .enqueue(NewJob::new(&mail(first)))
                            .await
                            .expect("it is taken"),
                    ),
                    _ => {
                        let jobs: Vec<_> = (first..first + batch).map(mail).collect();
                        for result in queue.enqueue_many(jobs.iter().map(NewJob::new)).await {
                            drop(result.expect("it is taken"));
                        }
                    }
                }
            }
            per_operation(started.elapsed(), JOBS)
        })
    }

    fn bullmq_enqueue(&self, name: &str, batch: usize) -> f64 {
        self.runtime.block_on(async {
            let queue = bullmq_queue(self.url, name).await;
            let started = Instant::now();
            for first in (0..JOBS).step_by(batch) {
                match batch {
                    1 => drop(queue.add("mail", mail(first)).await.expect("it is taken")),
                    _ => {
                        let jobs =
                            (first..first + batch).map(|to| bullmq::BulkJob::new("mail", mail(to)));
                        drop(
                            queue
                                .add_bulk(jobs.collect())
                                .await
                                .expect("they are taken"),
                        );
                    }
                }
            }
            per_operation(started.elapsed(), JOBS)
        })
    }

    fn apalis_enqueue(&self, name: &str, batch: usize) -> f64 {
        self.runtime.block_on(async {
            let mut storage = apalis_storage(self.url, name, batch).await;
            let started = Instant::now();
            for first in (0..JOBS).step_by(batch) {
                match batch {
                    1 => storage.push(mail(first)).await.expect("it is taken"),
                    _ => {
                        let jobs = (first..first + batch).map(mail).collect();
                        storage.push_bulk(jobs).await.expect("they are taken");
                    }
                }
            }
            per_operation(started.elapsed(), JOBS)
        })
    }

    fn work(&self, name: &str, tasks: usize) -> f64 {
        self.enqueue(name, BATCH);
        let queue = self.queue(name);
        self.runtime.block_on(async {
            let (done, stop) = (Countdown::new(), CancellationToken::new());
            let worker = Worker::new(queue)
                .on(|_: Mail, State(done): State<Arc<Countdown>>| async move {
                    done.count();
                    Ok::<_, JobError>(())
                })
                .with_state(done.clone())
                .with_concurrency(tasks)
                .run_until(stop.clone().cancelled_owned());
            let worker = tokio::spawn(worker);
            done.all.notified().await;
            let took = done.per_job();
            stop.cancel();
            let _ = worker.await.expect("the worker ends");
            took
        })
    }

    fn bullmq_work(&self, name: &str, tasks: usize) -> f64 {
        self.bullmq_enqueue(name, BATCH);
        self.runtime.block_on(async {
            let done = Countdown::new();
            let counted = done.clone();
            let processor: bullmq::worker::ProcessorFn = Arc::new(move |_, _| {
                let done = counted.clone();
                Box::pin(async move {
                    done.count();
                    Ok(serde_json::Value::Null)
                })
            });
            let mut options = bullmq::WorkerOptions::default();
            options.connection.url = self.url.to_owned();
            options.concurrency = tasks;
            let worker = bullmq::Worker::with_options(name, processor, options);
            let worker = worker.await.expect("a worker");
            done.all.notified().await;
            let took = done.per_job();
            worker.close(5_000).await.expect("the worker ends");
            took
        })
    }

    fn apalis_work(&self, name: &str, tasks: usize) -> f64 {
        self.apalis_enqueue(name, BATCH);
        self.runtime.block_on(async {
            let storage = apalis_storage(self.url, name, tasks).await;
            let done = Countdown::new();
            let counted = done.clone();
            let worker = WorkerBuilder::new(name)
                .backend(storage)
                .concurrency(tasks)
                .build(move |_: Mail| {
                    let done = counted.clone();
                    async move {
                        done.count();
                        Ok::<_, BoxDynError>(())
                    }
                });
            tokio::select! {
                _ = worker.run() => panic!("the worker ended early"),
                () = done.all.notified() => {}
            }
            done.per_job()
        })
    }

    /// From an enqueue to its handler, where nothing else is to do.
    fn pickup(&self) -> Row {
        let name = self.fresh_name();
        let queue = self.queue(&name);
        let (sender, mut began) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let worker = Worker::new(queue.clone())
            .on(
                |_: Mail, State(began): State<mpsc::UnboundedSender<Instant>>| async move {
                    let _ = began.send(Instant::now());
                    Ok::<_, JobError>(())
                },
            )
            .with_state(sender)
            .run_until(stop.clone().cancelled_owned());
        let worker = self.runtime.spawn(worker);
        let mut spans = |pause: Duration, delay: Duration| {
            self.runtime.block_on(async {
                let mut took = Vec::with_capacity(PICKUPS);
                for to in 0..PICKUPS {
                    tokio::time::sleep(pause).await;
                    let due = Instant::now() + delay;
                    let job = NewJob::new(&mail(to)).with_delay(delay);
                    drop(queue.enqueue(job).await.expect("it is taken"));
                    let began = began.recv().await.expect("the worker runs");
                    took.push(began.saturating_duration_since(due));
                }
                p99(took)
            })
        };
        let mut raw = || spans(Duration::from_millis(20), Duration::ZERO);
        raw();
        let figure = raw();
        stop.cancel();
        let _ = self.runtime.block_on(worker).expect("the worker ends");
        alone(
            "Redis, from an enqueue to an idle worker, p99",
            figure,
            10e6,
        )
    }

    /// How late a job begins that was enqueued for later.
    fn lateness(&self) -> Row {
        let name = self.fresh_name();
        let queue = self.queue(&name);
        let (sender, mut began) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let worker = Worker::new(queue.clone())
            .on(
                |job: Mail, State(began): State<mpsc::UnboundedSender<(u64, Instant)>>| async move {
                    let _ = began.send((job.to, Instant::now()));
                    Ok::<_, JobError>(())
                },
            )
            .with_state(sender)
            .with_concurrency(16)
            .run_until(stop.clone().cancelled_owned());
        let worker = self.runtime.spawn(worker);
        let figure = self.runtime.block_on(async {
            let mut due = Vec::new();
            for to in 0..300 {
                let delay = Duration::from_millis(fastrand::u64(200..2_000));
                let job = NewJob::new(&mail(to)).with_delay(delay);
                drop(queue.enqueue(job).await.expect("it is taken"));
                // By the reply, so that the way to the server counts against us.
                due.push(Instant::now() + delay);
            }
            let mut took = Vec::with_capacity(due.len());
            for _ in 0..due.len() {
                let (to, began) = began.recv().await.expect("the worker runs");
                took.push(began.saturating_duration_since(due[to as usize]));
            }
            p99(took)
        });
        stop.cancel();
        let _ = self.runtime.block_on(worker).expect("the worker ends");
        alone(
            "Redis, how late a delayed job begins, p99 of 300",
            figure,
            20e6,
        )
    }
}

/// What the peer does otherwise, where that decides.
fn remark(what: &str, peer: &str) -> &'static str {
    match peer {
        "apalis-redis" if what.starts_with("enqueued") => {
            "; the peer has no largest number of jobs, and keeps what is done until it is vacuumed"
        }
        "apalis-redis" if what.ends_with(" 1 slot") => {
            "; the peer takes ten jobs at once, of which nine wait in its memory"
        }
        _ => "",
    }
}

/// A row without a peer.
fn alone(what: &str, figure: f64, most: f64) -> Row {
    compare(
        what,
        1,
        ("Worker", Box::new(move || figure)),
        ("the target", Box::new(move || most)),
        Bar::NanosAtMost(most),
    )
    .with_note(AOF)
}

async fn bullmq_queue(url: &str, name: &str) -> bullmq::Queue {
    let mut options = bullmq::QueueOptions::default();
    options.connection.url = url.to_owned();
    // Jobs that are done are removed, as ours are.
    options.default_job_options.remove_on_complete =
        Some(bullmq::types::RemoveOnFinish::Bool(true));
    let queue = bullmq::Queue::with_options(name, options);
    queue.await.expect("a queue")
}

/// With what it does not need for this switched off.
async fn apalis_storage(url: &str, name: &str, batch: usize) -> RedisStorage<Mail> {
    let connection = apalis_redis::connect(url).await.expect("a connection");
    let config = Config::default()
        .queue(name)
        .batch_size(batch.max(10))
        .persist_results(false)
        .emit_events(false);
    RedisStorage::new(connection).with_config(config)
}

/// Counts jobs, and says when all are done, and how long one took from the first on: a worker's connections are
/// not counted.
struct Countdown {
    began: OnceLock<Instant>,
    left: AtomicUsize,
    all: Notify,
}

impl Countdown {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            began: OnceLock::new(),
            left: AtomicUsize::new(JOBS),
            all: Notify::new(),
        })
    }

    fn count(&self) {
        self.began.get_or_init(Instant::now);
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.all.notify_one();
        }
    }

    fn per_job(&self) -> f64 {
        let began = self.began.get().expect("a job was done");
        per_operation(began.elapsed(), JOBS - 1)
    }
}
