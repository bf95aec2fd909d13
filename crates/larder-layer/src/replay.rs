use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A cache with [pending invalidations](crate::Pending), which it can try again.
pub trait Replay: Send + Sync + 'static {
    /// Returns the state of the task that tries them again.
    fn task(&self) -> &ReplayTask;

    /// Returns the number of invalidations that wait.
    fn waiting(&self) -> usize;

    /// Tries some of them again. Returns whether any succeeded.
    fn try_some(&self) -> impl Future<Output = bool> + Send;
}

/// Whether a task tries invalidations again: there is at most one.
#[derive(Debug, Default)]
pub struct ReplayTask {
    is_running: Mutex<bool>,
}

/// Starts the task that tries the invalidations of `work` again, if any waits and it is not running.
///
/// It pauses for 100 ms at first, and twice as long after each failure, up to 2 s. It ends once none waits, or
/// when `work` is dropped. Call it after each invalidation that was added. If the runtime of the task ends,
/// the next call in another runtime starts it again.
pub fn replay<W: Replay>(work: &Arc<W>) {
    if work.waiting() == 0 {
        return;
    }
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    if work.task().begin() {
        let running = Running {
            work: Arc::downgrade(work),
            is_done: false,
        };
        // Boxed, so that the runtime's part of a task is compiled once.
        let task: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(run(running));
        drop(runtime.spawn(task));
    }
}

impl ReplayTask {
    /// Returns whether the caller has to start the task.
    fn begin(&self) -> bool {
        !std::mem::replace(&mut self.is_running.lock(), true)
    }

    /// Ends the task if nothing waits. Returns whether it did.
    ///
    /// It looks under the lock. So it sees every invalidation that was added before, and a later one starts a new
    /// task.
    fn end(&self, is_nothing_waiting: impl FnOnce() -> bool) -> bool {
        let mut is_running = self.is_running.lock();
        *is_running = !is_nothing_waiting();
        !*is_running
    }
}

/// The task, which may end with its runtime.
struct Running<W: Replay> {
    work: Weak<W>,
    /// Another task may run already.
    is_done: bool,
}

impl<W: Replay> Drop for Running<W> {
    fn drop(&mut self) {
        if let Some(work) = self.work.upgrade()
            && !self.is_done
        {
            *work.task().is_running.lock() = false;
        }
    }
}

async fn run<W: Replay>(mut running: Running<W>) {
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        let Some(work) = running.work.upgrade() else {
            return;
        };
        pause = match work.try_some().await {
            true => FIRST_PAUSE,
            false => (pause * 2).min(LONGEST_PAUSE),
        };
        if work.task().end(|| work.waiting() == 0) {
            running.is_done = true;
            return;
        }
    }
}

#[cfg(test)]
mod tests;
