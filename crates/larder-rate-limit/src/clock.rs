use std::time::SystemTime;

use larder_store::Timestamp;
use larder_store::program::Programs;

/// Returns the time that a step would see, or this machine's if asking takes a round trip. In
/// microseconds.
pub(crate) fn now(programs: &dyn Programs) -> i64 {
    let now = programs.now();
    now.unwrap_or_else(|| Timestamp::from(SystemTime::now()))
        .as_micros()
}
