use std::any::Any;
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use futures_util::FutureExt;
use larder_layer::tags::Tag;
use larder_layer::{Failure, Follower, Generation, Joined, Leader};
use larder_store::{Timestamp, Ttl};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use crate::cache::{Inner, Reading};
use crate::election::{Answer, Elected, FirstRead, Lead, Patience, Wanted, Write};
use crate::envelope::TagMarks;
use crate::far::Stored;
use crate::found::{Keep, Value};
use crate::kept::Kept;
use crate::lifetime::{State, Times};
use crate::remote::Change;
use crate::tags::Noted;
use crate::{CacheKey, LoadContext, Loaded, recursion};

/// What a flight gives to all its callers: an answer, or the error of its loader.
///
/// The error is erased: the callers of one key may expect different types.
pub(crate) type Outcome<V> = Result<Answer<V>, Erased>;

/// The error of a loader.
pub(crate) type Erased = Arc<dyn Any + Send + Sync>;

/// What a load comes to: a value, the error of the loader, or another failure.
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

/// What a flight reads, and where it keeps its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) wanted: Wanted,
    pub(crate) uses_near: bool,
    pub(crate) uses_far: bool,
    /// No caller waits for it: a value is cached, and is replaced in the background.
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
/// The flight ends when the task does, however it ends.
pub(crate) struct LoadTask<K: CacheKey, V: Send + Sync + 'static> {
    // Dropped first, so that an end is counted before the callers are woken.
    unfinished: Unfinished<K, V>,
    pub(crate) inner: Arc<Inner<K, V>>,
    pub(crate) key: K,
    leader: Leader<K, Outcome<V>>,
    context: LoadContext<V>,
    plan: Plan,
    /// What was invalidated when the flight began: a tag that changes later may be one of its value.
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
    pub(crate) async fn elect_at_once(
        &self,
        first: Option<FirstRead<V>>,
        until: Instant,
    ) -> Elected<V> {
        let (Some(first), Some(far)) = (first, &self.inner.far) else {
            let reading = self.inner.reading_for_load(&self.key);
            return Elected::Lead(Lead::without_far(reading));
        };
        let (wanted, patience) = (self.plan.wanted, Patience::None { until });
        if first.read.is_err() {
            self.inner.metrics.far_get_errors.increment(1);
        }
        let elect = self
            .inner
            .elect_after(Some(first), far, &self.key, wanted, patience);
        elect.await
    }

    /// Returns whether the far store may be read for this flight.
    pub(crate) fn reads_far(&self) -> bool {
        self.plan.uses_far && self.inner.usable_far(&self.key).is_some()
    }

    /// Completes with what the far store has. Returns the flight of its refresh, if it is due.
    pub(crate) fn found(self, stored: Stored<V>, reading: &Reading, step: u64) -> Option<Self> {
        let inner = self.inner.clone();
        let now = inner.clock.now();
        match stored.value {
            Some(_) => inner.metrics.far_hits.increment(),
            None => inner.metrics.not_found.increment(1),
        }
        let is_due = stored.times.state(now) == State::RefreshDue
            || inner
                .lifetime
                .is_refreshed_early(&stored.times, now, rand::random());
        if !inner.has_fresher(&self.key, stored.times.loaded_at) {
            self.keep_near(
                inner.copy_of(&stored, reading),
                Some(reading),
                reading.generation,
            );
        }
        inner.prolong_far(&self.key, stored.times, now);
        let answer = Answer {
            value: stored.value,
            loaded_at: stored.times.loaded_at,
            load: None,
            // Near copies are stale for a while too, so nobody is the worse for sharing a read.
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
            Some(stored) => stored.value.clone(),
            None => {
                let near = self.inner.near.peek(&self.key);
                near.and_then(|held| held.value.value)
            }
        };
        if let Some(value) = previous {
            self.context.set_previous(value);
        }
        if !self.plan.is_refresh {
            self.inner.metrics.misses.increment();
        }
    }

    /// Runs the loader until `deadline`, and renews the lease meanwhile.
    async fn load(&self, load: LoadFuture<V>, lead: &Lead<V>, deadline: Instant) -> LoadEnd<V> {
        let inner = &*self.inner;
        let span = tracing::debug_span!("larder_cache.load", kind = inner.kind.name());
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

    /// Keeps what was loaded, and completes.
    async fn keep(self, loaded: Loaded<V>, lead: &Lead<V>, step: u64, began: Timestamp) {
        let (inner, now) = (self.inner.clone(), self.inner.clock.now());
        let took = now.since(began);
        let mut tags = loaded.tags;
        let value = match loaded.value {
            Value::New(value) => Some(Arc::new(value)),
            Value::Same(value) => {
                if tags.is_empty() {
                    tags = self.previous_tags(lead);
                }
                Some(value)
            }
            Value::NotFound => None,
        };
        match value {
            Some(_) => inner.metrics.loaded(took),
            None => inner.metrics.absent.increment(1),
        }
        let answer = Answer {
            value: value.clone(),
            loaded_at: began,
            load: Some(step),
            before: None,
        };
        let check = inner.begin_step();
        let Some(ttl) = self.ttl(loaded.keep, value.is_some()) else {
            let currency = self.keep_nothing(&value, lead).await;
            let before = self.joinable_before(currency, step, check);
            return self.complete(Answer { before, ..answer });
        };
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        let mut times = inner.lifetime.times(began, micros, ttl, rand::random());
        if value.is_none() {
            times.stale_until = times.fresh_until;
        }
        let was_there = value.is_none() && self.had_value(lead);
        let tags = inner.with_own_tag(tags);
        let currency = self.store(value, times, &tags, lead).await;
        if was_there && currency != Currency::Overtaken {
            // Where it fails, near copies in other processes end by their near TTL.
            let _ = inner.publish(Change::Removed, [&self.key]).await;
        }
        let before = match self.joinable_before(currency, step, check) {
            // A tag may change between the look at it and the end of the flight.
            None if !tags.is_empty() => Some(check),
            before => before,
        };
        self.complete(Answer { before, ..answer });
    }

    /// Returns the step before which a call must have begun to take the answer of a load.
    ///
    /// Callers who find nothing near are promised every invalidation that was acknowledged before
    /// they came. One may have been since the last moment at which the value was known to be good:
    /// the begin of the check of its fence, or that of the load.
    fn joinable_before(&self, currency: Currency, load: u64, check: u64) -> Option<u64> {
        let inner = &self.inner;
        let is_promised = inner.far.is_some() && !inner.keeps_near;
        match currency {
            Currency::Overtaken => Some(load),
            Currency::Unchecked => is_promised.then_some(load),
            Currency::Checked => is_promised.then_some(check),
        }
    }

    fn ttl(&self, keep: Keep, is_value: bool) -> Option<Ttl> {
        match keep {
            Keep::Usual if is_value => Some(self.inner.lifetime.ttl),
            Keep::Usual => self.inner.lifetime.negative,
            Keep::For(ttl) => Some(ttl),
            Keep::Not => None,
        }
    }

    /// Keeps the value far, then near, unless the key was invalidated since the load began.
    async fn store(
        &self,
        value: Option<Arc<V>>,
        times: Times,
        tags: &[Tag],
        lead: &Lead<V>,
    ) -> Currency {
        let inner = &*self.inner;
        let now = inner.clock.now();
        let noted = inner.note_tags(tags, lead, times.loaded_at, &times).await;
        let Noted::Carried(tags) = noted else {
            inner.metrics.outdated.increment(1);
            self.give_back(lead).await;
            return Currency::Overtaken;
        };
        let version = match self.write(value.as_deref(), times, &tags, lead).await {
            Written::Yes(version) => Some(version),
            Written::No => None,
            Written::Overtaken => {
                inner.metrics.overtaken.increment(1);
                inner.metrics.outdated.increment(1);
                return Currency::Overtaken;
            }
        };
        let is_checked = version.is_some() && matches!(lead.write, Write::Fenced(_));
        // An invalidation elsewhere may have come as soon as the value was last known to be good.
        let good_at = match inner.far.is_some() && !is_checked {
            true => times.loaded_at,
            false => now,
        };
        let near_until = inner.lifetime.near_until(good_at, rand::random());
        let kept = Kept::new(value, times, tags, version, near_until);
        let has_tags = !kept.tags.as_slice().is_empty();
        self.keep_near(kept, lead.reading.as_ref(), self.before);
        // A tag that changed here or elsewhere meanwhile may be one of these.
        if has_tags && !inner.near.generation(&self.key).has_sweeps_of(self.before) {
            return Currency::Overtaken;
        }
        match is_checked {
            true => Currency::Checked,
            false => Currency::Unchecked,
        }
    }

    /// Returns the tags of the value that the load replaces.
    fn previous_tags(&self, lead: &Lead<V>) -> Vec<Tag> {
        let held = self.inner.near.peek(&self.key);
        let marks = match &lead.previous {
            Some(stored) => Some(stored.tags.clone()),
            None => held.map(|held| held.value.tags),
        };
        let marks = marks.unwrap_or_default();
        let tags = marks.as_slice().iter();
        tags.map(|mark| Tag::from_hash(mark.hash)).collect()
    }

    /// Writes the value far, unless the key was changed since the flight began.
    ///
    /// The value is good without it, so an error is only counted and logged.
    async fn write(
        &self,
        value: Option<&V>,
        times: Times,
        tags: &TagMarks,
        lead: &Lead<V>,
    ) -> Written {
        let inner = &*self.inner;
        let Some(far) = inner.far.as_ref().filter(|_| lead.write != Write::Not) else {
            return Written::No;
        };
        let far_key = far.key(&self.key);
        let now = inner.clock.now();
        let written = async {
            let put = far.seal(far_key.clone(), value, now, times, tags.clone())?;
            let written = Written::Yes(put.version());
            match (lead.write, &far.leases) {
                // An invalidation here ends the lease at the latest when it reaches the store.
                (Write::Fenced(_), _) if self.leader.is_invalidated() => Ok(Written::No),
                (Write::Fenced(fence), Some(leases)) => {
                    Ok(match far.commit(&**leases, &put, fence).await? {
                        true => written,
                        false => Written::Overtaken,
                    })
                }
                _ => {
                    let _lock = far.locks.for_load(far.timeout, put.key()).await?;
                    if self.leader.is_invalidated() {
                        return Ok(Written::No);
                    }
                    far.write(&put).await.map(|_| written)
                }
            }
            .inspect(|_| inner.metrics.written(put.value().len()))
        }
        .await;
        match written {
            Ok(written @ (Written::Yes(_) | Written::Overtaken)) => written,
            Ok(Written::No) => {
                self.give_back(lead).await;
                Written::No
            }
            Err(error) => {
                inner.metrics.far_write_failed(&error);
                far.log_failed_write(&error);
                // A lease that is not held any more was committed or invalidated: nobody knows
                // which, so late callers read again.
                match self.give_back(lead).await {
                    Currency::Overtaken => Written::Overtaken,
                    Currency::Checked | Currency::Unchecked => Written::No,
                }
            }
        }
    }

    /// Returns whether there was a value before the load, near or far.
    fn had_value(&self, lead: &Lead<V>) -> bool {
        let near = self.inner.near.peek(&self.key);
        let is_far = |stored: &Stored<V>| stored.value.is_some();
        lead.previous.as_ref().is_some_and(is_far)
            || near.is_some_and(|held| held.value.value.is_some())
    }

    /// Ends the lease, and removes what was cached if the source has no value any more.
    async fn keep_nothing(&self, value: &Option<Arc<V>>, lead: &Lead<V>) -> Currency {
        if value.is_some() {
            return self.give_back(lead).await;
        }
        let inner = &*self.inner;
        let was_cached = lead.previous.is_some() || inner.near.peek(&self.key).is_some();
        self.leader.if_current(|| inner.near.invalidate(&self.key));
        match inner.far.as_ref().filter(|_| lead.write != Write::Not) {
            Some(far) if was_cached => {
                let currency = self.give_back(lead).await;
                let removed = far.invalidate_many(&[far.key(&self.key)]).await;
                if removed.iter().any(Result::is_err) {
                    self.inner.quarantine([self.key.clone()]);
                }
                // A read that began before the removal may have put a copy back.
                self.leader.if_current(|| inner.near.invalidate(&self.key));
                // Where it fails, near copies in other processes end by their near TTL.
                let _ = inner.publish(Change::Removed, [&self.key]).await;
                currency
            }
            _ => self.give_back(lead).await,
        }
    }

    /// Gives the lease back, if there is one.
    async fn give_back(&self, lead: &Lead<V>) -> Currency {
        let inner = &*self.inner;
        let (Write::Fenced(fence), Some(far)) = (lead.write, &inner.far) else {
            return Currency::Unchecked;
        };
        let Some(leases) = &far.leases else {
            return Currency::Unchecked;
        };
        match far.abandon(&**leases, &far.key(&self.key), fence).await {
            Ok(true) => Currency::Checked,
            Ok(false) => Currency::Overtaken,
            Err(_) => {
                inner.metrics.far_lease_errors.increment(1);
                Currency::Unchecked
            }
        }
    }

    /// Keeps a near copy, unless the key was changed since the flight began.
    ///
    /// With tags, no tag may have changed since `before` either.
    fn keep_near(&self, kept: Kept<V>, reading: Option<&Reading>, before: Generation) {
        let inner = &self.inner;
        if !inner.keeps_near || !self.plan.uses_near {
            return;
        }
        let decide_at = kept.decide_at(&inner.lifetime);
        let has_tags = !kept.tags.as_slice().is_empty();
        let keep = || {
            let key = self.key.clone();
            if has_tags {
                return inner.near.insert_if_unchanged(key, kept, decide_at, before);
            }
            inner.near.insert(key, kept, decide_at);
            true
        };
        let kept = self.leader.if_current(|| match reading {
            Some(reading) => inner.keep_if_unchanged(&self.key, reading, keep),
            None => keep(),
        });
        if kept.is_none() {
            inner.metrics.outdated.increment(1);
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
        if self.plan.is_refresh {
            self.inner.metrics.refreshes_failed.increment(1);
        }
        self.leader.if_current(|| self.inner.back_off(&self.key));
    }
}

/// Waits for a load, and renews its lease meanwhile. A load that is ready at once has no timer.
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

/// Whether a value was still good at the end of its load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Currency {
    /// The lease was still held when the far store was asked.
    Checked,
    /// It is not known: the value was not written under a lease, or the answer was lost.
    Unchecked,
    /// The key was invalidated since the load began, here or in another process.
    Overtaken,
}

/// What became of a far write.
enum Written {
    Yes(larder_store::Version),
    /// It was left out, or failed.
    No,
    /// The key was invalidated since the load began.
    Overtaken,
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
