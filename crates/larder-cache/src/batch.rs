use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::future::{Future, pending};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use larder_layer::{Failure, Follower, Joined};
use larder_store::Version;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use crate::cache::Inner;
use crate::election::{Elected, FirstRead, Lead};
use crate::kept::Near;
use crate::leader::{Erased, LoadTask, Outcome, Plan, while_renewing};
use crate::recursion::{self, Node, Wait};
use crate::spawn::{spawn, spawn_in_span};
use crate::{Cache, CacheKey, LoadContext, LoadError, Loaded, ReadOptions};

/// The most keys that are read far in one round trip.
const KEYS_PER_READ: usize = 1_000;

/// A loader of many values, with its types erased.
pub(crate) type BatchLoader<K, V> = Arc<dyn Fn(Vec<K>) -> Batch<K, V> + Send + Sync>;

type Batch<K, V> = Pin<Box<dyn Future<Output = Result<Parts<K, V>, Erased>> + Send>>;
type Parts<K, V> = Vec<(K, Result<Loaded<V>, Erased>)>;

/// Erases the types of a loader of many values.
pub(crate) fn erase<K, V, F, Fut, L, E>(load: F) -> BatchLoader<K, V>
where
    K: CacheKey,
    V: Send + Sync + 'static,
    F: Fn(Vec<K>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Vec<(K, Result<L, E>)>, E>> + Send + 'static,
    L: Into<Loaded<V>> + 'static,
    E: Send + Sync + 'static,
{
    fn erased<E: Send + Sync + 'static>(error: E) -> Erased {
        Arc::new(error)
    }
    Arc::new(move |keys| {
        let load = load(keys);
        Box::pin(async move {
            let parts = load.await.map_err(erased)?.into_iter();
            let parts = parts.map(|(key, part)| (key, part.map(Into::into).map_err(erased)));
            Ok(parts.collect())
        })
    })
}

impl<K: CacheKey, V: Send + Sync + 'static> Cache<K, V> {
    /// Returns the cached values of many keys, in their order, and loads those that are missing
    /// together.
    ///
    /// A key that is asked for twice, or that another call is loading already, is loaded once.
    /// Values that are due for a refresh are refreshed together, in the background.
    /// `load` gets the keys that this call loads, and returns for each a value or an error; a key
    /// that it leaves out is [not found](LoadError::NotFound). An error of the whole batch is that of
    /// each of its keys. It may be called again for keys whose load in another process has failed.
    ///
    /// Values that are due for a refresh are served, and refreshed together in the background. The
    /// far store is read in one round trip for 1,000 keys. Leases are taken side by side, and so
    /// are the values written.
    ///
    /// # Errors
    /// [`LoadError`] for each key, as [`get_or_load`](Self::get_or_load).
    ///
    /// # Panics
    /// Outside a tokio runtime with time enabled, unless all are near hits and none is due for a
    /// refresh.
    ///
    /// # Cancellation
    /// A dropped call stops waiting. Its loads go on, and their values are cached.
    pub async fn get_or_load_many<F, Fut, L, E>(
        &self,
        keys: &[K],
        load: F,
    ) -> Vec<Result<Arc<V>, LoadError<E>>>
    where
        F: Fn(Vec<K>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<(K, Result<L, E>)>, E>> + Send + 'static,
        L: Into<Loaded<V>> + 'static,
        E: Send + Sync + 'static,
    {
        self.inner.listening().await;
        let mut answers: HashMap<&K, Result<Arc<V>, LoadError<E>>> = HashMap::new();
        let (mut missing, mut due) = (Vec::new(), Vec::new());
        let mut seen = HashSet::new();
        for key in keys.iter().filter(|key| seen.insert(*key)) {
            let kept = match self.inner.look_near(key) {
                Near::Hit(kept) => kept,
                Near::RefreshDue(kept) => {
                    due.push((key, kept.version));
                    kept
                }
                Near::Miss => {
                    missing.push(key);
                    continue;
                }
            };
            self.inner.count_near(&kept);
            answers.insert(key, kept.value.ok_or(LoadError::NotFound));
        }
        let load = erase(load);
        self.refresh_many(due, &load);
        if !missing.is_empty() {
            let deadline = Instant::now() + self.inner.load_timeout;
            while !missing.is_empty() {
                missing = self
                    .load_round(missing, &load, deadline, &mut answers)
                    .await;
            }
        }
        let answer = |key| {
            answers
                .get(key)
                .cloned()
                .unwrap_or(Err(LoadError::Abandoned))
        };
        keys.iter().map(answer).collect()
    }

    /// Begins to replace values that are cached, unless flights of their keys are under way.
    fn refresh_many(&self, due: Vec<(&K, Option<Version>)>, load: &BatchLoader<K, V>) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let due = due.into_iter();
        let tasks = due.filter_map(|(key, seen)| self.refresh_task(key, ReadOptions::new(), seen));
        let tasks: Vec<_> = tasks.collect();
        match &self.inner.refresher {
            Some(refresher) => {
                for task in tasks {
                    refresher.add(&runtime, self.inner.load_timeout, Box::new(task));
                }
            }
            None if tasks.is_empty() => {}
            None => {
                let deadline = Instant::now() + self.inner.load_timeout;
                spawn_in_span(&runtime, run(tasks, load.clone(), deadline));
            }
        }
    }

    /// Joins or leads a flight for each key, and waits for all of them. Returns the keys whose
    /// flights have no answer for this call.
    async fn load_round<'a, E: Send + Sync + 'static>(
        &self,
        keys: Vec<&'a K>,
        load: &BatchLoader<K, V>,
        deadline: Instant,
        answers: &mut HashMap<&'a K, Result<Arc<V>, LoadError<E>>>,
    ) -> Vec<&'a K> {
        let inner = &self.inner;
        let soft = inner.soft_timeout.map(|soft| Instant::now() + soft);
        let options = ReadOptions::new();
        let came = inner.last_step();
        let mut flights: Vec<Waiting<'a, K, V>> = Vec::with_capacity(keys.len());
        let mut tasks = Vec::new();
        for key in keys {
            let Some(wait) = recursion::wait(inner.node(key)) else {
                inner.metrics.recursive.increment(1);
                answers.insert(key, Err(LoadError::Recursive));
                continue;
            };
            let (follower, came) = match inner.flights.join(key, || inner.peek_near(key)) {
                Joined::Hit(kept) => {
                    inner.count_near(&kept);
                    answers.insert(key, kept.value.ok_or(LoadError::NotFound));
                    continue;
                }
                Joined::Full => {
                    inner.metrics.overloaded.increment(1);
                    let stale = self.fallback(key, options).map(|found| found.value);
                    answers.insert(key, stale.ok_or(LoadError::Overloaded));
                    continue;
                }
                Joined::Follower(follower) => {
                    inner.metrics.coalesced.increment(1);
                    (follower, Some(came))
                }
                Joined::Leader(leader) => {
                    let (inner, key) = (inner.clone(), key.clone());
                    let context = LoadContext::new();
                    let task = LoadTask::new(inner, key, leader, context, Plan::usual());
                    let follower = task.follow();
                    tasks.push(task);
                    (follower, None)
                }
            };
            flights.push(Waiting {
                key,
                follower,
                came,
                _wait: wait,
            });
        }
        if !tasks.is_empty() {
            spawn_in_span(&Handle::current(), run(tasks, load.clone(), deadline));
        }
        let waits = flights.iter().map(|flight| async {
            let Waiting { key, follower, .. } = flight;
            let waited = self.wait_for(key, options, follower, soft, deadline).await;
            self.answer::<E>(key, options, waited, flight.came)
        });
        let waited = join_all(waits).await;
        let mut left = Vec::new();
        for (flight, answer) in flights.into_iter().zip(waited) {
            match answer {
                Some(answer) => {
                    answers.insert(flight.key, answer.map(|found| found.value));
                }
                None if flight.came.is_none() => {
                    answers.insert(flight.key, Err(LoadError::Abandoned));
                }
                None => left.push(flight.key),
            }
        }
        left
    }
}

struct Waiting<'a, K, V> {
    key: &'a K,
    follower: Follower<Outcome<V>>,
    /// None for a flight that this call leads.
    came: Option<u64>,
    _wait: Wait,
}

/// Runs some flights together: one read, one load, and the writes side by side.
pub(crate) async fn run<K: CacheKey, V: Send + Sync + 'static>(
    tasks: Vec<LoadTask<K, V>>,
    load: BatchLoader<K, V>,
    deadline: Instant,
) {
    let Some(inner) = tasks.first().map(|task| task.inner.clone()) else {
        return;
    };
    let reads = read(&inner, &tasks).await;
    let elections = tasks.into_iter().zip(reads).map(|(task, read)| async {
        let elected = task.elect_at_once(read, deadline).await;
        (task, elected)
    });
    let mut led = Vec::new();
    for (task, elected) in join_all(elections).await {
        match elected {
            Elected::Lead(lead) => led.push((task, lead)),
            Elected::Found(stored, reading, step) => {
                if let Some(refresh) = task.found(stored, &reading, step) {
                    spawn_in_span(&Handle::current(), follow(refresh, load.clone()));
                }
            }
            Elected::TimedOut => task.fail(Failure::TimedOut),
            Elected::Elsewhere => {
                spawn_in_span(&Handle::current(), follow(task, load.clone()));
            }
        }
    }
    if !led.is_empty() {
        load_led(&inner, led, &load, deadline).await;
    }
}

/// Runs one flight of a batch that another process loads, or that is refreshed.
async fn follow<K: CacheKey, V: Send + Sync + 'static>(
    task: LoadTask<K, V>,
    load: BatchLoader<K, V>,
) {
    let key = task.key.clone();
    let deadline = Instant::now() + task.inner.load_timeout;
    // A batch of one, which is made only if it comes to that.
    let load = Box::pin(async move {
        let parts = load(vec![key.clone()]).await?;
        let own = parts.into_iter().find(|(part, _)| *part == key);
        own.map_or(Ok(Loaded::not_found()), |(_, part)| part)
    });
    task.run(load, deadline).await;
}

/// Reads the far store for all flights that use it. None for those that do not.
async fn read<K: CacheKey, V: Send + Sync + 'static>(
    inner: &Arc<Inner<K, V>>,
    tasks: &[LoadTask<K, V>],
) -> Vec<Option<FirstRead<V>>> {
    let usable: Vec<_> = tasks.iter().map(LoadTask::reads_far).collect();
    let (Some(far), true) = (&inner.far, usable.contains(&true)) else {
        return tasks.iter().map(|_| None).collect();
    };
    let asked = tasks.iter().zip(&usable).filter(|(_, usable)| **usable);
    let asked: Vec<_> = asked.map(|(task, _)| &task.key).collect();
    let mut reads = Vec::with_capacity(asked.len());
    for keys in asked.chunks(KEYS_PER_READ) {
        let far_keys: Vec<_> = keys.iter().map(|key| far.key(*key)).collect();
        let begun = keys.iter().zip(&far_keys);
        let begun: Vec<_> = begun
            .map(|(key, far_key)| inner.begin_read(key, far_key))
            .collect();
        let step = inner.begin_step();
        let read = far.read_many(&far_keys, inner.clock.now()).await;
        let read = read.into_iter().zip(begun);
        reads.extend(read.map(|(read, reading)| FirstRead {
            read,
            reading,
            step,
        }));
    }
    let mut reads = reads.into_iter();
    usable
        .into_iter()
        .map(|usable| usable.then(|| reads.next()).flatten())
        .collect()
}

/// Loads what this process leads, and keeps it.
async fn load_led<K: CacheKey, V: Send + Sync + 'static>(
    inner: &Arc<Inner<K, V>>,
    led: Vec<(LoadTask<K, V>, Lead<V>)>,
    load: &BatchLoader<K, V>,
    deadline: Instant,
) {
    let keys: Vec<_> = led.iter().map(|(task, _)| task.key.clone()).collect();
    for (task, lead) in &led {
        task.begin_load(lead);
    }
    let (step, began) = (inner.begin_step(), inner.clock.now());
    // Whoever waits for one of the keys waits for the batch.
    let batch = Node {
        cache: Arc::as_ptr(inner).cast::<()>() as usize,
        // No hash of a key, but by a chance of one in 2^64.
        key: step.rotate_left(32) ^ rand::random::<u64>(),
    };
    let linked: Vec<_> = keys
        .iter()
        .map(|key| recursion::link(inner.node(key), batch))
        .collect();
    let span = tracing::debug_span!("larder_cache.load_many", kind = inner.kind.name());
    let loaded = async { load(keys).await };
    let loaded = recursion::within(batch, loaded).instrument(span);
    let loaded = AssertUnwindSafe(loaded).catch_unwind();
    let renewals = led.iter().map(|(task, lead)| task.renew(lead));
    let renewals = async {
        join_all(renewals).await;
        pending().await
    };
    let loaded = timeout_at(deadline, while_renewing(loaded, renewals)).await;
    drop(linked);
    let mut parts: HashMap<K, Result<Loaded<V>, Erased>> = HashMap::new();
    let failure = match loaded {
        Ok(Ok(Ok(found))) => {
            parts.extend(found);
            None
        }
        Ok(Ok(Err(error))) => Some(Ok(error)),
        Ok(Err(_)) => Some(Err(Failure::Panicked)),
        Err(_) => Some(Err(Failure::TimedOut)),
    };
    let ends = led.into_iter().map(|(task, lead)| {
        let end = match &failure {
            None => match parts.remove(&task.key) {
                Some(Ok(loaded)) => Ok(loaded),
                Some(Err(error)) => Err(Ok(error)),
                None => Ok(Loaded::not_found()),
            },
            Some(failure) => Err(failure.clone()),
        };
        task.end(end, lead, step, began)
    });
    join_all(ends).await;
}

/// Gathers refreshes of single keys into batches.
pub(crate) struct Refresher<K, V> {
    load: BatchLoader<K, V>,
    max: usize,
    wait: Duration,
    /// The batch that is being gathered. It holds flights, whose type has bounds that this has not.
    gathering: Mutex<Option<Sender<Box<dyn Any + Send>>>>,
}

impl<K: CacheKey, V: Send + Sync + 'static> Refresher<K, V> {
    pub(crate) fn new(load: BatchLoader<K, V>, max: usize, wait: Duration) -> Self {
        Self {
            load,
            max,
            wait,
            gathering: Mutex::default(),
        }
    }
}

/// Refreshes flights of a cache together.
///
/// It is a trait, so that only caches that are given such a loader compile what batches need.
pub(crate) trait Refresh: Send + Sync {
    /// Adds a flight to the batch that is being gathered, or begins one. A batch gets `timeout` to
    /// load.
    fn add(&self, runtime: &Handle, timeout: Duration, task: Box<dyn Any + Send>);

    /// The largest number of flights in a batch.
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
            // While one batch was taken out of the channel, another may have come in.
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
