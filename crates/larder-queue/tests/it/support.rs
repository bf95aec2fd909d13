//! The stores that the queue is tested on, and jobs.

use std::sync::Arc;
use std::time::Duration;

use larder_moka::MokaStore;
use larder_queue::{Delivery, Enqueued, Job, JobId, NewJob, Queue};
use larder_redis::{RedisBuilder, RedisStore};
use larder_store::{ManualClock, Store};
use larder_test::server::RedisServer;
use serde::{Deserialize, Serialize};

/// A store under test, with its clock.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    clock: ManualClock,
    /// Kept while the store on it is used.
    _server: Option<RedisServer>,
}

impl World {
    /// A store in this process, by the clock of the test.
    pub(crate) async fn memory() -> Self {
        let clock = ManualClock::default();
        let store = MokaStore::builder().with_clock(clock.clone()).build();
        Self {
            store: Arc::new(store),
            clock,
            _server: None,
        }
    }

    /// A store on a server of its own, whose programs read the clock of the test.
    pub(crate) async fn redis() -> Self {
        let (server, clock) = (RedisServer::start().unwrap(), ManualClock::default());
        let store = patient(&server.url()).with_virtual_time(clock.clone());
        Self {
            store: Arc::new(store.connect().await.unwrap()),
            clock,
            _server: Some(server),
        }
    }

    /// Lets `by` pass for the store.
    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    pub(crate) fn advance_micros(&self, by: i64) {
        self.clock.advance_micros(by);
    }

    pub(crate) fn queue(&self) -> Queue {
        Queue::new(self.store.clone(), "test").unwrap()
    }
}

/// A store with deadlines that a busy machine keeps: these tests are about answers.
pub(crate) fn patient(url: &str) -> RedisBuilder {
    let long = Duration::from_secs(20);
    RedisStore::builder(url)
        .with_timeout(long)
        .with_connect_timeout(long)
}

/// The job of most tests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mail {
    pub(crate) to: String,
}

impl Job for Mail {
    const NAME: &'static str = "mail";
}

pub(crate) fn mail(to: &str) -> Mail {
    Mail { to: to.to_owned() }
}

/// A new job under the id `to`.
pub(crate) fn job(to: &str) -> NewJob {
    NewJob::new(&mail(to)).id(JobId::new(to).unwrap())
}

/// Adds a job, and fails if it is not new.
pub(crate) async fn add(queue: &Queue, job: NewJob) {
    let id = job.job_id().clone();
    assert_eq!(queue.enqueue(job).await.unwrap(), Enqueued::New(id));
}

/// Takes at most `n` jobs.
pub(crate) async fn take(queue: &Queue, n: usize) -> Vec<Delivery> {
    queue.dequeue(n).await.unwrap()
}

/// Takes one job, and fails if there is none.
pub(crate) async fn one(queue: &Queue) -> Delivery {
    take(queue, 1).await.pop().expect("a job")
}

/// Takes at most `n` jobs, and returns their ids.
pub(crate) async fn ids(queue: &Queue, n: usize) -> Vec<String> {
    let taken = take(queue, n).await;
    taken.iter().map(|it| it.id().to_string()).collect()
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Runs each test on every store, with time that the test moves.
macro_rules! on_every_store {
    ($($(#[$doc:meta])* async fn $name:ident($world:ident: World) $body:block)*) => {
        $($(#[$doc])* async fn $name($world: $crate::support::World) $body)*

        mod memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::support::World::memory().await).await;
            })*
        }

        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::support::World::redis().await).await;
            })*
        }
    };
}
pub(crate) use on_every_store;
