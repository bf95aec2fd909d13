//! The queue: one record, and the calls on it.

mod admin;
mod dequeue;
mod enqueue;
mod idle;
mod internal;
mod listing;
mod settings;
mod settle;

use std::fmt;
use std::sync::Arc;

use larder_layer::StoreTimeout;
use larder_store::program::{Inspection, Program, Programs, Record};
use larder_store::wait::Waits;
use larder_store::{Error, ErrorKind, Key, KeyId, Result, Store, StoreExt};

use crate::record::{QueueRecord, Settings};

pub use admin::Cancelled;
pub use dequeue::MAX_BATCH;
pub use listing::{Counts, Cursor, JobPage, JobView, State};
pub use settings::DEFAULT_LEASE;

pub(crate) use idle::Turn;

use idle::Idle;
use internal::STORE_TIMEOUT;

/// A job queue: each job is done at least once.
///
/// ```
/// use std::sync::Arc;
///
/// use larder_queue::{Job, Queue};
/// use larder_store::{Result, Store};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Welcome {
///     user: u64,
/// }
///
/// impl Job for Welcome {
///     const NAME: &'static str = "welcome";
/// }
///
/// async fn welcome(store: Arc<dyn Store>) -> Result<()> {
///     let queue = Queue::new(store, "mail")?;
///     queue.enqueue(&Welcome { user: 7 }).await?;
///     for delivery in queue.dequeue(16).await? {
///         // Send the mail, and then:
///         let _ = queue.ack(delivery.receipt()).await?;
///     }
///     Ok(())
/// }
/// ```
///
/// # Rules
/// 1. A job is enqueued once for each id, and stays until it is acknowledged, dead or cancelled.
/// 2. [`dequeue`](Self::dequeue) takes jobs under a lease. The lease has a fence, by the store's clock and
///    rising; settling with a fence that is not the newest of the job is refused as
///    [`LeaseLost`](crate::Settled::LeaseLost). So at most one acknowledgement of a job is accepted.
/// 3. A job whose lease has ended is taken again, by the next caller that dequeues. No process leads.
/// 4. Each delivery counts as an attempt unless it is [released](Self::release). A job becomes a dead letter
///    if its last attempt fails, or the holder dies in that attempt.
/// 5. Jobs are taken by priority, then in the order in which they became available. A job that comes back
///    keeps its place. Groups take turns: see [`NewJob::with_group`](crate::NewJob::with_group).
/// 6. Limits on running jobs are derived from the leases, so nothing has to be repaired after a crash.
///
/// All users of a queue must use the same settings. They are applied at each step: a new limit applies from
/// the next step on. There is one exception: for a group that is at its limit, a raised or removed limit, or the end of
/// its ordering, applies only when a job is added to the group, or when one of its jobs ends or becomes due.
///
/// # Deployment caveats
/// On Redis, a queue is as safe as the server: use `appendonly yes` and `maxmemory-policy noeviction`. A
/// failover may lose the last writes; a store that waits for replicas (`RedisStoreBuilder::with_replicas`)
/// reports that. All jobs of a queue are on one shard; [`Partitioned`](crate::Partitioned) uses several.
///
/// # Lost replies
/// After [`ErrorKind::MayHaveRun`] send an enqueue again with the same
/// [`NewJob`](crate::NewJob): the answer says whether the first one was carried out. Settling a job again
/// returns [`AlreadyDone`](crate::Settled::AlreadyDone) if the job was acknowledged. If the reply of a
/// dequeue was lost, its jobs are taken again when their leases end.
#[derive(Clone)]
pub struct Queue {
    programs: Arc<dyn Programs>,
    waits: Arc<dyn Waits>,
    key: Key,
    name: Arc<str>,
    partition: u16,
    settings: Settings,
    timeout: StoreTimeout,
    max_payload: usize,
    enqueued: metrics::Counter,
    unreadable: metrics::Counter,
    idle: Arc<Idle>,
}

impl Queue {
    /// Makes the queue `name` on `store`. The name may be any text that is not empty.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the name is empty, or the store runs no programs or does not support waiting.
    pub fn new(store: Arc<dyn Store>, name: &str) -> Result<Self> {
        Self::unmetered(store, name, None).map(Self::metered)
    }

    /// Makes one partition of the queue `name`.
    pub(crate) fn partition(store: Arc<dyn Store>, name: &str, number: u16) -> Result<Self> {
        Self::unmetered(store, name, Some(number)).map(Self::metered)
    }

    /// Makes a queue, or one `partition` of it, that registers no metrics.
    ///
    /// Use it in tools that look at queues whose names they find in a store: each name would otherwise
    /// add metrics, without a limit on their number.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn unmetered(store: Arc<dyn Store>, name: &str, partition: Option<u16>) -> Result<Self> {
        match partition {
            None => Self::with_id(store, name, name),
            Some(number) => {
                let queue = Self::with_id(store, name, (name, u32::from(number)))?;
                Ok(Self {
                    partition: number,
                    ..queue
                })
            }
        }
    }

    fn metered(self) -> Self {
        Self {
            enqueued: crate::metrics::enqueued(&self.name),
            unreadable: crate::metrics::unreadable(&self.name),
            ..self
        }
    }

    pub(crate) fn number(&self) -> u16 {
        self.partition
    }

    fn with_id(store: Arc<dyn Store>, name: &str, id: impl KeyId) -> Result<Self> {
        if name.is_empty() {
            let text = "the name of a queue must not be empty";
            return Err(Error::new("build", ErrorKind::Invalid, text));
        }
        let programs = store.clone().require_programs("a queue")?;
        Ok(Self {
            partition: 0,
            timeout: StoreTimeout::new(STORE_TIMEOUT, programs.timeout()),
            programs,
            waits: store.require_waits("a queue")?,
            key: Key::new(QueueRecord::KIND, id),
            name: name.into(),
            settings: Settings::default(),
            max_payload: settings::DEFAULT_MAX_PAYLOAD,
            enqueued: metrics::Counter::noop(),
            unreadable: metrics::Counter::noop(),
            idle: Arc::default(),
        })
    }

    /// Returns the name of the queue.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns a summary of the queue, for people and tools. It names no job. One round trip.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn inspect(&self) -> Result<Inspection> {
        self.programs.inspect::<QueueRecord>(&self.key).await
    }

    async fn run<P: Program<Record = QueueRecord>>(&self, program: &P) -> Result<P::Reply> {
        self.programs.run(&self.key, program).await
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("name", &self.name)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
