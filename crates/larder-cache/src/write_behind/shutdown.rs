use std::sync::atomic::Ordering;
use std::time::Duration;

use larder_store::Result;
use tokio::time::{Instant, timeout_at};

use super::journal::InspectJournal;
use super::worker::work;
use super::{Shared, WriteBehind};
use crate::CacheKey;
use crate::builder::MAX_TIMEOUT;

/// The writes that a [`shutdown`](WriteBehind::shutdown) leaves in the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unwritten {
    /// The writes that wait, or are being carried out by another process.
    pub waiting: u64,
    /// The dead letters.
    pub dead: u64,
}

impl<K: CacheKey, V: Send + Sync + 'static> WriteBehind<K, V> {
    /// Accepts no more writes, carries out those that wait, and reports what is left.
    ///
    /// It returns when the journal is empty, or after `within` at the latest. What is left waits in
    /// the journal for another process, or for the next start.
    ///
    /// # Errors
    /// Those of the store, if it does not say what is left.
    ///
    /// # Cancellation
    /// A dropped call leaves the journal shut down. Writes that it was carrying out itself, as it does
    /// [without a worker](super::WriteBehindBuilder::without_worker), are taken again when their take
    /// ends.
    pub async fn shutdown(&self, within: Duration) -> Result<Unwritten> {
        let shared = &self.shared;
        let deadline = Instant::now() + within.min(MAX_TIMEOUT);
        shared.is_closed.store(true, Ordering::Release);
        shared.work.notify_one();
        let mut worker = shared.worker.lock().take();
        let flush = async {
            let has_worked = match &mut worker {
                Some(worker) => worker.await.is_ok(),
                None => false,
            };
            if !has_worked {
                work(|| Some(shared.clone()), shared.work.clone()).await;
            }
        };
        // What is left is reported, whether the time was enough or not.
        if timeout_at(deadline, flush).await.is_err()
            && let Some(worker) = worker
        {
            worker.abort();
        }
        shared.unwritten().await
    }

    /// Returns what waits in the journal now. One round trip.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn unwritten(&self) -> Result<Unwritten> {
        self.shared.unwritten().await
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
