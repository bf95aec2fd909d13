//! When servers are believed that contradict what was known before.

use std::time::Duration;

use tokio::time::Instant;

/// The time for which all that answer must say the same before it replaces something newer or larger.
///
/// A server that missed a failover, or has just been started, learns what the others know within two seconds.
pub(crate) const ALL_AGREE: Duration = Duration::from_secs(10);

/// What all servers that answer say, and since when.
pub(crate) struct Agreement<T>(Option<(T, Instant)>);

impl<T: PartialEq> Agreement<T> {
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Notes what all of them say now, or None if they do not agree. Returns whether they have said it
    /// for long enough.
    pub(crate) fn note(&mut self, said: Option<T>) -> bool {
        match (said, &self.0) {
            (None, _) => {
                self.0 = None;
                false
            }
            (Some(said), Some((before, since))) if said == *before => since.elapsed() >= ALL_AGREE,
            (Some(said), _) => {
                self.0 = Some((said, Instant::now()));
                false
            }
        }
    }
}
