//! Polls with a deadline.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

/// The maximum wait: long enough on a machine that is compiling on every core.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);

/// The maximum wait for one answer while polling, because a frozen server does not answer.
pub(super) const GLANCE: Duration = Duration::from_millis(250);

const POLL: Duration = Duration::from_millis(5);

/// Calls `ask` until it succeeds. Its errors say what is still missing.
pub(super) fn until<T>(
    what: impl fmt::Display,
    mut ask: impl FnMut() -> Result<T, String>,
) -> io::Result<T> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match ask() {
            Ok(answer) => return Ok(answer),
            Err(missing) if Instant::now() > deadline => {
                let text = format!("waited {DEADLINE:?} for {what}: {missing}");
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            Err(_) => std::thread::sleep(POLL),
        }
    }
}
