//! The queue of most tests, and its jobs.

use std::time::Duration;

use larder_queue::{Delivery, Enqueued, Job, JobId, NewJob, Queue};
use larder_worlds::World;
use serde::{Deserialize, Serialize};

pub(crate) fn queue_of(world: &World) -> Queue {
    Queue::new(world.store.clone(), "test").unwrap()
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
    NewJob::new(&mail(to)).with_id(JobId::new(to).unwrap())
}

/// Adds a job, and fails if it is not new.
pub(crate) async fn add(queue: &Queue, job: NewJob) {
    let id = job.id().clone();
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
