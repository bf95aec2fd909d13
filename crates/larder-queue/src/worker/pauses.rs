//! The pauses of workers and of periodic jobs.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::Backoff;

const STORE_BACKOFF: Backoff =
    Backoff::exponential(Duration::from_millis(50), Duration::from_secs(5));

/// Draws the pause after this many failures of the store.
pub(super) fn after_failures(failures: u32) -> Duration {
    STORE_BACKOFF.pause(failures, rand::random())
}

/// Waits after this many failures of the store.
pub(crate) async fn pause_after(failures: u32) {
    sleep(after_failures(failures)).await;
}

pub(super) async fn sleep_or_never(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}
