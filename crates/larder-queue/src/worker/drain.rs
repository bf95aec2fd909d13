use larder_store::Result;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::report::Finished;
use super::{JobContext, JobError, JobRequest, Worker};
use crate::body::Body;
use crate::{Delivery, NewJob, Receipt};

/// The outcomes of the jobs that [`Worker::drain`] ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Jobs that are done.
    pub done: u64,
    /// Attempts that failed, after which the job is tried again.
    pub failed: u64,
    /// Jobs that became dead letters.
    pub dead: u64,
    /// Runs whose handler has snoozed the job, and jobs that were given back to the queue.
    pub snoozed: u64,
    /// Runs whose lease was lost, or whose outcome did not reach the queue.
    pub lost: u64,
}

impl Drained {
    pub(super) fn count(&mut self, finished: Finished) {
        match finished {
            Finished::Done => self.done += 1,
            Finished::Failed => self.failed += 1,
            Finished::Dead => self.dead += 1,
            Finished::Snoozed | Finished::Released => self.snoozed += 1,
            Finished::LeaseLost | Finished::Abandoned => self.lost += 1,
        }
    }
}

impl Worker {
    /// Runs jobs until none is due on any queue, and returns their outcomes. For tests.
    ///
    /// It does not wait: jobs that are due later, or retried later, are left. Advance the store's clock,
    /// and drain again.
    ///
    /// # Errors
    /// Those of [`Queue::dequeue`](crate::Queue::dequeue), and
    /// [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) if jobs of one name have two handlers.
    ///
    /// # Cancellation
    /// Dropping the future drops the handlers; their jobs are available when their leases end.
    pub async fn drain(&self) -> Result<Drained> {
        let running = self.running("drain")?;
        let (links, _background) = running.link(&self.queues);
        let _guard = running.drop_guard();
        loop {
            let mut found = false;
            for link in &links {
                loop {
                    let places = running.free_places().await;
                    let started = Instant::now();
                    let taken = link.queue.dequeue(places.len()).await?;
                    if taken.is_empty() {
                        break;
                    }
                    found = true;
                    running.begin(link, taken, places, started).await;
                }
            }
            running.all_done().await;
            if !found {
                return Ok(*running.drained());
            }
        }
    }

    /// Runs one job at once, through the layers to its handler, without a queue. For tests.
    ///
    /// It is the first attempt of the job. A delay, a group and the like have no effect.
    ///
    /// # Errors
    /// The handler's error, or a [dead](JobError::dead) one if jobs of one name have two handlers. A panic is not
    /// caught.
    pub async fn run_inline(&self, job: impl Into<NewJob>) -> Result<(), JobError> {
        self.check("run_inline").map_err(JobError::dead)?;
        let job = job.into();
        let payload = job.payload.map_err(JobError::dead)?;
        let now = larder_store::Timestamp::default();
        let body = Body {
            name: job.name,
            headers: job.headers,
            payload,
        };
        let delivery = Delivery {
            receipt: Receipt {
                id: job.id,
                fence: 0,
                partition: 0,
            },
            body: Ok(body),
            attempt: 1,
            group: job.group,
            enqueued_at: now,
            due_at: now,
            taken_at: now,
            lease_ends: now,
        };
        let queue = self.queues[0].clone();
        let context = JobContext::new(queue, delivery, None, CancellationToken::new());
        self.service().run(JobRequest::new(context)).await
    }
}
