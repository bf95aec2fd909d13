//! What a producer and a worker do, in a process or in a task of a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use larder_queue::worker::{Backoff, JobContext, JobError, State, Worker};
use larder_queue::{Cancelled, Delivery, Job, NewJob, Queue, Settled};
use larder_redis::RedisStore;
use larder_store::{Result, Ttl};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::Contender;
use super::event::{Event, What};
use crate::leases::now;

/// How long a job is leased. Some work takes longer, and does not notice.
pub(crate) const LEASE: Ttl = Ttl::from_millis(300);

/// How many jobs of a process run at once.
pub(crate) const CONCURRENCY: usize = 8;

/// How long workers may take to empty the queue once nothing is added.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What is done with an event.
pub type Sink = Arc<dyn Fn(Event) + Send + Sync>;

/// Tells producers to stop, and workers to stop once the queue is empty.
#[derive(Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Tells them.
    pub fn tell(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_told(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

#[derive(Serialize, Deserialize)]
struct Work {
    number: u64,
}

impl Job for Work {
    const NAME: &'static str = "work";
}

/// Connects to a server that was killed and may be loading.
pub(crate) async fn connect(url: &str) -> RedisStore {
    loop {
        match RedisStore::connect(url).await {
            Ok(store) => return store,
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn queue(url: &str) -> Queue {
    let store = Arc::new(connect(url).await);
    let queue = Queue::new(store, "ledger").expect("programs and waits");
    // Dead letters would be jobs that are not done; here none is meant to die.
    queue.with_lease(LEASE).with_max_attempts(1_000_000)
}

/// Adds jobs until it is told to stop. One that is not acknowledged is sent again under its id.
pub async fn produce(url: &str, seed: u64, stop: Stop, sink: Sink) {
    let queue = queue(url).await;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut number = 0;
    while !stop.is_told() {
        number += 1;
        let mut job = NewJob::new(&Work { number });
        if random.u8(..4) == 0 {
            job = job.with_delay(Duration::from_millis(random.u64(..200)));
        }
        let (began, id) = (now(), job.id().to_string());
        // Its own id as a duplicate says that an earlier request was carried out.
        while !stop.is_told() {
            if queue.enqueue(job.clone()).await.is_ok() {
                note(&sink, &id, began, What::Enqueued);
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
        sleep(Duration::from_micros(random.u64(..10_000))).await;
    }
}

/// Works until it is told to stop and the queue is empty.
///
/// # Panics
/// If the queue does not become empty within a minute.
pub async fn consume(url: &str, seed: u64, contender: Contender, stop: Stop, sink: Sink) {
    let queue = queue(url).await;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut running = JoinSet::new();
    let mut deadline = None;
    loop {
        while running.len() >= CONCURRENCY {
            running.join_next().await;
        }
        if is_over(&queue, &stop, &mut deadline).await {
            break;
        }
        let began = now();
        let free = CONCURRENCY - running.len();
        let Ok(taken) = queue.dequeue_wait(free, Duration::from_millis(200)).await else {
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        for delivery in taken {
            let what = What::Taken {
                attempt: delivery.attempt(),
                fence: fence(&delivery),
            };
            note(&sink, delivery.id().as_str(), began, what);
            let worker = Task {
                queue: queue.clone(),
                contender,
                sink: sink.clone(),
                random: random.fork(),
            };
            running.spawn(worker.work(delivery));
        }
    }
    running.join_all().await;
}

/// Does the same by a [`Worker`], which renews leases and sends acks itself.
///
/// # Panics
/// As [`consume`] does.
pub async fn consume_by_worker(url: &str, stop: Stop, sink: Sink) {
    let queue = queue(url).await;
    let over = CancellationToken::new();
    let worker = Worker::new(queue.clone())
        .on(handle)
        .with_state(sink)
        .with_concurrency(CONCURRENCY)
        .with_backoff(Backoff::constant(Duration::from_millis(50)));
    let worker = tokio::spawn(worker.run_until(over.clone().cancelled_owned()));
    let mut deadline = None;
    while !is_over(&queue, &stop, &mut deadline).await {
        sleep(Duration::from_millis(50)).await;
    }
    over.cancel();
    let report = worker.await.expect("a worker that ends");
    report.expect("a handler for each job");
}

async fn handle(_: Work, context: JobContext, State(sink): State<Sink>) -> Result<(), JobError> {
    let fence = context.fence().as_u64();
    let attempt = context.attempt();
    note(
        &sink,
        context.id().as_str(),
        now(),
        What::Taken { attempt, fence },
    );
    let mut random = fastrand::Rng::with_seed(fence);
    sleep(slowness(&mut random)).await;
    if random.u8(..20) == 0 {
        return Err(JobError::retry("bad luck"));
    }
    note(&sink, context.id().as_str(), now(), What::Worked(fence));
    // The worker sends the ack, and tells nobody the answer.
    note(&sink, context.id().as_str(), now(), What::Sent(fence));
    Ok(())
}

/// Whether it was told to stop, and the queue is empty.
async fn is_over(queue: &Queue, stop: &Stop, deadline: &mut Option<Instant>) -> bool {
    if !stop.is_told() {
        return false;
    }
    let deadline = *deadline.get_or_insert_with(|| Instant::now() + PATIENCE);
    assert!(Instant::now() < deadline, "the queue does not become empty");
    let counts = queue.counts().await;
    counts.is_ok_and(|counts| counts.waiting + counts.scheduled + counts.running == 0)
}

/// Most work is short. Some takes longer than the lease.
pub(crate) fn slowness(random: &mut fastrand::Rng) -> Duration {
    match random.u8(..10) {
        0 => Duration::from(LEASE).mul_f64(1.0 + random.f64()),
        _ => Duration::from_millis(random.u64(..40)),
    }
}

struct Task {
    queue: Queue,
    contender: Contender,
    sink: Sink,
    random: fastrand::Rng,
}

impl Task {
    async fn work(mut self, delivery: Delivery) {
        sleep(slowness(&mut self.random)).await;
        if self.random.u8(..20) == 0 {
            // Whoever lost the lease is refused; it is taken again in any case.
            let _ = self
                .queue
                .nack(delivery.receipt(), Duration::from_millis(50))
                .await;
            return;
        }
        let (id, fence) = (delivery.id().as_str(), fence(&delivery));
        note(&self.sink, id, now(), What::Worked(fence));
        loop {
            note(&self.sink, id, now(), What::Sent(fence));
            let began = now();
            let acked = match self.contender {
                Contender::Fenced => self.queue.ack(delivery.receipt()).await.map(is_acked),
                Contender::Unfenced => self.queue.cancel(delivery.id()).await.map(is_removed),
            };
            let what = match acked {
                Ok(true) => What::Acked(fence),
                Ok(false) => What::Refused(fence),
                Err(_) => What::Lost(fence),
            };
            note(&self.sink, id, began, what);
            if acked.is_ok() {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn is_acked(settled: Settled) -> bool {
    settled == Settled::Accepted
}

fn is_removed(cancelled: Cancelled) -> bool {
    cancelled != Cancelled::Unknown
}

fn fence(delivery: &Delivery) -> u64 {
    delivery.receipt().fence().as_u64()
}

pub(crate) fn note(sink: &Sink, job: &str, began: u64, what: What) {
    sink(Event {
        job: job.to_owned(),
        began,
        ended: now(),
        what,
    });
}
