use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::log::EventId;

/// An event that a handler gets. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event<T> {
    /// Its id. Key the effects of the event by it to make them idempotent.
    pub id: EventId,
    /// How many times it was delivered, including this one.
    pub count: u32,
    /// The event.
    pub event: T,
}

impl<T> fmt::Debug for Event<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("id", &self.id)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

/// The failure of a handler, which decides what happens to its event.
///
/// Any error converts into one, by `?`: the event is delivered again, after a pause that doubles each time. The
/// other kinds are explicit.
///
/// It does not implement [`std::error::Error`] itself, which would rule out the conversion from any error.
pub struct EventError {
    kind: EventErrorKind,
    source: Box<dyn StdError + Send + Sync>,
}

/// What happens to an event whose handler failed.
///
/// [The page of errors](https://github.com/larder-rs/larder/blob/main/docs/errors.md#events)
/// says what to do about each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventErrorKind {
    /// It is delivered again after the consumer's [backoff](crate::log::Consumer::with_backoff).
    Retry,
    /// It is delivered again after this time, which is at most the lease of the group.
    RetryAfter(Duration),
    /// It becomes a dead letter at once.
    Dead,
}

impl EventError {
    /// Delivers the event again after the consumer's backoff.
    pub fn retry(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(EventErrorKind::Retry, source)
    }

    /// Delivers the event again after `delay`, which is at most the lease of the group.
    pub fn retry_after(
        delay: Duration,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self::new(EventErrorKind::RetryAfter(delay), source)
    }

    /// Makes the event a dead letter at once. The text of the error is stored with it as the reason.
    pub fn dead(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(EventErrorKind::Dead, source)
    }

    fn new(kind: EventErrorKind, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let source = source.into();
        Self { kind, source }
    }

    /// Returns what happens to the event.
    pub fn kind(&self) -> EventErrorKind {
        self.kind
    }

    /// Returns the error that caused this one.
    pub fn source(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.source
    }
}

impl<E: Into<Box<dyn StdError + Send + Sync>>> From<E> for EventError {
    fn from(error: E) -> Self {
        Self::retry(error)
    }
}

impl fmt::Display for EventError {
    /// Shows the error and its causes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.source)?;
        let mut cause = self.source.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventError")
            .field("kind", &self.kind)
            .field("source", &self.source)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_happens_to_its_event_and_keeps_its_causes() {
        let failure = EventError::from("x".parse::<u32>().unwrap_err());
        assert_eq!(failure.kind(), EventErrorKind::Retry);
        assert_eq!(failure.to_string(), "invalid digit found in string");
        let soon = Duration::from_secs(3);
        let failure = EventError::retry_after(soon, "the mail server is busy");
        assert_eq!(failure.kind(), EventErrorKind::RetryAfter(soon));
        assert_eq!(failure.source().to_string(), "the mail server is busy");
        assert_eq!(
            EventError::dead("no such user").kind(),
            EventErrorKind::Dead
        );
    }
}
