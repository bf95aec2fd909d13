use std::sync::Arc;

use larder_queue::{JobId, Queue, QueueRecord, State};
use larder_store::{Key, Store};

use super::trouble::{Result, refused, told};
use crate::page::state::Shared;
use crate::records::{partition_of, record_key};

/// Returns the queue, or the partition of one, that has a key.
pub(super) fn queue(shared: &Shared, key: &str) -> Result<Queue> {
    let unknown = || refused("This is not the key of a queue.");
    let key = record_key::<QueueRecord>(key).map_err(|_| unknown())?;
    queue_of(&shared.store, &key).ok_or_else(unknown)
}

/// The maximum number of dead letters that a question counts.
const MOST_LETTERS: usize = 1_000;

/// Returns the ids of the oldest dead letters of a queue, and when they died, in microseconds.
pub(super) async fn dead_letters(queue: &Queue) -> Result<Vec<(JobId, i64)>> {
    let (mut letters, mut from) = (Vec::new(), None);
    loop {
        let page = queue.list(State::Dead, from).await.map_err(told)?;
        let jobs = page.jobs.iter();
        letters.extend(jobs.map(|job| (job.id().clone(), job.at().as_micros())));
        from = page.next;
        if from.is_none() || letters.len() >= MOST_LETTERS {
            letters.truncate(MOST_LETTERS);
            return Ok(letters);
        }
    }
}

/// Returns the queue, or the partition of one, that has a key. None if its name is hashed.
pub(in crate::page) fn queue_of(store: &Arc<dyn Store>, key: &Key) -> Option<Queue> {
    let (name, number) = partition_of(key)?;
    Queue::unmetered(store.clone(), &name, number).ok()
}

#[cfg(test)]
mod tests {
    use larder_moka::MokaStore;
    use metrics::NoopRecorder;

    use super::*;
    use crate::page::Figures;

    #[test]
    fn a_queue_that_is_looked_at_makes_no_metric_and_no_other_partition() {
        let store: Arc<dyn Store> = Arc::new(MokaStore::new());
        let figures = Figures::new();
        metrics::with_local_recorder(&figures.recorder(NoopRecorder), || {
            for key in ["queue:{x}", "queue:{x:0}", "queue:{x:65535}"] {
                let key = record_key::<QueueRecord>(key).unwrap();
                assert_eq!(queue_of(&store, &key).unwrap().name(), "x");
            }
            let key = record_key::<QueueRecord>("queue:{x:65536}").unwrap();
            assert!(queue_of(&store, &key).is_none());
            assert!(!figures.snapshot().has("larder_queue_enqueued_total"));
            let _queue = Queue::new(store.clone(), "x").unwrap();
            assert!(figures.snapshot().has("larder_queue_enqueued_total"));
        });
    }
}
