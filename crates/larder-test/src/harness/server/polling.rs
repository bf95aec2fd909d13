//! Polls with a deadline.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

/// Long enough for a machine that compiles on every core meanwhile.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);

/// The time to wait for each answer while polling, since a frozen server gives none.
pub(super) const GLANCE: Duration = Duration::from_millis(250);

const POLL: Duration = Duration::from_millis(5);

/// Asks until there is an answer; an error says what is still missing.
pub(super) fn until<T>(
    what: impl fmt::Display,
    mut ask: impl FnMut() -> Result<T, String>,
) -> io::Result<T> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match ask() {
            Ok(answer) => return Ok(answer),
            Err(missing) if Instant::now() > deadline => {
                let text = format!("{what} did not come within {DEADLINE:?}: {missing}");
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            Err(_) => std::thread::sleep(POLL),
        }
    }
}
