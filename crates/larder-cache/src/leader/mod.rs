mod keep;

use std::any::Any;
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use futures_util::FutureExt;
use larder_layer::{Failure, Follower, Generation, Joined, Leader};
use larder_store::Timestamp;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use crate::cache::{Inner, Reading};
use crate::election::{Answer, Elected, First, Lead, Patience, Wanted, Write};
use crate::envelope::TagMarks;
use crate::far::Stored;
use crate::kept::Setback;
use crate::{CacheKey, LoadContext, Loaded, recursion};

/// The outcome of a flight for all its callers: an answer, or the error of its loader.
///
/// The error is erased: the callers of one key may expect different types.
pub(crate) type Outcome<V> = Result<Answer<V>, Erased>;

/// The error of a loader.
pub(crate) type Erased = Arc<dyn Any + Send + Sync>;

/// The outcome of a load: a value, the error of the loader, or another failure.
pub(crate) type LoadEnd<V> = Result<Loaded<V>, Result<Erased, Failure>>;

/// The future of a loader, with its types erased.
///
/// It is boxed: each function that it went through by value would double the size of a load whose
/// loader loads something else.
pub(crate) type LoadFuture<V> = Pin<Box<dyn Future<Output = Result<Loaded<V>, Erased>> + Send>>;

/// Erases the types of a loader's future. What it returns need not be `Send`.
pub(crate) fn erase<V, L, E>(
    load: impl Future<Output = Result<L, E>> + Send + 'static,
) -> LoadFuture<V>
where
    L: Into<Loaded<V>>,
    E: Send + Sync + 'static,
{
    Box::pin(async move {
        match load.await {
            Ok(loaded) => Ok(loaded.into()),
            Err(error) => {
                let error: Erased = Arc::new(error);
                Err(error)
            }
        }
    })
}

/// The tiers that a flight reads, and where it keeps its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) wanted: Wanted,
    pub(crate) uses_near: bool,
    pub(crate) uses_far: bool,
    /// No caller waits for it: a cached value is replaced in the background.
    pub(crate) is_refresh: bool,
}

impl Plan {
    /// Reads near, then far, then loads.
    pub(crate) const fn usual() -> Self {
        Self {
            wanted: Wanted::Fresh,
            uses_near: true,
            uses_far: true,
            is_refresh: false,
        }
    }
}

/// The work of a flight: read the far store, load if that is a miss, and keep the value.
///
/// The flight ends with the task, in whatever way the task ends.
pub(crate) struct LoadTask<K: CacheKey, V: Send + Sync + 'static> {
    // Dropped first, so that an end is counted before the callers are woken.
    unfinished: Unfinished<K, V>,
    pub(crate) inner: Arc<Inner<K, V>>,
    pub(crate) key: K,
    leader: Leader<K, Outcome<V>>,
    context: LoadContext<V>,
    plan: Plan,
    /// The near generation when the flight began: a tag of its value may change later.
    before: Generation,
}

impl<K: CacheKey, V: Send + Sync + 'static> LoadTask<K, V> {
    pub(crate) fn new(
        inner: Arc<Inner<K, V>>,
        key: K,
        leader: Leader<K, Outcome<V>>,
        context: LoadContext<V>,
        plan: Plan,
    ) -> Self {
        Self {
            unfinished: Unfinished {
                inner: inner.clone(),
                is_finished: false,
            },
            before: inner.near.generation(&key),
            inner,
            key,
            leader,
            context,
            plan,
        }
    }

    pub(crate) fn context(&self) -> LoadContext<V> {
        self.context.clone()
    }

    pub(crate) fn follow(&self) -> Follower<Outcome<V>> {
        self.leader.follow()
    }

    /// Reads the far store, then runs the loader; keeps the value far and near, then completes.
    ///
    /// A far value that is due for a refresh is given to the callers, and then refreshed.
    pub(crate) async fn run(mut self, load: LoadFuture<V>, mut deadline: Instant) {
        let lead = loop {
            match self.elect(deadline).await {
                Elected::Lead(lead) => break lead,
                Elected::TimedOut | Elected::Elsewhere => return self.fail(Failure::TimedOut),
                Elected::Found(stored, reading, step) => match self.found(stored, &reading, step) {
                    Some(refresh) => self = refresh,
                    None => return,
                },
            }
            deadline = Instant::now() + self.inner.load_timeout;
        };
        self.begin_load(&lead);
        let (step, began) = (self.inner.begin_step(), self.inner.clock.now());
        let end = self.load(load, &lead, deadline).await;
        self.end(end, lead, step, began).await;
    }

    async fn elect(&self, deadline: Instant) -> Elected<V> {
        let usable = match self.plan.uses_far {
            true => self.inner.usable_far(&self.key),
            false => None,
        };
        match usable {
            Some(far) => {
                let elect = self.inner.elect(far, &self.key, self.plan.wanted, deadline);
                elect.await
            }
            None => Elected::Lead(Lead::without_far(self.inner.reading_for_load(&self.key))),
        }
    }

    /// Does the same after the read of a batch, and does not wait for another process.
    pub(crate) async fn elect_at_once(&self, first: First<V>, until: Instant) -> Elected<V> {
        let (first, far) = match (first, &self.inner.far) {
            (First::Read(read), Some(far)) => (Some(read), far),
            (First::Known, Some(far)) => (None, far),
            (First::Unused, _) | (_, None) => {
                let reading = self.inner.reading_for_load(&self.key);
                return Elected::Lead(Lead::without_far(reading));
            }
        };
        let (wanted, patience) = (self.plan.wanted, Patience::None { until });
        if first.as_ref().is_some_and(|first| first.read.is_err()) {
            self.inner.metrics.far_get_errors.increment(1);
        }
        let elect = self
            .inner
            .elect_after(first, far, &self.key, wanted, patience);
        elect.await
    }

    /// Returns whether its election uses the far store now, and whether it begins with a read there.
    pub(crate) fn reads_far(&self) -> (bool, bool) {
        match self.plan.uses_far.then(|| self.inner.usable_far(&self.key)) {
            Some(Some(far)) => (true, self.inner.reads_first(far, self.plan.wanted)),
            _ => (false, false),
        }
    }

    /// Completes with what the far store has. Returns the flight of its refresh, if it is due.
    pub(crate) fn found(self, stored: Stored<V>, reading: &Reading, step: u64) -> Option<Self> {
        let inner = self.inner.clone();
        let now = inner.clock.now();
        match stored.value {
            Some(_) => inner.metrics.far_hits.increment(),
            None => inner.metrics.not_found.increment(1),
        }
        if !inner.has_fresher(&self.key, stored.times.loaded_at) {
            self.keep_near(
                inner.copy_of(&self.key, &stored, reading),
                Some(reading),
                reading.generation,
            );
        }
        inner.prolong_far(&self.key, stored.times, now);
        let is_due = inner.is_due(&stored.times, now) && !inner.is_resting(&self.key);
        let answer = Answer {
            value: stored.value,
            loaded_at: stored.times.loaded_at,
            load: None,
            // Near copies may be stale for a while anyway, so a shared read does no harm.
            before: (!inner.keeps_near).then_some(step),
        };
        let (key, context) = (self.key.clone(), self.context.clone());
        let plan = Plan {
            wanted: Wanted::Newer(stored.version),
            is_refresh: true,
            ..self.plan
        };
        self.complete(answer);
        match is_due.then(|| inner.flights.join(&key, || None::<()>)) {
            Some(Joined::Leader(leader)) => Some(Self::new(inner, key, leader, context, plan)),
            _ => None,
        }
    }

    /// Gives the loader the value that it replaces, and counts a miss.
    pub(crate) fn begin_load(&self, lead: &Lead<V>) {
        let previous = match &lead.previous {
            Some(stored) => (stored.value.clone(), stored.tags.clone()),
            None => match self.inner.near.peek(&self.key) {
                Some(held) => (held.value.value, held.value.tags),
                None => (None, TagMarks::default()),
            },
        };
        if let (Some(value), tags) = previous {
            self.context.set_previous(value, tags);
        }
        if !self.plan.is_refresh {
            self.inner.metrics.misses.increment();
        }
    }

    /// Runs the loader until `deadline`, and renews the lease meanwhile.
    async fn load(&self, load: LoadFuture<V>, lead: &Lead<V>, deadline: Instant) -> LoadEnd<V> {
        let inner = &*self.inner;
        let span = tracing::debug_span!("cache.load", cache.kind = inner.kind.name());
        let load = recursion::within(inner.node(&self.key), load).instrument(span);
        let load = AssertUnwindSafe(load).catch_unwind();
        let loaded = while_renewing(load, self.renew(lead));
        match timeout_at(deadline, loaded).await {
            Ok(Ok(Ok(loaded))) => Ok(loaded),
            Ok(Ok(Err(error))) => Err(Ok(error)),
            Ok(Err(_)) => Err(Err(Failure::Panicked)),
            Err(_) => Err(Err(Failure::TimedOut)),
        }
    }

    /// Renews the lease, if there is one, for as long as it is polled.
    pub(crate) async fn renew(&self, lead: &Lead<V>) -> Infallible {
        if let (Some(far), Write::Fenced(fence)) = (&self.inner.far, lead.write)
            && let Some(leases) = &far.leases
        {
            far.renew(&**leases, &far.key(&self.key), fence).await;
        }
        pending().await
    }

    /// Ends the flight with what the loader has returned.
    pub(crate) async fn end(self, end: LoadEnd<V>, lead: Lead<V>, step: u64, began: Timestamp) {
        match end {
            Ok(loaded) => self.keep(loaded, &lead, step, began).await,
            Err(Ok(error)) => {
                self.give_back(&lead).await;
                self.refuse(error);
            }
            Err(Err(failure)) => {
                self.give_back(&lead).await;
                self.fail(failure);
            }
        }
    }

    fn complete(mut self, answer: Answer<V>) {
        self.unfinished.is_finished = true;
        if self.plan.is_refresh {
            self.inner.metrics.refreshed.increment(1);
        }
        self.leader.complete(Ok(answer));
    }

    /// Completes the flight with the error of its loader.
    fn refuse(mut self, error: Erased) {
        self.unfinished.is_finished = true;
        self.inner.metrics.failed.increment();
        self.back_off();
        self.leader.complete(Err(error));
    }

    /// Ends the flight without a value.
    pub(crate) fn fail(mut self, failure: Failure) {
        self.unfinished.is_finished = true;
        self.inner.metrics.load_failed(failure);
        self.back_off();
        self.leader.fail(failure);
    }

    fn back_off(&self) {
        let setback = match self.plan.is_refresh {
            true => Setback::Refresh,
            false => Setback::Load,
        };
        if self.plan.is_refresh {
            self.inner.metrics.refreshes_failed.increment(1);
        }
        self.pause(setback);
    }

    fn pause(&self, setback: Setback) {
        self.leader
            .if_current(|| self.inner.back_off(&self.key, setback));
    }
}

/// Waits for a load, and renews its lease meanwhile. A load that is ready at once sets no timer.
pub(crate) async fn while_renewing<T>(
    load: impl Future<Output = T>,
    renewal: impl Future<Output = Infallible>,
) -> T {
    let (mut load, mut renewal) = (pin!(load), pin!(renewal));
    poll_fn(|cx| {
        if let Poll::Ready(loaded) = load.as_mut().poll(cx) {
            return Poll::Ready(loaded);
        }
        renewal.as_mut().poll(cx).map(|never| match never {})
    })
    .await
}

/// Counts a load that is dropped before its end.
struct Unfinished<K: CacheKey, V: Send + Sync + 'static> {
    inner: Arc<Inner<K, V>>,
    is_finished: bool,
}

impl<K: CacheKey, V: Send + Sync + 'static> Drop for Unfinished<K, V> {
    fn drop(&mut self) {
        if !self.is_finished {
            self.inner.metrics.load_failed(if std::thread::panicking() {
                Failure::Panicked
            } else {
                Failure::Abandoned
            });
        }
    }
}
