mod refresh;
mod wait;

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use larder_layer::{Failure, Joined};
use tokio::runtime::Handle;
use tokio::time::Instant;
use tracing::Instrument;

use crate::cache::Look;
use crate::election::Wanted;
use crate::kept::Near;
use crate::leader::{LoadTask, Plan, erase};
use crate::{
    Cache, CacheKey, Found, LoadContext, LoadError, Loaded, ReadOptions, Source, recursion,
};

impl<K: CacheKey, V: Send + Sync + 'static> Cache<K, V> {
    /// Returns the cached value of `key`, or loads it and caches it for the cache's TTL.
    ///
    /// Any number of callers of one key share one load, in this process and, if the far store has
    /// leases, in all processes that share it. `load` is called only if this caller does the
    /// loading. Its future is polled once by this caller; if it is not ready then, it continues in
    /// a task of its own. Errors and panics reach every caller in this process that waits for the
    /// load, and are not cached.
    ///
    /// A near hit takes no round trip, a far hit takes one, and a load takes three if no other process is loading
    /// the key: to read, to take the lease, and to write under it.
    ///
    /// # Errors
    /// [`LoadError`]. An error of the far store is not returned: it is counted, and the loader runs.
    ///
    /// # Panics
    /// Outside a tokio runtime with the time driver enabled, unless it is a near hit.
    ///
    /// # Cancellation
    /// A dropped call stops waiting. The load goes on for the others, and its value is cached even
    /// if no caller is left.
    pub async fn get_or_load<F, Fut, E>(&self, key: &K, load: F) -> Result<Arc<V>, LoadError<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        E: Send + Sync + 'static,
    {
        // The first check is one comparison, and needs no clock. There is no second check, which
        // would decide a second time whether to refresh early.
        let look = match self.inner.look_near(key) {
            Near::Hit(kept) => {
                self.inner.count_near(&kept);
                return kept.value.ok_or(LoadError::NotFound);
            }
            look => look,
        };
        let found = self
            .serve(look, key, ReadOptions::new(), |_| load())
            .await?;
        Ok(found.value)
    }

    /// Does the same as [`get_or_load`](Self::get_or_load), and reports where the value came from.
    ///
    /// Its loader may return a [`Loaded`] instead of a value, to set how long to keep it, or an
    /// `Option`, whose `None` is cached for the negative TTL.
    ///
    /// # Errors
    /// Those of [`get_or_load`](Self::get_or_load).
    pub async fn find_or_load<F, Fut, L, E>(
        &self,
        key: &K,
        load: F,
    ) -> Result<Found<V>, LoadError<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<L, E>> + Send + 'static,
        L: Into<Loaded<V>> + 'static,
        E: Send + Sync + 'static,
    {
        self.call(key, ReadOptions::new(), |_| load()).await
    }

    /// Does the same as [`find_or_load`](Self::find_or_load), with other options.
    ///
    /// # Errors
    /// Those of [`get_or_load`](Self::get_or_load).
    pub async fn find_or_load_with<F, Fut, L, E>(
        &self,
        key: &K,
        options: ReadOptions,
        load: F,
    ) -> Result<Found<V>, LoadError<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<L, E>> + Send + 'static,
        L: Into<Loaded<V>> + 'static,
        E: Send + Sync + 'static,
    {
        self.call(key, options, |_| load()).await
    }

    /// Does the same as [`find_or_load`](Self::find_or_load), with a loader that gets the value
    /// that it replaces.
    ///
    /// The loader may report that the value has not changed at the source
    /// ([`Previous::not_modified`](crate::Previous::not_modified)): a conditional refresh.
    ///
    /// # Errors
    /// Those of [`get_or_load`](Self::get_or_load).
    pub async fn refresh_or_load<F, Fut, L, E>(
        &self,
        key: &K,
        load: F,
    ) -> Result<Found<V>, LoadError<E>>
    where
        F: FnOnce(LoadContext<V>) -> Fut,
        Fut: Future<Output = Result<L, E>> + Send + 'static,
        L: Into<Loaded<V>> + 'static,
        E: Send + Sync + 'static,
    {
        self.call(key, ReadOptions::new(), load).await
    }

    async fn call<F, Fut, L, E>(
        &self,
        key: &K,
        options: ReadOptions,
        load: F,
    ) -> Result<Found<V>, LoadError<E>>
    where
        F: FnOnce(LoadContext<V>) -> Fut,
        Fut: Future<Output = Result<L, E>> + Send + 'static,
        L: Into<Loaded<V>> + 'static,
        E: Send + Sync + 'static,
    {
        let look = match options.forces_fresh || options.skips_near {
            true => Near::Miss,
            false => self.inner.look_near(key),
        };
        let answer = self.serve(look, key, options, load).await;
        match answer {
            Ok(_) | Err(LoadError::NotFound | LoadError::Recursive) => answer,
            Err(error) if options.forces_fresh && options.falls_back => {
                let cached = Box::pin(self.find_cached(key, options)).await;
                cached.ok_or(error)
            }
            answer => answer,
        }
    }

    /// Returns what is cached for a forced load that has failed.
    async fn find_cached(&self, key: &K, options: ReadOptions) -> Option<Found<V>> {
        let options = ReadOptions {
            forces_fresh: false,
            allows_stale: true,
            ..options
        };
        self.find_with(key, options).await
    }

    /// Serves what a look at the near tier has found, or joins or begins a load.
    pub(crate) async fn serve<F, Fut, L, E>(
        &self,
        look: Near<V>,
        key: &K,
        options: ReadOptions,
        load: F,
    ) -> Result<Found<V>, LoadError<E>>
    where
        F: FnOnce(LoadContext<V>) -> Fut,
        Fut: Future<Output = Result<L, E>> + Send + 'static,
        L: Into<Loaded<V>> + 'static,
        E: Send + Sync + 'static,
    {
        let inner = &self.inner;
        match look {
            Near::Hit(kept) => {
                inner.count_near(&kept);
                inner.found_near(kept).ok_or(LoadError::NotFound)
            }
            Near::RefreshDue(kept) => {
                inner.count_near(&kept);
                self.refresh(key, options, kept.version, load);
                inner.found_near(kept).ok_or(LoadError::NotFound)
            }
            Near::Miss => self.join_or_load(key, options, load).await,
        }
    }

    async fn join_or_load<F, Fut, L, E>(
        &self,
        key: &K,
        options: ReadOptions,
        load: F,
    ) -> Result<Found<V>, LoadError<E>>
    where
        F: FnOnce(LoadContext<V>) -> Fut,
        Fut: Future<Output = Result<L, E>> + Send + 'static,
        L: Into<Loaded<V>> + 'static,
        E: Send + Sync + 'static,
    {
        let inner = &self.inner;
        inner.listening().await;
        let Some(_waiting) = recursion::wait(inner.node(key)) else {
            inner.metrics.recursive.increment(1);
            return Err(LoadError::Recursive);
        };
        let began = Instant::now();
        let deadline = began + inner.load_timeout;
        let soft = inner.soft_timeout.map(|soft| began + soft);
        loop {
            let came = inner.last_step();
            // Without a near tier each call reads the far store itself, so that it sees every
            // invalidation that was acknowledged before it. A call that accepts a stale value does
            // not wait for a load.
            if !options.forces_fresh && !options.skips_far && self.reads_for_itself(key, options) {
                // Boxed, so that the futures of the many callers that only follow a load stay
                // small.
                match Box::pin(inner.look_far(key, !options.skips_near)).await {
                    Look::Fresh(kept) => {
                        let found = kept.and_then(|kept| inner.found(kept, Source::Far));
                        return found.ok_or(LoadError::NotFound);
                    }
                    Look::RefreshDue(kept) => {
                        self.refresh(key, options, kept.version, load);
                        let found = inner.found(kept, Source::Far);
                        return found.ok_or(LoadError::NotFound);
                    }
                    Look::Stale(kept) if options.allows_stale => {
                        self.refresh(key, options, kept.version, load);
                        return inner.found_stale(kept).ok_or(LoadError::NotFound);
                    }
                    Look::Stale(kept) if inner.is_paused(key, &kept) => {
                        return inner.found_stale(kept).ok_or(LoadError::NotFound);
                    }
                    Look::Stale(_) | Look::Absent | Look::NoFar => {}
                }
            } else if options.skips_far {
                inner.not_looked(key);
            }
            let recheck = || match options.forces_fresh || options.skips_near {
                true => None,
                false => inner.peek_near(key),
            };
            match inner.flights.join(key, recheck) {
                Joined::Hit(kept) => {
                    inner.count_near(&kept);
                    return inner.found_near(kept).ok_or(LoadError::NotFound);
                }
                Joined::Follower(follower) => {
                    inner.metrics.coalesced.increment(1);
                    let waited = self.wait_for(key, options, &follower, soft, deadline).await;
                    // `None` means an error of another call site, in a type that this one does not
                    // know, or an answer that is too old for this call: it loads by itself.
                    match self.answer(key, options, waited, Some(came)) {
                        // The load that failed may have begun before this call.
                        Some(Err(_)) if options.forces_fresh && Instant::now() < deadline => {}
                        Some(answer) => return answer.map(Found::for_a_follower),
                        None => {}
                    }
                }
                Joined::Leader(leader) => {
                    let context = LoadContext::new();
                    let plan = plan(options);
                    let task =
                        LoadTask::new(inner.clone(), key.clone(), leader, context.clone(), plan);
                    let follower = task.follow();
                    // A loader may panic before it returns a future.
                    if let Ok(load) = catch_unwind(AssertUnwindSafe(|| load(context))) {
                        // Those who join it later have time of their own to wait for it.
                        let until = Instant::now() + inner.load_timeout;
                        let task = task.run(erase(load), until);
                        poll_once(Box::pin(task.in_current_span())).await;
                    } else {
                        task.fail(Failure::Panicked);
                    }
                    let waited = self.wait_for(key, options, &follower, soft, deadline).await;
                    // The error is this loader's own, so its type is known.
                    let answer = self.answer(key, options, waited, None);
                    return answer.unwrap_or(Err(LoadError::Abandoned));
                }
                Joined::Full => {
                    inner.metrics.overloaded.increment(1);
                    let stale = self.fallback(key, options);
                    return stale.ok_or(LoadError::Overloaded);
                }
            }
        }
    }

    fn reads_for_itself(&self, key: &K, options: ReadOptions) -> bool {
        let inner = &self.inner;
        let uses_near = inner.keeps_near && !options.skips_near;
        let seeks_stale = options.allows_stale && inner.fallback(key).is_none();
        inner.far.is_some() && (!uses_near || seeks_stale)
    }
}

fn plan(options: ReadOptions) -> Plan {
    let usual = Plan::usual();
    Plan {
        wanted: match options.forces_fresh {
            true => Wanted::Load,
            false => usual.wanted,
        },
        uses_near: !options.skips_near,
        uses_far: !options.skips_far,
        ..usual
    }
}

/// Polls a task once here, and gives it to the runtime only if it is not ready.
///
/// A load that never waits then costs no task, no wake-up and no timer. A call cannot be dropped
/// in the middle of one poll, so nobody can see the difference.
async fn poll_once(mut task: Pin<Box<dyn Future<Output = ()> + Send>>) {
    let runtime = Handle::current();
    let polled = poll_fn(|cx| {
        // A panic ends the flight on its way here.
        Poll::Ready(catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(cx))))
    });
    if let Ok(Poll::Pending) = polled.await {
        runtime.spawn(task);
    }
}
