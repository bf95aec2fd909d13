//! Jobs that do as a test says, and the stores that they are queued on.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use larder_moka::MokaStore;
use larder_queue::worker::{Backoff, JobContext, JobError, State, TokioClock, Worker};
use larder_queue::{Job, NewJob, Queue};
use larder_redis::{RedisStore, RedisStoreBuilder};
use larder_store::{ManualClock, Store};
use larder_test::faulty::{Faulty, Switch};
use larder_test::server::RedisServer;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// A store, and the switch of its faults.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) switch: Switch,
}

impl World {
    fn new(store: impl Store + 'static) -> Self {
        let store = Faulty::new(Arc::new(store));
        let switch = store.switch();
        let store = Arc::new(store);
        Self { store, switch }
    }

    pub(crate) async fn memory() -> Self {
        Self::new(MokaStore::new())
    }

    /// A store in process whose time is tokio's, for tests that pause it.
    pub(crate) fn paused() -> Self {
        let store = MokaStore::builder().with_clock(TokioClock::new());
        Self::new(store.build())
    }

    pub(crate) async fn redis() -> Self {
        let store = redis_builder();
        Self::new(store.connect().await.unwrap())
    }

    /// A store in process whose time the test moves.
    pub(crate) async fn memory_at(clock: &ManualClock) -> Self {
        let store = MokaStore::builder().with_clock(clock.clone());
        Self::new(store.build())
    }

    /// A store on Redis whose programs read the clock of the test.
    pub(crate) async fn redis_at(clock: &ManualClock) -> Self {
        let store = redis_builder().with_virtual_time(clock.clone());
        Self::new(store.connect().await.unwrap())
    }

    /// A queue that no other test uses.
    pub(crate) fn queue(&self) -> Queue {
        let name = format!("mail-{:x}", fastrand::u64(..));
        Queue::new(self.store.clone(), &name).unwrap()
    }
}

/// A builder for the server that all tests share, with a deadline that a busy machine keeps.
fn redis_builder() -> RedisStoreBuilder {
    static SERVER: LazyLock<RedisServer> = LazyLock::new(|| RedisServer::start().unwrap());
    RedisStore::builder(&SERVER.url()).with_timeout(Duration::from_secs(20))
}

/// A job that does as it is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) number: u32,
    pub(crate) act: Act,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Act {
    Return,
    Fail,
    RetryNow,
    Snooze,
    Die,
    Panic,
    /// Waits until the test opens the gate.
    Wait,
    /// Waits until the test opens the gate, and then does this.
    WaitThen(Box<Act>),
    /// Waits until its context is cancelled, and returns.
    Heed,
    /// Waits until its context is cancelled, and fails.
    HeedAndFail,
    /// Waits until its lease is lost, and returns.
    LoseLease,
    /// Blocks its thread until the test opens the gate.
    Block,
}

impl Job for Task {
    const NAME: &'static str = "task";
}

pub(crate) fn task(number: u32, act: Act) -> NewJob {
    NewJob::new(&Task { number, act })
}

/// What a test knows of the jobs that ran.
#[derive(Clone)]
pub(crate) struct Probe(Arc<Inner>);

struct Inner {
    ran: Mutex<Vec<(u32, u32)>>,
    arrived: Semaphore,
    gate: Semaphore,
}

impl Probe {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            ran: Mutex::default(),
            arrived: Semaphore::new(0),
            gate: Semaphore::new(0),
        }))
    }

    /// The jobs that began, with their attempts.
    pub(crate) fn ran(&self) -> Vec<(u32, u32)> {
        self.0.ran.lock().unwrap().clone()
    }

    /// Waits until one more job has begun.
    pub(crate) async fn arrived(&self) {
        self.arrived_within(Duration::from_secs(20)).await;
    }

    pub(crate) async fn arrived_within(&self, time: Duration) {
        let arrived = tokio::time::timeout(time, self.0.arrived.acquire()).await;
        arrived.expect("no job began").unwrap().forget();
    }

    /// Lets so many jobs go on.
    pub(crate) fn open(&self, many: usize) {
        self.0.gate.add_permits(many);
    }
}

pub(crate) async fn handle(
    task: Task,
    State(probe): State<Probe>,
    context: JobContext,
) -> Result<(), JobError> {
    probe
        .0
        .ran
        .lock()
        .unwrap()
        .push((task.number, context.attempt()));
    probe.0.arrived.add_permits(1);
    let act = match task.act {
        Act::WaitThen(act) => {
            probe.0.gate.acquire().await?.forget();
            *act
        }
        act => act,
    };
    match act {
        Act::Return | Act::WaitThen(_) => {}
        Act::Fail => Err(std::io::Error::other("the mail server is away"))?,
        Act::RetryNow => return Err(JobError::retry_after(Duration::ZERO, "try again")),
        Act::Snooze => return Err(JobError::snooze(HOUR)),
        Act::Die => return Err(JobError::dead("there is no such user")),
        Act::Panic => panic!("a bug"),
        Act::Wait => probe.0.gate.acquire().await?.forget(),
        Act::Heed => context.cancelled().await,
        Act::HeedAndFail => {
            context.cancelled().await;
            return Err(JobError::retry("interrupted"));
        }
        Act::LoseLease => {
            context.lease_lost().await;
            assert!(context.is_lease_lost() && context.is_cancelled());
        }
        Act::Block => {
            // Bounded, as a test that fails waits for its threads.
            let begun = std::time::Instant::now();
            while probe.0.gate.try_acquire().is_err() && begun.elapsed() < Duration::from_secs(20) {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
    Ok(())
}

/// A worker whose failed jobs wait for an hour.
pub(crate) fn worker(queue: &Queue, probe: &Probe) -> Worker {
    Worker::new(queue.clone())
        .on(handle)
        .with_state(probe.clone())
        .with_backoff(Backoff::constant(HOUR))
}

/// Runs each test on both stores, in real time.
macro_rules! on_both_stores {
    ($($(#[$doc:meta])* async fn $name:ident($world:ident: World) $body:block)*) => {
        $($(#[$doc])* async fn $name($world: $crate::worker::support::World) $body)*

        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::worker::support::World::memory().await).await;
            })*
        }

        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::worker::support::World::redis().await).await;
            })*
        }
    };
}
pub(crate) use on_both_stores;
