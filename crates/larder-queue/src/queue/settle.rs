use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use larder_store::{Result, Ttl};

use super::dequeue::batch;
use super::{MAX_BATCH, Queue};
use crate::new_job::{MAX_DELAY, micros};
use crate::record::{Decision, Operation, Settle};
use crate::{Delivery, Receipt, Settled, Verdict};

/// The number of bytes of a reason or a progress that are kept.
const MAX_TEXT: usize = 256;

impl Queue {
    /// Acknowledges a job: it is done, and leaves the queue. One round trip.
    ///
    /// # Errors
    /// Those of the store. After [`ErrorKind::MayHaveRun`](larder_store::ErrorKind::MayHaveRun) send it
    /// again: [`Settled::AlreadyDone`] then means that it was carried out, or that another holder was
    /// faster.
    ///
    /// # Cancellation
    /// The acknowledgement may or may not have been carried out.
    pub async fn ack(&self, receipt: &Receipt) -> Result<Settled> {
        self.settle(receipt, Verdict::Ack).await
    }

    /// Acknowledges jobs, with a result for each. One round trip per 128 jobs.
    ///
    /// # Errors
    /// Those of [`ack`](Self::ack).
    ///
    /// # Cancellation
    /// Each may or may not have been carried out.
    pub async fn ack_many(&self, receipts: &[Receipt]) -> Result<Vec<Settled>> {
        self.settle_each(receipts, &Verdict::Ack).await
    }

    /// Gives a failed job back, to be taken again after the delay. One round trip.
    ///
    /// After its last attempt it becomes a dead letter instead: [`Settled::Dead`]. To store a reason, use
    /// [`settle`](Self::settle).
    ///
    /// # Errors
    /// Those of the store.
    ///
    /// # Cancellation
    /// It may or may not have been carried out.
    pub async fn nack(&self, receipt: &Receipt, delay: Duration) -> Result<Settled> {
        let reason = String::new();
        self.settle(receipt, Verdict::Nack { delay, reason }).await
    }

    /// Makes a job a dead letter, with a reason for people. One round trip.
    ///
    /// # Errors
    /// Those of the store.
    ///
    /// # Cancellation
    /// It may or may not have been carried out.
    pub async fn reject(&self, receipt: &Receipt, reason: &str) -> Result<Settled> {
        let reason = reason.to_owned();
        self.settle(receipt, Verdict::Reject { reason }).await
    }

    /// Releases a job without working on it: it is available at once, and the attempt is not counted. One
    /// round trip.
    ///
    /// # Errors
    /// Those of the store.
    ///
    /// # Cancellation
    /// It may or may not have been carried out.
    pub async fn release(&self, receipt: &Receipt) -> Result<Settled> {
        let delay = Duration::ZERO;
        self.settle(receipt, Verdict::Release { delay }).await
    }

    /// Releases jobs without working on them, with a result for each. One round trip per 128 jobs.
    ///
    /// # Errors
    /// Those of the store.
    ///
    /// # Cancellation
    /// Each may or may not have been carried out.
    pub async fn release_many(&self, receipts: &[Receipt]) -> Result<Vec<Settled>> {
        let delay = Duration::ZERO;
        self.settle_each(receipts, &Verdict::Release { delay })
            .await
    }

    /// Extends a lease, so that it ends `lease` from now. One round trip.
    ///
    /// The receipt stays valid. The call works until the job is reclaimed, even if the lease has just ended.
    ///
    /// # Errors
    /// Those of the store.
    ///
    /// # Cancellation
    /// It may or may not have been carried out.
    pub async fn extend(&self, receipt: &Receipt, lease: Ttl) -> Result<Settled> {
        self.settle(receipt, Verdict::Extend { lease }).await
    }

    /// Extends leases, with a result for each. One round trip per 128 jobs.
    ///
    /// # Errors
    /// Those of the store.
    ///
    /// # Cancellation
    /// Each may or may not have been carried out.
    pub async fn extend_many(&self, receipts: &[Receipt], lease: Ttl) -> Result<Vec<Settled>> {
        self.settle_each(receipts, &Verdict::Extend { lease }).await
    }

    /// Carries out a verdict on a delivery. One round trip.
    ///
    /// # Errors
    /// Those of the store.
    ///
    /// # Cancellation
    /// It may or may not have been carried out.
    pub async fn settle(&self, receipt: &Receipt, verdict: Verdict) -> Result<Settled> {
        let settled = self.settle_all([(receipt, &verdict)]).await?;
        Ok(settled.first().copied().unwrap_or(Settled::LeaseLost))
    }

    /// Carries out verdicts of any kind, in order, with a result for each.
    ///
    /// It takes one round trip per 128 jobs. One that is refused does not hold up the others.
    ///
    /// # Errors
    /// Those of the store. With more than 128 verdicts, those of earlier round trips were carried out.
    ///
    /// # Cancellation
    /// Each may or may not have been carried out.
    pub async fn settle_many(&self, verdicts: &[(Receipt, Verdict)]) -> Result<Vec<Settled>> {
        let verdicts = verdicts.iter().map(|(receipt, verdict)| (receipt, verdict));
        self.settle_all(verdicts).await
    }

    async fn settle_each(&self, receipts: &[Receipt], verdict: &Verdict) -> Result<Vec<Settled>> {
        let verdicts = receipts.iter().map(|receipt| (receipt, verdict));
        self.settle_all(verdicts).await
    }

    async fn settle_all(
        &self,
        verdicts: impl IntoIterator<Item = (&Receipt, &Verdict)>,
    ) -> Result<Vec<Settled>> {
        let decisions = verdicts.into_iter();
        let decisions: Vec<_> = decisions
            .map(|(it, verdict)| decision(it, verdict))
            .collect();
        let mut settled = Vec::with_capacity(decisions.len());
        for chunk in decisions.chunks(MAX_BATCH) {
            let settle = self.settling(chunk.to_vec(), 0);
            settled.extend(self.run(&settle).await?.settled);
        }
        Ok(settled)
    }

    /// Carries out verdicts of any kind, and takes at most `n` new jobs, in one round trip.
    ///
    /// It does the work of [`settle_many`](Self::settle_many) and [`dequeue`](Self::dequeue) for half the
    /// cost: use it in a loop. It takes one more round trip for each further 128 verdicts.
    ///
    /// # Errors
    /// Those of both. After [`ErrorKind::MayHaveRun`](larder_store::ErrorKind::MayHaveRun) send the verdicts
    /// again; some jobs may be leased without a holder, and are taken again when their leases end.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    ///
    /// # Cancellation
    /// Each verdict may or may not have been carried out. Jobs that a dropped call has taken are released in
    /// the background, uncounted.
    pub async fn settle_and_dequeue(
        &self,
        verdicts: &[(Receipt, Verdict)],
        n: usize,
    ) -> Result<(Vec<Settled>, Vec<Delivery>)> {
        let split = verdicts.len().saturating_sub(MAX_BATCH);
        let (earlier, last) = verdicts.split_at(split);
        let mut settled = self.settle_many(earlier).await?;
        let last = last
            .iter()
            .map(|(receipt, verdict)| decision(receipt, verdict));
        let settle = self.settling(last.collect(), n);
        let exchanged = match self.programs.run_now(&self.key, &settle) {
            Poll::Ready(exchanged) => exchanged?,
            Poll::Pending => self.in_background(settle, |it| &it.taken).await?,
        };
        settled.extend(exchanged.settled);
        Ok((settled, self.deliveries(exchanged.taken).0))
    }

    fn settling(&self, decisions: Vec<Decision>, take: usize) -> Settle {
        Settle {
            settings: self.settings,
            decisions,
            take: batch(take),
        }
    }
}

fn decision(receipt: &Receipt, verdict: &Verdict) -> Decision {
    let delayed = |delay: &Duration| micros((*delay).min(MAX_DELAY));
    let (operation, micros, text) = match verdict {
        Verdict::Ack => (Operation::Ack, 0, ""),
        Verdict::Nack { delay, reason } => (Operation::Nack, delayed(delay), reason.as_str()),
        Verdict::Reject { reason } => (Operation::Reject, 0, reason.as_str()),
        Verdict::Release { delay } => (Operation::Release, delayed(delay), ""),
        Verdict::Extend { lease } => {
            let lease = lease.as_micros().min(delayed(&MAX_DELAY));
            (Operation::Extend, lease, "")
        }
        Verdict::Progress { text } => (Operation::Progress, 0, text.as_str()),
    };
    Decision {
        id: receipt.id.text().clone(),
        fence: receipt.fence,
        operation,
        micros,
        text: cut(text),
    }
}

/// Shortens a text for storage: without NUL, and cut between characters.
fn cut(text: &str) -> Arc<str> {
    let mut kept = String::new();
    for character in text.chars().filter(|character| *character != '\0') {
        if kept.len() + character.len_utf8() > MAX_TEXT {
            break;
        }
        kept.push(character);
    }
    match kept.is_empty() {
        true => Arc::default(),
        false => kept.into(),
    }
}
