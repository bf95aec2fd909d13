use std::sync::Arc;

use larder_store::{Error, ErrorKind, Result};

use crate::CacheKey;
use crate::cache::Inner;
use crate::remote::Change;

pub(super) const LOCKED: &str =
    "earlier changes of this key, or of one that shares its lock, did not finish in time";
pub(super) const UNTRIED: &str = "earlier keys of this call failed, so this one was not tried";
pub(super) const LEFT_BESIDE: &str = "the values of another release were not removed";
const UNTOLD: &str = "the change reached the far store, but other processes were not notified";

impl<K: CacheKey, V: Send + Sync + 'static> Inner<K, V> {
    /// Counts and quarantines keys that were not changed. Returns an error for each, which says whether its
    /// change will be retried.
    pub(super) fn not_changed(
        self: &Arc<Self>,
        keys: &[K],
        (operation, kind): (&'static str, ErrorKind),
        why: &str,
    ) -> Vec<Result<()>> {
        self.metrics.far_delete_errors.increment(keys.len() as u64);
        let errors = self.failures(keys, operation, kind, why);
        errors.into_iter().map(Err).collect()
    }

    /// Tells other processes about those of the keys that were changed, unless that has `failed` before in this
    /// call. Failed removals are announced when they are retried.
    ///
    /// Returns whether it has failed, and how.
    pub(super) async fn tell(
        self: &Arc<Self>,
        change: Change,
        keys: &[K],
        results: &mut [Result<()>],
        mut failed: Option<ErrorKind>,
    ) -> Option<ErrorKind> {
        let changed = keys.iter().zip(&*results);
        let changed = changed.filter(|(_, result)| result.is_ok());
        let changed: Vec<_> = changed.map(|(key, _)| key.clone()).collect();
        if failed.is_none() && !changed.is_empty() {
            let published = self.publish(change, &changed).await;
            failed = published.err().map(|error| error.kind());
        }
        if let Some(kind) = failed {
            let errors = self.failures(&changed, "publish", kind, UNTOLD);
            let untold = results.iter_mut().filter(|result| result.is_ok());
            for (result, error) in untold.zip(errors) {
                *result = Err(error);
            }
        }
        failed
    }

    /// Quarantines keys, and returns an error for each.
    fn failures(
        self: &Arc<Self>,
        keys: &[K],
        operation: &'static str,
        kind: ErrorKind,
        why: &str,
    ) -> Vec<Error> {
        let error = |is_retried| {
            let then = match is_retried {
                true => "it will be retried",
                false => "it will not be retried, because too many changes wait for that",
            };
            Error::new(operation, kind, format!("{why}: {then}"))
        };
        let retried = self.quarantine(keys.iter().cloned());
        retried.into_iter().map(error).collect()
    }
}
