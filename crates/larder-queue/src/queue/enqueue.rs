use std::time::{Duration, SystemTime};

use larder_store::{Error, ErrorKind, Refusal, Result};
use tracing::Instrument;

use super::Queue;
use crate::body::Body;
use crate::record::{Added, Enqueue, Item, STEP_BYTES};
use crate::{Enqueued, Job, NewJob};

/// The number of jobs that one step adds, which limits its duration.
const CHUNK: usize = 128;

impl Queue {
    /// Adds a job: a reference to one, or a [`NewJob`] with options. One round trip.
    ///
    /// # Errors
    /// Those of the store; [`ErrorKind::Invalid`] if an option is out of bounds or the job cannot be
    /// encoded; [`ErrorKind::TooLarge`] if the payload is too large; [`Refusal::Full`] if the queue is full.
    /// After [`ErrorKind::MayHaveRun`] send the same [`NewJob`] again: if the first one was carried out, the
    /// answer is [`Duplicate`](Enqueued::Duplicate) with its own id. That holds while the job lives, and for
    /// [`with_retention`](Self::with_retention) afterwards unless [`with_max_done`](Self::with_max_done) later jobs
    /// are done by then, 10,000 by default.
    ///
    /// # Cancellation
    /// The job may or may not have been added. Keep the [`NewJob`] to send it again.
    pub async fn enqueue(&self, job: impl Into<NewJob>) -> Result<Enqueued> {
        let item = self.item(&job.into())?;
        let mut added = self.add(vec![item]).await?;
        outcome(added.pop())
    }

    /// Adds a job that may be taken after the delay, like [`NewJob::with_delay`]. One round trip.
    ///
    /// # Errors
    /// Those of [`enqueue`](Self::enqueue).
    ///
    /// # Cancellation
    /// The job may or may not have been added.
    pub async fn enqueue_in<J: Job>(&self, job: &J, delay: Duration) -> Result<Enqueued> {
        let job = NewJob::new(job).with_delay(delay);
        self.enqueue(job).await
    }

    /// Adds a job that may be taken from a given time on, like [`NewJob::with_at`]. One round trip.
    ///
    /// # Errors
    /// Those of [`enqueue`](Self::enqueue).
    ///
    /// # Cancellation
    /// The job may or may not have been added.
    pub async fn enqueue_at<J: Job>(&self, job: &J, time: SystemTime) -> Result<Enqueued> {
        let job = NewJob::new(job).with_at(time);
        self.enqueue(job).await
    }

    /// Adds jobs in order, with a result for each. One round trip per 128 jobs or megabyte.
    ///
    /// A job that is refused does not hold up those after it.
    ///
    /// # Errors
    /// Each result has those of [`enqueue`](Self::enqueue).
    ///
    /// # Cancellation
    /// Each of them may or may not have been added.
    pub async fn enqueue_many<I>(&self, jobs: I) -> Vec<Result<Enqueued>>
    where
        I: IntoIterator<Item: Into<NewJob>>,
    {
        let items: Vec<_> = jobs.into_iter().map(|job| self.item(&job.into())).collect();
        let mut results = Vec::with_capacity(items.len());
        let mut chunk = Chunk::default();
        for item in items {
            match item {
                Ok(item) => {
                    if chunk.is_full_with(&item) {
                        self.add_chunk(&mut chunk, &mut results).await;
                    }
                    chunk.push(item);
                }
                Err(error) => {
                    self.add_chunk(&mut chunk, &mut results).await;
                    results.push(Err(error));
                }
            }
        }
        self.add_chunk(&mut chunk, &mut results).await;
        results
    }

    async fn add_chunk(&self, chunk: &mut Chunk, results: &mut Vec<Result<Enqueued>>) {
        let items = std::mem::take(chunk).items;
        if items.is_empty() {
            return;
        }
        let many = items.len();
        match self.add(items).await {
            Ok(added) => {
                let mut added = added.into_iter();
                results.extend((0..many).map(|_| outcome(added.next())));
            }
            Err(error) => results.extend((0..many).map(|_| Err(again(&error)))),
        }
    }

    async fn add(&self, items: Vec<Item>) -> Result<Vec<Added>> {
        let enqueue = Enqueue {
            settings: self.settings,
            items,
        };
        let span = tracing::debug_span!(
            "send",
            otel.name = %format_args!("send {}", self.name()),
            otel.kind = "producer",
            messaging.system = "larder",
            messaging.operation.name = "send",
            messaging.operation.r#type = "send",
            messaging.destination.name = self.name(),
            messaging.batch.message_count = enqueue.items.len() as u64,
        );
        let added = self.run(&enqueue).instrument(span).await?;
        let new = added.iter().filter(|added| matches!(added, Added::New(_)));
        self.enqueued.increment(new.count() as u64);
        Ok(added)
    }

    fn item(&self, job: &NewJob) -> Result<Item> {
        let invalid = |text| Error::new("enqueue", ErrorKind::Invalid, text);
        job.check()?;
        let payload = job.payload.clone().map_err(invalid)?;
        let headers = job.headers.iter();
        let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
        if payload.len() + headers > self.max_payload {
            let text = format!(
                "a payload of this queue has at most {} bytes with its headers: store large data elsewhere, \
                 and enqueue its id",
                self.max_payload
            );
            return Err(Error::new("enqueue", ErrorKind::TooLarge, text));
        }
        let body = Body {
            name: job.name.clone(),
            headers: job.headers.clone(),
            payload,
        };
        let body = body.seal(&self.key).ok_or_else(|| {
            invalid("a job name must be 1 to 255 bytes, and a header's name and value less than 64 KiB each")
        })?;
        Ok(Item::new(job, body.into()))
    }
}

#[derive(Default)]
struct Chunk {
    items: Vec<Item>,
    bytes: usize,
}

impl Chunk {
    fn is_full_with(&self, item: &Item) -> bool {
        let bytes = self.bytes + item.body.len();
        self.items.len() >= CHUNK || (!self.items.is_empty() && bytes > STEP_BYTES)
    }

    fn push(&mut self, item: Item) {
        self.bytes += item.body.len();
        self.items.push(item);
    }
}

fn outcome(added: Option<Added>) -> Result<Enqueued> {
    match added {
        Some(Added::New(id)) => Ok(Enqueued::New(id)),
        Some(Added::Duplicate(id)) => Ok(Enqueued::Duplicate(id)),
        Some(Added::Full) => Err(Error::new(
            "enqueue",
            ErrorKind::Refused(Refusal::Full),
            "the queue has reached its maximum number of jobs or unique keys: see with_max_jobs",
        )),
        None => Err(Error::new(
            "enqueue",
            ErrorKind::MayHaveRun,
            "the store answered for fewer jobs than were sent",
        )),
    }
}

/// Copies the error for another job of the step.
pub(super) fn again(error: &Error) -> Error {
    Error::new(
        "enqueue",
        error.kind(),
        "the batch that this job was in failed",
    )
}
