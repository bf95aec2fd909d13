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

/// Why a handler could not handle an event, and what happens to the event.
///
/// Any error converts into one, by `?`: the event is delivered again, after a pause that doubles
/// each time.
#[derive(Debug)]
pub struct Failure {
    pub(super) next: Next,
    pub(super) error: Option<Box<dyn StdError + Send + Sync>>,
}

#[derive(Debug)]
pub(super) enum Next {
    Retry(Option<Duration>),
    Dead(String),
}

impl Failure {
    /// Delivers the event again after `delay`, which is at most the lease of the group.
    pub fn retry_after(delay: Duration) -> Self {
        Self {
            next: Next::Retry(Some(delay)),
            error: None,
        }
    }

    /// Makes the event a dead letter at once. The reason is stored with it.
    pub fn dead(reason: impl Into<String>) -> Self {
        Self {
            next: Next::Dead(reason.into()),
            error: None,
        }
    }
}

impl<E: Into<Box<dyn StdError + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            next: Next::Retry(None),
            error: Some(error.into()),
        }
    }
}
