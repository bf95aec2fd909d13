//! Work of cleaning up that is repeated in the background until it succeeds.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

/// The pauses between the attempts.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The number of tasks that repeat at once what has failed for one kind of work. Further ones wait for their turn.
pub(crate) const REPEATS: usize = 1_000;

/// Repeats `attempt` in a task until it returns true, for `lasts` at most. Without a runtime it does nothing.
///
/// After the first attempt it waits for a permit of `repeats`.
pub(crate) fn repeat<F>(
    repeats: &'static Semaphore,
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
        let Ok(Ok(_permit)) = timeout(lasts, repeats.acquire()).await else {
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
