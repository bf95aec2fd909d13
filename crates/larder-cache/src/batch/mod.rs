//! One load for many keys.

mod look;
mod refresher;
mod run;

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::join_all;
use larder_layer::{Follower, Joined};
use larder_store::Version;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::kept::Near;
use crate::leader::{Erased, LoadTask, Outcome, Plan};
use crate::recursion::{self, Wait};
use crate::spawn::spawn_in_span;
use crate::{Cache, CacheKey, LoadContext, LoadError, Loaded, ReadOptions};

pub(crate) use refresher::{Refresh, Refresher};

use run::run;

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
    /// Returns the cached values of many keys, in their order, and loads the missing ones together.
    ///
    /// A key that is requested twice, or that another call is loading already, is loaded once.
    /// `load` gets the keys that this call loads, and returns a value or an error for each; a key
    /// that it leaves out is [not found](LoadError::NotFound). An error of the whole batch becomes
    /// the error of each of its keys. It may be called again for keys whose load in another process
    /// has failed.
    ///
    /// Values that are due for a refresh are served, and refreshed together in the background. The
    /// far store is read in one round trip for each 1,000 keys. Leases are taken concurrently, and
    /// values are written concurrently.
    ///
    /// # Errors
    /// [`LoadError`] for each key, as [`get_or_load`](Self::get_or_load).
    ///
    /// # Panics
    /// Outside a tokio runtime with the time driver enabled, unless all are near hits and none is due for a
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
        let mut due = Vec::new();
        let keys = self.look_many(keys, answers, &mut due).await;
        self.refresh_many(due, load);
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
            // Those who join its loads later have time of their own to wait for them.
            let until = Instant::now() + inner.load_timeout;
            let run = run(tasks, load.clone(), until);
            spawn_in_span(&Handle::current(), run);
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
