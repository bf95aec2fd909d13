//! Work of cleaning up that is repeated in the background until it succeeds.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

/// How many tasks of this process repeat what has failed. What others have left behind ends by its TTL.
static REPEATS: Semaphore = Semaphore::const_new(1_000);

/// The pauses between the attempts.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Repeats `attempt` in a task until it returns true, for `lasts` at most. Without a runtime it does nothing.
pub(crate) fn repeat<F>(lasts: Duration, mut attempt: impl FnMut() -> F + Send + 'static)
where
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
        let Ok(_permit) = REPEATS.try_acquire() else {
            return;
        };
        let mut pause = FIRST_PAUSE;
        while began.elapsed() < lasts {
            sleep(pause).await;
            if attempt().await {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    });
}
