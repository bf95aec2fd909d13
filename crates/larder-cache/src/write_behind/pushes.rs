use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// The writes that are on their way into the journal.
///
/// A write begins here before it looks whether the journal is shut down. So a shutdown, which closes the
/// journal and then waits for these, misses no write that is acknowledged.
#[derive(Default)]
pub(super) struct Pushes {
    in_flight: AtomicUsize,
    ended: Notify,
}

/// A write on its way. It ends when this is dropped.
pub(super) struct Pushing<'a>(&'a Pushes);

impl Pushes {
    pub(super) fn begin(&self) -> Pushing<'_> {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        Pushing(self)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.in_flight.load(Ordering::SeqCst) == 0
    }

    /// Waits until none is on its way.
    pub(super) async fn ended(&self) {
        loop {
            // Created before the count is read, so that no end is missed.
            let ended = self.ended.notified();
            if self.is_empty() {
                return;
            }
            ended.await;
        }
    }
}

impl Drop for Pushing<'_> {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.ended.notify_waiters();
        }
    }
}
