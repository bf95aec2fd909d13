use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use larder_store::bus::Bus;
use larder_store::program::Programs;
use larder_store::{
    Delete, DeleteOutcome, Entry, Error, ErrorKind, Key, KeyId, Kind, Put, PutOutcome, Space,
    Store, StoreExt, Ttl,
};
use tokio::sync::Barrier;

use super::{Outcome, Violation};
use crate::Fixture;

/// A TTL that is longer than any law takes.
pub(super) const LONG: Ttl = Ttl::from_secs(60);

/// A TTL whose end laws wait for.
pub(super) const SHORT: Ttl = Ttl::from_millis(30);

const PINNED: Kind = Kind::pinned("law");
const EVICTABLE: Kind = Kind::evictable("law");
const OTHER_PINNED: Kind = Kind::pinned("law-other");
const OTHER_EVICTABLE: Kind = Kind::evictable("law-other");

/// The store, the time and the keys of one law.
pub(super) struct Scene<'a> {
    fixture: &'a dyn Fixture,
    pub(super) store: Arc<dyn Store>,
    /// A number that no other law has.
    pub(super) run: u64,
}

impl<'a> Scene<'a> {
    pub(super) fn of(fixture: &'a dyn Fixture) -> Self {
        Self {
            fixture,
            store: fixture.store(),
            run: fastrand::u64(..),
        }
    }

    pub(super) fn key(&self, id: impl KeyId) -> Key {
        Key::new(self.kind(), id)
    }

    pub(super) fn kind(&self) -> Kind {
        match self.fixture.space() {
            Space::Pinned => PINNED,
            Space::Evictable => EVICTABLE,
        }
    }

    pub(super) fn other_kind(&self) -> Kind {
        match self.fixture.space() {
            Space::Pinned => OTHER_PINNED,
            Space::Evictable => OTHER_EVICTABLE,
        }
    }

    /// Returns a put of `value` under `id`, with a TTL that is longer than the law takes.
    pub(super) fn put(&self, id: impl KeyId, value: impl Into<Bytes>) -> Put {
        Put::new(self.key(id), value, LONG)
    }

    /// Carries out a put, whose condition must be met.
    pub(super) async fn write(&self, put: &Put) -> Outcome {
        self.is_stored(put, "a put whose condition is met").await
    }

    pub(super) async fn is_stored(&self, put: &Put, what: &str) -> Outcome {
        ensure_eq!(self.store.put(put).await?, PutOutcome::Stored, "{what}");
        Ok(())
    }

    pub(super) async fn is_not_stored(&self, put: &Put, what: &str) -> Outcome {
        ensure_eq!(self.store.put(put).await?, PutOutcome::NotStored, "{what}");
        Ok(())
    }

    pub(super) async fn is_deleted(&self, delete: &Delete, what: &str) -> Outcome {
        let outcome = self.store.delete(delete).await?;
        ensure_eq!(outcome, DeleteOutcome::Deleted, "{what}");
        Ok(())
    }

    pub(super) async fn is_not_deleted(&self, delete: &Delete, what: &str) -> Outcome {
        let outcome = self.store.delete(delete).await?;
        ensure_eq!(outcome, DeleteOutcome::NotDeleted, "{what}");
        Ok(())
    }

    /// Writes a value under `id` with a [`SHORT`] TTL, and waits until it has expired.
    pub(super) async fn expired(&self, id: impl KeyId) -> Outcome<Put> {
        let put = Put::new(self.key(id), "short-lived", SHORT);
        self.write(&put).await?;
        self.outlive(SHORT).await;
        Ok(put)
    }

    /// Checks that the key of `put` has the value and the version of `put`.
    pub(super) async fn holds(&self, put: &Put, when: &str) -> Outcome {
        let held = self.store.get(put.key()).await?;
        same_entry(held, put, when)
    }

    pub(super) async fn is_absent(&self, key: &Key, when: &str) -> Outcome {
        let held = self.store.get(key).await?;
        ensure!(held.is_none(), "{when}: expected a miss, got {held:?}");
        Ok(())
    }

    /// Returns the remaining TTL of `key`, which must be present.
    pub(super) async fn ttl(&self, key: &Key) -> Outcome<Ttl> {
        let left = self.store.ttl(key).await?;
        left.ok_or_else(|| Violation::new("ttl of a key that is present: expected one, got none"))
    }

    /// Checks that `key` has `asked` left, or, by a clock that goes on, up to a half of it less.
    pub(super) async fn has_left(&self, key: &Key, asked: Ttl, when: &str) -> Outcome {
        let left = self.ttl(key).await?;
        let is_left = match self.is_exact() {
            true => left == asked,
            false => left <= asked && left.as_millis() > asked.as_millis() / 2,
        };
        ensure!(
            is_left,
            "{when}: expected {asked:?} or a little less, got {left:?}"
        );
        Ok(())
    }

    /// Returns whether time passes only if the law moves the clock.
    pub(super) fn is_exact(&self) -> bool {
        self.slack().is_zero()
    }

    pub(super) fn slack(&self) -> Duration {
        self.fixture.slack()
    }

    pub(super) fn held_keys(&self) -> Option<usize> {
        self.fixture.held_keys()
    }

    pub(super) async fn advance(&self, by: Duration) {
        self.fixture.advance(by).await;
    }

    /// Lets enough time pass that an entry with this TTL has expired.
    pub(super) async fn outlive(&self, ttl: Ttl) {
        self.advance(Duration::from(ttl) + self.slack()).await;
    }

    /// Waits until `is_there` returns false, and checks that this is not before `ttl` has passed since `began`.
    ///
    /// It checks all the time, so it notices an end that is too early even on a busy machine.
    pub(super) async fn lasts<F: Future<Output = Outcome<bool>>>(
        &self,
        ttl: Ttl,
        began: Instant,
        is_there: impl Fn() -> F,
        what: &str,
    ) -> Outcome {
        const WHOLE: Duration = Duration::from_millis(1);
        let ttl = Duration::from(ttl);
        while began.elapsed() < ttl + self.slack() {
            if !is_there().await? {
                // A server counts whole milliseconds.
                let lasted = began.elapsed() + WHOLE;
                ensure!(
                    lasted >= ttl,
                    "{what} of {ttl:?}: expected it until then, but it was gone after {lasted:?}"
                );
                break;
            }
            self.advance(WHOLE).await;
        }
        self.advance(self.slack()).await;
        Ok(())
    }

    pub(super) fn bus(&self) -> Outcome<Arc<dyn Bus>> {
        Ok(self.store.clone().require_bus("a law")?)
    }

    pub(super) fn programs(&self) -> Outcome<Arc<dyn Programs>> {
        Ok(self.store.clone().require_programs("a law")?)
    }
}

/// Checks that `held` has the value and the version of `put`.
pub(super) fn same_entry(held: Option<Entry>, put: &Put, when: &str) -> Outcome {
    let Some(held) = held else {
        let expected = put.value().len();
        return Err(Violation::new(format!(
            "{when}: expected the {expected} bytes that were put, got a miss"
        )));
    };
    same_bytes(&held.value, put.value(), when)?;
    ensure_eq!(held.version, put.version(), "{when}: the version");
    Ok(())
}

/// Checks that both are equal. The violation shows the position of the first difference.
pub(super) fn same_bytes(held: &[u8], put: &[u8], when: &str) -> Outcome {
    ensure_eq!(held.len(), put.len(), "{when}: the length of the value");
    if held != put {
        let differs = held.iter().zip(put).position(|(held, put)| held != put);
        return Err(Violation::new(format!(
            "{when}: expected the value that was put, got another at byte {differs:?}"
        )));
    }
    Ok(())
}

/// Checks that `answer` is an error of `kind`.
pub(super) fn is_error<T: Debug>(answer: Result<T, Error>, kind: ErrorKind, what: &str) -> Outcome {
    match answer {
        Err(error) if error.kind() == kind => Ok(()),
        Err(error) => Err(Violation::new(format!(
            "{what}: expected an error '{kind}', got '{error}'"
        ))),
        Ok(answer) => Err(Violation::new(format!(
            "{what}: expected an error '{kind}', got {answer:?}"
        ))),
    }
}

/// Runs `racers` tasks that start together.
pub(super) async fn race<T, F>(racers: usize, racer: impl Fn(usize) -> F) -> Outcome<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Outcome<T>> + Send + 'static,
{
    let start = Arc::new(Barrier::new(racers));
    let tasks = (0..racers).map(|number| {
        let (start, racer) = (start.clone(), racer(number));
        tokio::spawn(async move {
            start.wait().await;
            racer.await
        })
    });
    join_all(tasks)
        .await
        .into_iter()
        .map(|done| done.map_err(|error| Violation::new(format!("a task failed: {error}")))?)
        .collect()
}

/// Polls `future` up to `polls` times, then drops it, to cancel it.
pub(super) async fn cancel_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for poll in 0..polls {
        if poll > 0 {
            tokio::task::yield_now().await;
        }
        let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
    }
    None
}
