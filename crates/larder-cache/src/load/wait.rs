use std::pin::pin;

use futures_util::future::{Either, select};
use larder_layer::{Failure, Follower};
use tokio::time::Instant;

use crate::election::Answer;
use crate::kept::Kept;
use crate::leader::Outcome;
use crate::{Cache, CacheKey, Found, LoadError, ReadOptions, Source};

/// The result of a wait for a flight.
pub(crate) enum Waited<V> {
    /// The soft timeout has passed, and this value may be served meanwhile.
    Soft(Kept<V>),
    Ended(Result<Outcome<V>, Failure>),
}

impl<K: CacheKey, V: Send + Sync + 'static> Cache<K, V> {
    /// Waits for a flight: until the soft timeout if a stale value can be served then, and until
    /// the deadline otherwise.
    pub(crate) async fn wait_for(
        &self,
        key: &K,
        options: ReadOptions,
        follower: &Follower<Outcome<V>>,
        soft: Option<Instant>,
        deadline: Instant,
    ) -> Waited<V> {
        let allowed = options.allows_stale.then(Instant::now).or(soft);
        if let Some(soft) = allowed.filter(|soft| *soft < deadline && !options.forces_fresh) {
            match follower.outcome(soft).await {
                Err(Failure::TimedOut) => {}
                outcome => return Waited::Ended(outcome),
            }
            return match self.inner.fallback(key) {
                Some(kept) => Waited::Soft(kept),
                None => Box::pin(self.wait_for_fallback(key, follower, deadline)).await,
            };
        }
        Waited::Ended(follower.outcome(deadline).await)
    }

    /// Waits for the end of a flight, or for a value to serve meanwhile: the far read may be slow.
    async fn wait_for_fallback(
        &self,
        key: &K,
        follower: &Follower<Outcome<V>>,
        deadline: Instant,
    ) -> Waited<V> {
        let mut outcome = pin!(follower.outcome(deadline));
        loop {
            // Created before the copy is read, so that no wake-up comes between the two.
            let kept = pin!(self.inner.fallback_kept.notified());
            if let Some(kept) = self.inner.fallback(key) {
                return Waited::Soft(kept);
            }
            if let Either::Left((outcome, _)) = select(outcome.as_mut(), kept).await {
                return Waited::Ended(outcome);
            }
        }
    }

    /// Returns the result for a caller that expects errors of type `E`.
    ///
    /// None if the loader's error has another type, or the answer is not for a call that had seen
    /// `came` steps when it began.
    pub(crate) fn answer<E: Send + Sync + 'static>(
        &self,
        key: &K,
        options: ReadOptions,
        waited: Waited<V>,
        came: Option<u64>,
    ) -> Option<Result<Found<V>, LoadError<E>>> {
        let outcome = match waited {
            Waited::Soft(kept) => return self.inner.found_stale(kept).map(Ok),
            Waited::Ended(outcome) => outcome,
        };
        let error = match outcome {
            Ok(Ok(answer)) => {
                let is_for = came.is_none_or(|came| answer.is_for(came, options.forces_fresh));
                return is_for.then(|| self.found(answer));
            }
            Ok(Err(error)) => match error.downcast().ok() {
                Some(error) => LoadError::Loader(error),
                None => return self.fallback(key, options).map(Ok),
            },
            Err(Failure::Panicked) => LoadError::Panicked,
            Err(Failure::TimedOut) => LoadError::TimedOut,
            Err(Failure::Abandoned) => LoadError::Abandoned,
        };
        Some(self.fallback(key, options).ok_or(error))
    }

    fn found<E>(&self, answer: Answer<V>) -> Result<Found<V>, LoadError<E>> {
        let source = match answer.load {
            Some(_) => Source::Loaded,
            None => Source::Far,
        };
        let age = self.inner.clock.now().since(answer.loaded_at);
        let value = answer.value.ok_or(LoadError::NotFound)?;
        Ok(Found::new(value, source, age))
    }

    /// Returns the value that may be served although the load failed.
    pub(crate) fn fallback(&self, key: &K, options: ReadOptions) -> Option<Found<V>> {
        // A forced load asks both tiers for what is cached, once it has failed.
        match options.forces_fresh {
            true => None,
            false => self.inner.found_stale(self.inner.fallback(key)?),
        }
    }
}
