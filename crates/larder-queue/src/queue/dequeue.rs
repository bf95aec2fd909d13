use std::task::Poll;
use std::time::Duration;

use larder_store::program::Program;
use larder_store::{Error, ErrorKind, Result};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::Queue;
use crate::body::Body;
use crate::record::{Dequeue, Leased, QueueRecord, Taken};
use crate::{Delivery, JobId, Receipt};

/// The maximum number of jobs that one round trip takes or settles: 128.
///
/// It takes a megabyte of them at most, unless the first is longer. Among a million jobs, a step that settles and takes
/// 128 costs the server 1 to 2.5 ms.
pub const MAX_BATCH: usize = 128;

/// Returns how many of `n` jobs one step takes.
pub(super) fn batch(n: usize) -> u32 {
    n.min(MAX_BATCH) as u32
}

impl Queue {
    /// Takes at most `n` available jobs, and at most [`MAX_BATCH`] or a megabyte of them. One round trip.
    ///
    /// Take no more than you work on at once: the leases of all begin now.
    ///
    /// # Errors
    /// Those of the store. After [`ErrorKind::MayHaveRun`](larder_store::ErrorKind::MayHaveRun) some jobs
    /// may be leased without a holder: they are taken again when their leases end, and the attempt is counted.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    ///
    /// # Cancellation
    /// Jobs that a dropped call has taken are released in the background, uncounted.
    pub async fn dequeue(&self, n: usize) -> Result<Vec<Delivery>> {
        Ok(self.take(n).await?.0)
    }

    /// Takes at most `n` jobs, and waits at most `within` until there is one. The list is empty if that time is
    /// over.
    ///
    /// It takes one round trip if there is a job, and three more before it waits. All tasks that wait on clones
    /// of one queue share a subscription; an enqueue wakes each idle process once, which then looks once, and a
    /// task that leaves jobs behind wakes the next.
    ///
    /// # Errors
    /// Those of [`dequeue`](Self::dequeue).
    ///
    /// # Panics
    /// Outside a tokio runtime with the time driver enabled.
    ///
    /// # Cancellation
    /// Jobs that a dropped call has taken are released in the background, uncounted. No wake is lost.
    pub async fn dequeue_wait(&self, n: usize, within: Duration) -> Result<Vec<Delivery>> {
        let (deliveries, _) = self.take(n).await?;
        if !deliveries.is_empty() || n == 0 {
            return Ok(deliveries);
        }
        let until = Instant::now().checked_add(within);
        let waiting = self.take_when_woken(n);
        match until {
            // When the time is up, the call is dropped, and releases what it has taken.
            Some(until) => timeout_at(until, waiting).await.unwrap_or(Ok(Vec::new())),
            None => waiting.await,
        }
    }

    async fn take_when_woken(&self, n: usize) -> Result<Vec<Delivery>> {
        // One task of the process waits at the store; the others wait for its turn.
        let mut turn = self.idle.turn().await;
        turn.begin(&*self.waits, &self.key).await?;
        loop {
            let (deliveries, next_in) = self.take(n).await?;
            if !deliveries.is_empty() {
                return Ok(deliveries);
            }
            let lease = Duration::from(self.settings.lease);
            turn.wait(next_in.unwrap_or(lease).min(lease)).await;
        }
    }

    /// Takes jobs. If there are none, returns the time until there may be some.
    pub(crate) async fn take(&self, n: usize) -> Result<(Vec<Delivery>, Option<Duration>)> {
        if n == 0 {
            return Ok((Vec::new(), None));
        }
        let dequeue = Dequeue {
            settings: self.settings,
            many: batch(n),
        };
        let taken = match self.programs.run_now(&self.key, &dequeue) {
            Poll::Ready(taken) => taken?,
            Poll::Pending => self.in_background(dequeue, |taken| taken).await?,
        };
        Ok(self.deliveries(taken))
    }

    /// Returns the taken jobs, and if there are none, the time until there may be some.
    pub(super) fn deliveries(&self, taken: Taken) -> (Vec<Delivery>, Option<Duration>) {
        let mut next_in = taken
            .next_in
            .map(|micros| Duration::from_micros(micros.unsigned_abs()));
        if taken.unreadable > 0 {
            self.unreadable.increment(taken.unreadable);
            tracing::warn!(
                queue = self.name(),
                count = taken.unreadable,
                "jobs cannot be read, and become dead letters after their last attempt"
            );
            // Other jobs may be waiting behind them.
            next_in = Some(Duration::ZERO);
        }
        let (at, ends) = (taken.at, taken.lease_ends);
        let deliveries = taken
            .jobs
            .into_iter()
            .map(|leased| self.delivery(leased, at, ends));
        (deliveries.collect(), next_in)
    }

    /// Runs the step in a task of its own, so that no job stays leased to a caller that was dropped.
    pub(super) async fn in_background<P>(
        &self,
        program: P,
        taken: fn(&P::Reply) -> &Taken,
    ) -> Result<P::Reply>
    where
        P: Program<Record = QueueRecord> + 'static,
        P::Reply: Sync,
    {
        let (answer, receiver) = oneshot::channel();
        let queue = self.clone();
        tokio::spawn(async move {
            let reply = queue.run(&program).await;
            if let Err(Ok(reply)) = answer.send(reply) {
                queue.give_back(queue.receipts(taken(&reply))).await;
            }
        });
        let mut answer = Answer {
            receiver,
            queue: self,
            taken,
        };
        (&mut answer.receiver).await.unwrap_or_else(|_| {
            let text = "the runtime is shutting down, and the outcome of the step is unknown";
            Err(Error::new("dequeue", ErrorKind::MayHaveRun, text))
        })
    }

    fn receipts(&self, taken: &Taken) -> Vec<Receipt> {
        taken.jobs.iter().map(|it| self.receipt(it)).collect()
    }

    async fn give_back(&self, receipts: Vec<Receipt>) {
        if !receipts.is_empty() {
            // If it fails, the leases end by themselves.
            let _ = self.release_many(&receipts).await;
        }
    }

    fn delivery(
        &self,
        leased: Leased,
        at: larder_store::Timestamp,
        ends: larder_store::Timestamp,
    ) -> Delivery {
        Delivery {
            receipt: self.receipt(&leased),
            body: Body::open(&self.key, &leased.body),
            attempt: leased.attempt,
            group: leased.group,
            enqueued_at: leased.enqueued_at,
            due_at: leased.due_at,
            taken_at: at,
            lease_ends: ends,
        }
    }

    fn receipt(&self, leased: &Leased) -> Receipt {
        Receipt {
            id: JobId::known(leased.id.clone()),
            fence: leased.fence,
            partition: self.partition,
        }
    }
}

/// The answer to a step that takes jobs. Jobs that a dropped caller has not seen are given back.
struct Answer<'a, R> {
    receiver: oneshot::Receiver<Result<R>>,
    queue: &'a Queue,
    taken: fn(&R) -> &Taken,
}

impl<R> Drop for Answer<'_, R> {
    fn drop(&mut self) {
        // An answer that has not arrived stays with its sender, which gives it back.
        self.receiver.close();
        if let Ok(Ok(reply)) = self.receiver.try_recv()
            && let Ok(runtime) = Handle::try_current()
        {
            let receipts = self.queue.receipts((self.taken)(&reply));
            let queue = self.queue.clone();
            runtime.spawn(async move { queue.give_back(receipts).await });
        }
    }
}
