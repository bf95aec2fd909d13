use std::future::Future;
use std::time::Duration;

use larder_store::lease::Fence;
use tokio::time::{Instant, sleep};

use super::Lock;

/// The pauses after attempts that failed.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Lock {
    /// Runs `work` in one process at a time, and returns its result.
    ///
    /// It waits until this process leads, and calls `work` with the fence of its leadership. If
    /// leadership is lost, the future of `work` is dropped before any other process can lead, and
    /// it waits again. When `work` returns, leadership is released. While the store fails it tries
    /// again, after about 100 ms at first, doubling up to about 5 s, and logs the first failure.
    ///
    /// # Panics
    /// Outside a tokio runtime with the time driver enabled.
    ///
    /// # Cancellation
    /// Dropping the future drops `work` and releases leadership in the background.
    pub async fn run_while_leader<T, F, Fut>(&self, mut work: F) -> T
    where
        F: FnMut(Fence) -> Fut,
        Fut: Future<Output = T>,
    {
        let mut pause = FIRST_PAUSE;
        loop {
            let began = Instant::now();
            let guard = match self.lock(Duration::MAX).await {
                Ok(Some(guard)) => guard,
                // Without a deadline it waits until it has the lock.
                Ok(None) => continue,
                Err(error) => {
                    // What fails after a long wait is another failure.
                    if began.elapsed() > LONGEST_PAUSE {
                        pause = FIRST_PAUSE;
                    }
                    if pause == FIRST_PAUSE {
                        tracing::warn!(%error, "cannot take part in the election; trying again");
                    }
                    sleep(pause.mul_f64(0.75 + rand::random::<f64>() / 2.0)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    continue;
                }
            };
            pause = FIRST_PAUSE;
            let done = tokio::select! {
                biased;
                () = guard.lost() => None,
                done = work(guard.fence()) => Some(done),
            };
            match done {
                Some(done) => {
                    // If it fails, it is released in the background.
                    let _ = guard.release().await;
                    return done;
                }
                None => guard.end_term(),
            }
        }
    }
}
