use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

/// The maximum of dials per second, so that clients do not stampede a server.
const DIALS: usize = 8;

const SECOND: Duration = Duration::from_secs(1);
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_millis(250);

/// Limits the rate of dials, and waits after failed ones.
pub(crate) struct Backoff {
    dials: VecDeque<Instant>,
    wait: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self {
            dials: VecDeque::with_capacity(DIALS),
            wait: SHORTEST,
        }
    }

    /// Waits until another dial is within the limit, and counts it.
    pub(crate) async fn admit(&mut self) {
        if self.dials.len() == DIALS
            && let Some(oldest) = self.dials.pop_front()
        {
            sleep_until(oldest + SECOND).await;
        }
        self.dials.push_back(Instant::now());
    }

    /// Waits after a failed dial: longer each time, with jitter.
    pub(crate) async fn back_off(&mut self) {
        sleep(self.wait.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        self.wait = (self.wait * 2).min(LONGEST);
    }

    /// Resets the wait after a dial that succeeded.
    pub(crate) fn succeeded(&mut self) {
        self.wait = SHORTEST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_second_has_more_than_eight_dials() {
        let mut backoff = Backoff::new();
        let mut dials = Vec::new();
        for _ in 0..40 {
            backoff.admit().await;
            dials.push(Instant::now());
            backoff.back_off().await;
            backoff.succeeded();
        }
        for pair in dials.windows(DIALS + 1) {
            assert!(pair[DIALS] - pair[0] >= SECOND);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waits_grow_to_a_quarter_of_a_second() {
        let mut backoff = Backoff::new();
        for longest in [20, 40, 80, 160, 250, 250] {
            let before = Instant::now();
            backoff.back_off().await;
            let waited = before.elapsed();
            // The timer counts whole milliseconds, rounded up.
            assert!(waited <= Duration::from_millis(longest + 1), "{waited:?}");
            assert!(waited >= Duration::from_millis(longest / 2), "{waited:?}");
        }
    }
}
