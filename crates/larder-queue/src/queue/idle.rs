//! The idle tasks of a process: one of them waits at the store, and wakes no more tasks than
//! needed.

use std::time::Duration;

use larder_store::wait::{Waiter, Waits};
use larder_store::{Key, Result};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep};

/// How long a waiter is kept without being polled: a store on a network forgets it soon after.
const KEPT: Duration = Duration::from_secs(3);

/// The waiter of all clones of a queue.
#[derive(Default)]
pub(super) struct Idle(Mutex<Option<Kept>>);

struct Kept {
    waiter: Box<dyn Waiter>,
    polled: Instant,
}

impl Idle {
    /// Waits for the turn to wait at the store. Tasks get it in the order in which they came.
    pub(super) async fn turn(&self) -> Turn<'_> {
        Turn(self.0.lock().await)
    }
}

/// The turn of a task. The next one begins with a look, so a chain of tasks empties the queue.
pub(crate) struct Turn<'a>(MutexGuard<'a, Option<Kept>>);

impl Turn<'_> {
    /// Registers a waiter, unless the last task has left a fresh one. Look at the queue afterwards.
    pub(super) async fn begin(&mut self, waits: &dyn Waits, key: &Key) -> Result<()> {
        let is_fresh = |kept: &Kept| kept.polled.elapsed() < KEPT;
        if self.0.as_ref().is_some_and(is_fresh) {
            return Ok(());
        }
        *self.0 = None;
        let waiter = waits.wait_for(key).await?;
        let polled = Instant::now();
        *self.0 = Some(Kept { waiter, polled });
        Ok(())
    }

    /// Waits until the queue should be looked at again, for at most this long.
    pub(crate) async fn wait(&mut self, at_most: Duration) {
        // If the timer fired a fraction of a millisecond early, it would cost another look.
        let pause = at_most.saturating_add(Duration::from_millis(1));
        if let Some(kept) = self.0.as_mut() {
            tokio::select! {
                _ = kept.waiter.next() => {}
                () = sleep(pause) => {}
            }
            kept.polled = Instant::now();
        }
    }
}
