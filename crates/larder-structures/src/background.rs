//! Work of cleaning up that is repeated in the background until it succeeds.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

/// The pauses between the attempts.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The maximum number of tasks that repeat what has failed.
const MAX_TASKS: usize = 100_000;

/// The maximum number of repeated attempts at once.
const MAX_ATTEMPTS: usize = 1_000;

/// The bounds of one kind of work.
pub(crate) struct Repeats {
    tasks: Semaphore,
    attempts: Semaphore,
}

impl Repeats {
    pub(crate) const fn new() -> Self {
        Self::with_bounds(MAX_TASKS, MAX_ATTEMPTS)
    }

    const fn with_bounds(tasks: usize, attempts: usize) -> Self {
        Self {
            tasks: Semaphore::const_new(tasks),
            attempts: Semaphore::const_new(attempts),
        }
    }

    /// Repeats `attempt` in a task until it returns true, for `lasts` at most. Without a runtime it does nothing.
    ///
    /// If too many tasks repeat already, the first attempt is the only one. Each further attempt waits for its turn by
    /// itself: a task has none during its pauses, so work on a store that is away holds up no other work.
    pub(crate) fn repeat<F>(
        &'static self,
        lasts: Duration,
        mut attempt: impl FnMut() -> F + Send + 'static,
    ) where
        F: Future<Output = bool> + Send,
    {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let began = Instant::now();
        runtime.spawn(async move {
            if attempt().await {
                return;
            }
            let Ok(_task) = self.tasks.try_acquire() else {
                return;
            };
            let left = lasts.saturating_sub(began.elapsed());
            let _ = timeout(left, self.repeat_failed(attempt)).await;
        });
    }

    async fn repeat_failed<F>(&self, mut attempt: impl FnMut() -> F)
    where
        F: Future<Output = bool>,
    {
        let mut pause = FIRST_PAUSE;
        loop {
            sleep(pause).await;
            let _turn = self.attempts.acquire().await;
            if attempt().await {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Repeats what never succeeds, and returns the number of attempts so far.
    fn fails(repeats: &'static Repeats, lasts: u64) -> impl Fn() -> usize {
        let attempts = Arc::new(AtomicUsize::new(0));
        let counted = attempts.clone();
        repeats.repeat(Duration::from_secs(lasts), move || {
            counted.fetch_add(1, Ordering::SeqCst);
            ready(false)
        });
        move || attempts.load(Ordering::SeqCst)
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_hangs_holds_up_others_for_as_long_as_its_work_lasts() {
        static REPEATS: Repeats = Repeats::with_bounds(2, 1);
        let mut is_first = true;
        REPEATS.repeat(Duration::from_secs(5), move || {
            let is_first = std::mem::take(&mut is_first);
            async move {
                match is_first {
                    true => false,
                    false => pending().await,
                }
            }
        });
        sleep(Duration::from_secs(1)).await;
        let attempts = fails(&REPEATS, 60);
        sleep(Duration::from_secs(3)).await;
        assert_eq!(attempts(), 1);
        sleep(Duration::from_secs(3)).await;
        assert!(attempts() > 1);
    }

    #[tokio::test(start_paused = true)]
    async fn work_past_the_bound_is_given_up_after_its_first_attempt() {
        static REPEATS: Repeats = Repeats::with_bounds(1, 1);
        let first = fails(&REPEATS, 5);
        sleep(Duration::from_secs(1)).await;
        let second = fails(&REPEATS, 60);
        sleep(Duration::from_secs(3)).await;
        assert!(first() > 1);
        sleep(Duration::from_secs(3)).await;
        assert_eq!(second(), 1);
        // The first has ended meanwhile.
        let third = fails(&REPEATS, 60);
        sleep(Duration::from_secs(1)).await;
        assert!(third() > 1);
    }
}
