use std::sync::atomic::Ordering;
use std::time::Duration;

use larder_store::Result;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout, timeout_at};

use super::journal::InspectJournal;
use super::worker::work;
use super::{Shared, WriteBehind};
use crate::CacheKey;
use crate::builder::MAX_TIMEOUT;
use crate::spawn::spawn;

/// The writes that a [`shutdown`](WriteBehind::shutdown) leaves in the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "it may say that writes are left in the journal"]
pub struct Unwritten {
    /// The writes that wait, are left for another release, or are being carried out by another process.
    pub waiting: u64,
    /// The dead letters.
    pub dead: u64,
}

impl<K: CacheKey, V: Send + Sync + 'static> WriteBehind<K, V> {
    /// Accepts no more writes, carries out those that wait, and reports what is left.
    ///
    /// It returns when no write is due, in progress or to be retried, in this process or another, or after `within`.
    /// Writes that are left for another release do not delay it, except those in the form of this one, such as one that
    /// is sealed by another key or too long: it is looked at every 5 s.
    ///
    /// Then it waits for the store to answer, for twice the store timeout at most, so that a write that is
    /// acknowledged meanwhile is reported too. The rest waits in the journal for another process, or for the next
    /// start. Writes in progress at that time go on in the background, for the write timeout at most.
    ///
    /// # Errors
    /// Those of the store, if it cannot report what is left.
    ///
    /// # Cancellation
    /// A dropped call leaves the journal shut down, as if its time was over.
    pub async fn shutdown(&self, within: Duration) -> Result<Unwritten> {
        let shared = &self.shared;
        let deadline = Instant::now() + within.min(MAX_TIMEOUT);
        shared.is_closed.store(true, Ordering::SeqCst);
        // An earlier call may have had too little time.
        shared.is_stopped.store(false, Ordering::Release);
        shared.work.notify_one();
        let worker = shared.worker.lock().take();
        let flush = async {
            shared.pushes.ended().await;
            // The worker may have looked before they ended.
            shared.work.notify_one();
            let has_worked = match worker {
                Some(worker) => worker.await.is_ok(),
                None => false,
            };
            if !has_worked {
                let carrying = shared.clone();
                let worker = work(move || Some(carrying.clone()), shared.work.clone());
                // In a task of its own, which finishes what it has begun.
                let _ = spawn(&Handle::current(), worker).await;
            }
        };
        let stop = Stop(shared);
        // The remaining writes are reported, whether the time was enough or not.
        let _ = timeout_at(deadline, flush).await;
        drop(stop);
        // A write that was accepted in time may still be on its way, and is reported too.
        let _ = timeout(shared.timeout.limit(), shared.pushes.ended()).await;
        shared.unwritten().await
    }

    /// Returns how many writes wait in the journal now, and how many dead letters it holds. One round trip.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn unwritten(&self) -> Result<Unwritten> {
        self.shared.unwritten().await
    }
}

/// Prevents further writes from beginning when it is dropped.
struct Stop<'a, K, V>(&'a Shared<K, V>);

impl<K, V> Drop for Stop<'_, K, V> {
    fn drop(&mut self) {
        self.0.is_stopped.store(true, Ordering::Release);
        self.0.work.notify_one();
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Shared<K, V> {
    async fn unwritten(&self) -> Result<Unwritten> {
        let journal = self.run(&InspectJournal).await?;
        let number = |name: &str| {
            let mut fields = journal.fields().iter();
            let field = fields.find(|(field, _)| field == name);
            field.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
        };
        Ok(Unwritten {
            waiting: number("waiting"),
            dead: number("dead"),
        })
    }
}
