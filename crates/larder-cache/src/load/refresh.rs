use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use larder_layer::{Failure, Joined};
use larder_store::Version;
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::plan;
use crate::election::Wanted;
use crate::kept::Kept;
use crate::leader::{LoadTask, Plan, erase};
use crate::spawn::spawn_in_span;
use crate::{Cache, CacheKey, LoadContext, Loaded, ReadOptions};

impl<K: CacheKey, V: Send + Sync + 'static> Cache<K, V> {
    /// Begins to replace a due value, if the cache has a loader for batches.
    pub(crate) fn refresh_in_batch(&self, key: &K, kept: &Kept<V>) {
        if let Some(refresher) = &self.inner.refresher
            && let Ok(runtime) = Handle::try_current()
            && let Some(task) = self.refresh_task(key, ReadOptions::new(), kept.version)
        {
            refresher.add(&runtime, self.inner.load_timeout, Box::new(task));
        }
    }

    /// Returns the flight of a refresh. None if a flight of the key is under way.
    pub(crate) fn refresh_task(
        &self,
        key: &K,
        options: ReadOptions,
        seen: Option<Version>,
    ) -> Option<LoadTask<K, V>> {
        let Joined::Leader(leader) = self.inner.flights.join(key, || None::<()>) else {
            return None;
        };
        let plan = Plan {
            wanted: seen.map_or(Wanted::Load, Wanted::Newer),
            is_refresh: true,
            ..plan(options)
        };
        let (inner, key) = (self.inner.clone(), key.clone());
        Some(LoadTask::new(inner, key, leader, LoadContext::new(), plan))
    }

    /// Begins to replace a value that is cached, unless a flight of its key is under way.
    pub(crate) fn refresh<F, Fut, L, E>(
        &self,
        key: &K,
        options: ReadOptions,
        seen: Option<Version>,
        load: F,
    ) where
        F: FnOnce(LoadContext<V>) -> Fut,
        Fut: Future<Output = Result<L, E>> + Send + 'static,
        L: Into<Loaded<V>> + 'static,
        E: Send + Sync + 'static,
    {
        let inner = &self.inner;
        // A near hit works outside of a runtime too.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let Some(task) = self.refresh_task(key, options, seen) else {
            return;
        };
        if let Some(refresher) = &inner.refresher {
            return refresher.add(&runtime, inner.load_timeout, Box::new(task));
        }
        let context = task.context();
        match catch_unwind(AssertUnwindSafe(|| load(context))) {
            Ok(load) => {
                let deadline = Instant::now() + inner.load_timeout;
                spawn_in_span(&runtime, task.run(erase(load), deadline));
            }
            Err(_) => task.fail(Failure::Panicked),
        }
    }
}
