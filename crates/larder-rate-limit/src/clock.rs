use std::time::{SystemTime, UNIX_EPOCH};

use larder_store::program::Programs;

/// Returns the time that a step would see, or this machine's if asking takes a round trip. In
/// microseconds.
pub(crate) fn now(programs: &dyn Programs) -> i64 {
    match programs.now() {
        Some(now) => now.as_micros(),
        None => {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            i64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(i64::MAX)
        }
    }
}
