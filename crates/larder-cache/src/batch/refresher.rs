use std::any::Any;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::Instant;

use super::{BatchLoader, run};
use crate::CacheKey;
use crate::leader::LoadTask;
use crate::spawn::spawn;

/// Gathers refreshes of single keys into batches.
pub(crate) struct Refresher<K, V> {
    load: BatchLoader<K, V>,
    max: usize,
    wait: Duration,
    /// The batch that is being gathered. Boxed, because flights have type bounds that this struct
    /// lacks.
    gathering: Mutex<Option<Sender<Box<dyn Any + Send>>>>,
}

impl<K: CacheKey, V: Send + Sync + 'static> Refresher<K, V> {
    pub(crate) fn new(load: BatchLoader<K, V>, max: usize, wait: Duration) -> Self {
        Self {
            load,
            // More do not fit into a channel.
            max: max.min(Semaphore::MAX_PERMITS),
            wait,
            gathering: Mutex::default(),
        }
    }
}

/// Refreshes flights of a cache together.
///
/// It is a trait, so that only caches with such a loader compile the code for batches.
pub(crate) trait Refresh: Send + Sync {
    /// Adds a flight to the batch that is being gathered, or begins one. A batch gets `timeout` to
    /// load.
    fn add(&self, runtime: &Handle, timeout: Duration, task: Box<dyn Any + Send>);

    /// Returns the maximum number of flights in a batch.
    fn max(&self) -> usize;
}

impl<K: CacheKey, V: Send + Sync + 'static> Refresh for Refresher<K, V> {
    fn max(&self) -> usize {
        self.max
    }

    fn add(&self, runtime: &Handle, timeout: Duration, mut task: Box<dyn Any + Send>) {
        let mut gathering = self.gathering.lock();
        if let Some(batch) = &*gathering {
            match batch.try_send(task) {
                Ok(()) => return,
                Err(TrySendError::Full(back) | TrySendError::Closed(back)) => task = back,
            }
        }
        let (sender, receiver) = mpsc::channel(self.max);
        // A new channel has room for one.
        let _ = sender.try_send(task);
        *gathering = Some(sender);
        drop(gathering);
        let (load, max, wait) = (self.load.clone(), self.max, self.wait);
        let gathered = async move {
            let mut tasks = gather(receiver, max, wait).await;
            let deadline = Instant::now() + timeout;
            // While one batch was taken out of the channel, another one may have arrived.
            while tasks.len() > max {
                let rest = tasks.split_off(max);
                spawn(&Handle::current(), run(tasks, load.clone(), deadline));
                tasks = rest;
            }
            run(tasks, load, deadline).await;
        };
        spawn(runtime, gathered);
    }
}

/// Waits until the batch is full, or has waited long enough.
async fn gather<K: CacheKey, V: Send + Sync + 'static>(
    mut receiver: Receiver<Box<dyn Any + Send>>,
    max: usize,
    wait: Duration,
) -> Vec<LoadTask<K, V>> {
    let mut gathered = Vec::new();
    let full = async {
        while gathered.len() < max {
            let Some(task) = receiver.recv().await else {
                return;
            };
            gathered.push(task);
        }
    };
    let _ = tokio::time::timeout(wait, full).await;
    receiver.close();
    while let Ok(task) = receiver.try_recv() {
        gathered.push(task);
    }
    let tasks = gathered.into_iter().filter_map(|task| task.downcast().ok());
    tasks.map(|task| *task).collect()
}
