use larder_store::{Clock, Timestamp};
use tokio::time::Instant;

/// A clock for an in-process store that follows tokio's: a test that pauses tokio's time pauses
/// both.
///
/// ```
/// # use std::sync::Arc;
/// # use larder_moka::MokaStore;
/// # use larder_queue::worker::TokioClock;
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let store = MokaStore::builder().with_clock(TokioClock::new()).build();
/// # let _ = store;
/// // A sleep of an hour now passes at once, for the store too.
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    started: Instant,
}

/// The first time that the clock shows: the first second of 2026.
const FIRST: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

impl TokioClock {
    /// Makes a clock that shows the first second of 2026.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        let micros = self.started.elapsed().as_micros();
        FIRST.plus_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}
