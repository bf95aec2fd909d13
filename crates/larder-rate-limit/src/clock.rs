use std::sync::LazyLock;
use std::time::SystemTime;

use larder_store::program::Programs;
use larder_store::{Clock, SystemClock, Timestamp};

/// Returns the time that a step would see, or this machine's if asking takes a round trip. In
/// microseconds.
pub(crate) fn now(programs: &dyn Programs) -> i64 {
    let now = programs.now();
    now.unwrap_or_else(|| Timestamp::from(SystemTime::now()))
        .as_micros()
}

/// Returns the same for the TTLs of this process: no step of this machine's clock moves it.
pub(crate) fn steady(programs: &dyn Programs) -> i64 {
    static CLOCK: LazyLock<SystemClock> = LazyLock::new(SystemClock::default);
    programs.now().unwrap_or_else(|| CLOCK.now()).as_micros()
}
