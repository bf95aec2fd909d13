use std::sync::atomic::Ordering;
use std::time::Duration;

use larder_store::Result;
use tokio::time::{Instant, timeout_at};

use super::journal::InspectJournal;
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
    /// A dropped call leaves the journal shut down. Writes that it was carrying out are taken again
    /// when their take ends.
    pub async fn shutdown(&self, within: Duration) -> Result<Unwritten> {
        let shared = &*self.shared;
        let deadline = Instant::now() + within.min(MAX_TIMEOUT);
        shared.is_closed.store(true, Ordering::Release);
        shared.work.notify_one();
        let worker = shared.worker.lock().take();
        if let Some(mut worker) = worker
            && timeout_at(deadline, &mut worker).await.is_err()
        {
            worker.abort();
        }
        let flush = async {
            loop {
                let pause = match shared.round().await {
                    Ok(None) => return,
                    Ok(Some(next)) => next.min(shared.settings.poll),
                    Err(_) => shared.settings.first_pause,
                };
                tokio::time::sleep(pause).await;
            }
        };
        // What is left is reported, whether the time was enough or not.
        let _ = timeout_at(deadline, flush).await;
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
