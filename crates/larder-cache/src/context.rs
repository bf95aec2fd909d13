use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use crate::Loaded;
use crate::envelope::TagMarks;
use crate::found::Value;

/// Gives a loader the value that it replaces.
///
/// [`Cache::refresh_or_load`](crate::Cache::refresh_or_load) passes it to its loader. Clones are
/// cheap and share everything.
pub struct LoadContext<V> {
    previous: Arc<OnceLock<Previous<V>>>,
}

/// The value that was cached before a load, fresh or stale.
///
/// It dereferences to the value.
pub struct Previous<V> {
    value: Arc<V>,
    /// Its tags when the load began: the copy may be gone when the load ends.
    tags: TagMarks,
}

impl<V> LoadContext<V> {
    pub(crate) fn new() -> Self {
        Self {
            previous: Arc::default(),
        }
    }

    pub(crate) fn set_previous(&self, value: Arc<V>, tags: TagMarks) {
        // A second one is not set: the first was read under the lease.
        let _ = self.previous.set(Previous { value, tags });
    }

    pub(crate) fn has_previous(&self) -> bool {
        self.previous.get().is_some()
    }

    /// Returns the value that was cached before, or None if there is none.
    ///
    /// It is known only when the loader's future runs: call this inside the `async` block.
    pub fn previous(&self) -> Option<Previous<V>> {
        let Previous { value, tags } = self.previous.get()?;
        Some(Previous {
            value: value.clone(),
            tags: tags.clone(),
        })
    }
}

impl<V> Previous<V> {
    /// Keeps the value for another TTL, because the source has not changed it.
    pub fn not_modified(self) -> Loaded<V> {
        Loaded::of(Value::Same(self.value, self.tags))
    }
}

impl<V> Deref for Previous<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.value
    }
}

impl<V> Clone for LoadContext<V> {
    fn clone(&self) -> Self {
        Self {
            previous: self.previous.clone(),
        }
    }
}

impl<V> fmt::Debug for LoadContext<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadContext")
            .field("has_previous", &self.has_previous())
            .finish()
    }
}

impl<V> fmt::Debug for Previous<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Previous").finish_non_exhaustive()
    }
}
