//! A queue over several shards: partitions, each a queue of its own.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::{join_all, select_all};
use larder_store::{Error, ErrorKind, Result, Store};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::{Delivery, Enqueued, NewJob, Queue, Receipt, Settled, Verdict};

/// A queue that is spread over partitions, for more jobs than one shard of a cluster can take.
///
/// Each partition is a [`Queue`] under a key of its own. A job goes to the partition of its unique key, without
/// one to that of its group, and without either to that of its id. Uniqueness, turns and order therefore hold
/// within a partition, which all jobs of a key or a group share; priorities, limits and rates apply to each
/// partition separately. A job with both a key and a group goes by its key, and takes turns only with those of
/// its group in the same partition.
///
/// Partitions are numbered, and keep their jobs if you change the number of partitions. If you add one to `n`,
/// about one in `n + 1` of the keys and groups moves to it, without the jobs that wait elsewhere: until those
/// have run, such a key may not be unique and such a group not in order. To remove some, stop enqueueing to
/// them, and let workers empty them.
///
/// Run a worker on each of the [`queues`](Self::queues), or take jobs from all of them with `dequeue`.
#[derive(Clone, Debug)]
pub struct Partitioned {
    queues: Arc<[Queue]>,
    /// The partition at which the next dequeue begins.
    turn: Arc<AtomicUsize>,
}

impl Partitioned {
    /// Makes the queue `name` on `store`, with this many partitions.
    ///
    /// # Errors
    /// Those of [`Queue::new`].
    pub fn new(store: Arc<dyn Store>, name: &str, partitions: NonZeroU16) -> Result<Self> {
        let queue = |number: u16| Queue::partition(store.clone(), name, number);
        let queues: Result<Arc<[_]>> = (0..partitions.get()).map(queue).collect();
        Ok(Self {
            queues: queues?,
            turn: Arc::default(),
        })
    }

    /// Configures each partition, by the `with_` methods of [`Queue`].
    #[must_use]
    pub fn with(self, setting: impl Fn(Queue) -> Queue) -> Self {
        let queues = self.queues.iter().cloned().map(setting).collect();
        Self { queues, ..self }
    }

    /// Returns the partitions.
    pub fn queues(&self) -> &[Queue] {
        &self.queues
    }

    /// Returns the partition that a delivery came from, to settle it there.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the receipt is from a queue with more partitions.
    pub fn queue_of(&self, receipt: &Receipt) -> Result<&Queue> {
        self.queues
            .get(usize::from(receipt.partition))
            .ok_or_else(|| {
                let text = "the receipt is from a queue with more partitions: settle it there";
                Error::new("settle", ErrorKind::Invalid, text)
            })
    }

    /// Returns the partition of a job.
    pub fn queue_for(&self, job: &NewJob) -> &Queue {
        let key = match (&job.unique, &job.group) {
            (Some((key, _)), _) => key,
            (None, Some(group)) => group,
            (None, None) => job.id.text(),
        };
        &self.queues[highest(key.as_bytes(), self.queues.len())]
    }

    /// Adds a job to its partition. One round trip.
    ///
    /// # Errors
    /// Those of [`Queue::enqueue`].
    ///
    /// # Cancellation
    /// The job may or may not have been added.
    pub async fn enqueue(&self, job: impl Into<NewJob>) -> Result<Enqueued> {
        let job = job.into();
        self.queue_for(&job).enqueue(job).await
    }

    /// Adds jobs to their partitions concurrently, with a result for each.
    ///
    /// Jobs of one partition keep their order.
    ///
    /// # Errors
    /// Each result has those of [`Queue::enqueue`].
    ///
    /// # Cancellation
    /// Each of them may or may not have been added.
    pub async fn enqueue_many<I>(&self, jobs: I) -> Vec<Result<Enqueued>>
    where
        I: IntoIterator<Item: Into<NewJob>>,
    {
        let mut of_queue: Vec<_> = self
            .queues
            .iter()
            .map(|_| (Vec::new(), Vec::new()))
            .collect();
        for (at, job) in jobs.into_iter().enumerate() {
            let job = job.into();
            let (places, jobs) = &mut of_queue[usize::from(self.queue_for(&job).number())];
            places.push(at);
            jobs.push(job);
        }
        let added = of_queue.into_iter().zip(&*self.queues);
        let added = added.map(
            async |((places, jobs), queue): ((Vec<usize>, Vec<NewJob>), &Queue)| {
                places.into_iter().zip(queue.enqueue_many(jobs).await)
            },
        );
        let mut results: Vec<_> = join_all(added).await.into_iter().flatten().collect();
        results.sort_by_key(|(at, _)| *at);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// Takes at most `n` jobs, from one partition after the other.
    ///
    /// It takes one round trip for each partition that it visits. The next call begins with the next partition.
    ///
    /// # Errors
    /// The first error of a partition, as for [`Queue::dequeue`], if no other partition has a job.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    ///
    /// # Cancellation
    /// Jobs that were already taken from a partition are taken again when their leases end.
    pub async fn dequeue(&self, n: usize) -> Result<Vec<Delivery>> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let (mut taken, mut failure) = (Vec::new(), None);
        for at in 0..self.queues.len() {
            if taken.len() >= n {
                break;
            }
            let queue = &self.queues[first.wrapping_add(at) % self.queues.len()];
            match queue.dequeue(n - taken.len()).await {
                Ok(more) => taken.extend(more),
                // The shard of one partition may be down while others have jobs.
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        match failure {
            Some(error) if taken.is_empty() => Err(error),
            _ => Ok(taken),
        }
    }

    /// Takes at most `n` jobs from one partition, and waits up to `within` until a partition has a job.
    ///
    /// It waits for all partitions at once.
    ///
    /// # Errors
    /// The first error of a partition, as for [`Queue::dequeue`], once the time is over or all have failed.
    ///
    /// # Panics
    /// Outside a tokio runtime with the time driver enabled.
    ///
    /// # Cancellation
    /// Jobs that a dropped call has taken are released in the background, uncounted.
    pub async fn dequeue_wait(&self, n: usize, within: Duration) -> Result<Vec<Delivery>> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let calls = (0..self.queues.len()).map(|at| {
            let queue = &self.queues[first.wrapping_add(at) % self.queues.len()];
            Box::pin(queue.dequeue_wait(n, within))
        });
        let (mut calls, mut failure): (Vec<_>, _) = (calls.collect(), None);
        while !calls.is_empty() {
            let (taken, _, others) = select_all(calls).await;
            calls = others;
            match taken {
                // The other calls are dropped, and give back the jobs that they may take.
                Ok(taken) if !taken.is_empty() => return Ok(taken),
                Ok(_) => {}
                // The shard of one partition may be down while others have jobs.
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(Vec::new()), Err)
    }

    /// Carries out verdicts in their partitions concurrently, with a result for each.
    ///
    /// # Errors
    /// The first error of the store, and those of [`queue_of`](Self::queue_of). Others may have been carried out.
    ///
    /// # Cancellation
    /// Each may or may not have been carried out.
    pub async fn settle_many(&self, verdicts: &[(Receipt, Verdict)]) -> Result<Vec<Settled>> {
        let mut of_queue: Vec<_> = self
            .queues
            .iter()
            .map(|_| (Vec::new(), Vec::new()))
            .collect();
        for (at, verdict) in verdicts.iter().enumerate() {
            let number = self.queue_of(&verdict.0)?.number();
            let (places, verdicts) = &mut of_queue[usize::from(number)];
            places.push(at);
            verdicts.push(verdict.clone());
        }
        type Share = (Vec<usize>, Vec<(Receipt, Verdict)>);
        let settled = of_queue.into_iter().zip(&*self.queues);
        let settled = settled.map(async |((places, verdicts), queue): (Share, &Queue)| {
            let settled = queue.settle_many(&verdicts).await?;
            Ok::<_, Error>(places.into_iter().zip(settled))
        });
        let settled: Result<Vec<_>> = join_all(settled).await.into_iter().collect();
        let mut settled: Vec<_> = settled?.into_iter().flatten().collect();
        settled.sort_by_key(|(at, _)| *at);
        Ok(settled.into_iter().map(|(_, settled)| settled).collect())
    }
}

/// Returns the partition of `many` with the highest hash together with the key (rendezvous hashing).
fn highest(key: &[u8], many: usize) -> usize {
    let hash = |at: &usize| xxh3_64_with_seed(key, *at as u64);
    (0..many).max_by_key(hash).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::highest;

    #[test]
    fn one_more_partition_moves_its_share_of_keys_and_no_others() {
        let keys: Vec<_> = (0..20_000_u32).map(u32::to_le_bytes).collect();
        let mut counts = [0; 5];
        let mut moved = 0;
        for key in &keys {
            let (four, five) = (highest(key, 4), highest(key, 5));
            counts[five] += 1;
            assert!(four == five || five == 4);
            moved += usize::from(four != five);
        }
        assert!((3_800..4_200).contains(&moved), "{moved}");
        assert!(
            counts.iter().all(|count| (3_800..4_200).contains(count)),
            "{counts:?}"
        );
    }
}
