use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::timeout;

/// The result of slow work, which runs in the background and at most once at a time.
pub(super) struct Background<T>(Arc<Shared<T>>);

struct Shared<T> {
    last: Mutex<Last<T>>,
    ended: Notify,
}

struct Last<T> {
    found: Option<T>,
    at: Option<Instant>,
    /// When the last run ended, whether it found something or not.
    tried: Option<Instant>,
    /// Work that takes long is repeated less often.
    took: Duration,
    is_running: bool,
    /// How many times the result was forgotten.
    epoch: u64,
    /// Whether the last run exceeded its time limit.
    is_late: bool,
}

/// The last result.
pub(super) struct Latest<T> {
    /// None before the work has ended for the first time.
    pub(super) found: Option<T>,
    pub(super) age: Duration,
    /// Whether the last run exceeded its time limit, so that there is nothing newer.
    pub(super) is_late: bool,
}

impl<T: Clone + Send + 'static> Background<T> {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared {
            last: Mutex::new(Last {
                found: None,
                at: None,
                tried: None,
                took: Duration::ZERO,
                is_running: false,
                epoch: 0,
                is_late: false,
            }),
            ended: Notify::new(),
        }))
    }

    /// Returns the last result; starts the work if that is older than `max_age`, and waits `patience` for it.
    ///
    /// The work continues if this call is dropped, and may take `within`.
    pub(super) async fn latest(
        &self,
        max_age: Duration,
        patience: Duration,
        within: Duration,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Latest<T> {
        let ended = self.0.ended.notified();
        tokio::pin!(ended);
        // From here on, no end is missed.
        ended.as_mut().enable();
        if let Some(epoch) = self.0.claim(max_age) {
            tokio::spawn(run(self.0.clone(), epoch, within, work));
        }
        if self.0.lock().is_running {
            // Whether it has ended or not, return the latest result.
            let _ = timeout(patience, ended).await;
        }
        let last = self.0.lock();
        Latest {
            found: last.found.clone(),
            age: last.at.map_or(Duration::ZERO, |at| at.elapsed()),
            is_late: last.is_late,
        }
    }

    /// Makes the next call start the work again. If the work is running, it is the first call after its end.
    pub(super) fn forget(&self) {
        let mut last = self.0.lock();
        last.tried = None;
        last.epoch += 1;
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Last<T>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the epoch in which the work begins. None if it is not due, or is running.
    fn claim(&self, max_age: Duration) -> Option<u64> {
        let mut last = self.lock();
        let max_age = max_age.max(last.took * 10);
        let is_due = last.tried.is_none_or(|tried| tried.elapsed() > max_age);
        let is_claimed = is_due && !last.is_running;
        last.is_running |= is_claimed;
        is_claimed.then_some(last.epoch)
    }
}

/// Ends the claim, even if the work panics.
struct Claim<T>(Arc<Shared<T>>);

impl<T> Drop for Claim<T> {
    fn drop(&mut self) {
        self.0.lock().is_running = false;
        self.0.ended.notify_waiters();
    }
}

async fn run<T>(
    shared: Arc<Shared<T>>,
    epoch: u64,
    within: Duration,
    work: impl Future<Output = T>,
) {
    let claim = Claim(shared);
    let started = Instant::now();
    let found = timeout(within, work).await;
    let mut last = claim.0.lock();
    last.is_late = found.is_err();
    let now = Instant::now();
    // Work that timed out counts as well; otherwise it would start again at each call. What was forgotten
    // meanwhile may have been looked at before it changed.
    last.tried = (last.epoch == epoch).then_some(now);
    last.took = started.elapsed();
    if let Ok(found) = found {
        last.found = Some(found);
        last.at = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn work_that_hangs_delays_nobody_and_leaves_what_was_found() {
        let background = Background::new();
        let first = background.latest(LONG, LONG, LONG, ready(1)).await;
        assert_eq!(first.found, Some(1));
        // A result that is recent enough is not computed again.
        let same = background.latest(LONG, LONG, LONG, ready(2)).await;
        assert_eq!(same.found, Some(1));
        background.forget();
        let tick = Duration::from_millis(1);
        let old = background.latest(LONG, tick, LONG, pending()).await;
        assert_eq!(old.found, Some(1));
        // It is still running, so no other is started.
        let same = background
            .latest(Duration::ZERO, tick, LONG, ready(3))
            .await;
        assert_eq!(same.found, Some(1));
    }

    #[tokio::test]
    async fn a_result_that_was_forgotten_while_it_was_computed_is_computed_again() {
        let background = Background::new();
        let (end, ended) = tokio::sync::oneshot::channel();
        let tick = Duration::from_millis(1);
        let work = async { ended.await.unwrap() };
        let none = background.latest(LONG, tick, LONG, work).await;
        assert_eq!(none.found, None);
        // Something changes after the work has looked at it.
        background.forget();
        end.send(1).unwrap();
        let outdated = background.latest(LONG, LONG, LONG, ready(0)).await;
        assert_eq!(outdated.found, Some(1));
        let found = background.latest(LONG, LONG, LONG, ready(2)).await;
        assert_eq!(found.found, Some(2));
        let same = background.latest(LONG, LONG, LONG, ready(3)).await;
        assert_eq!(same.found, Some(2));
    }

    #[tokio::test]
    async fn work_past_its_bound_is_given_up_and_started_again_when_it_is_due() {
        let background = Background::new();
        let tick = Duration::from_millis(1);
        let none = background.latest(LONG, LONG, tick, pending()).await;
        assert_eq!((none.found, none.is_late), (None::<u8>, true));
        let same = background.latest(LONG, tick, LONG, ready(1)).await;
        assert_eq!((same.found, same.is_late), (None, true));
        background.forget();
        let found = background.latest(LONG, LONG, LONG, ready(2)).await;
        assert_eq!((found.found, found.is_late), (Some(2), false));
    }
}
