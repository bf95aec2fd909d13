use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// An error of any type, as in tower's layers.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// The failure of a handler, which decides what happens to its job.
///
/// Any error converts into a failure that is retried, so `?` works in a handler that returns
/// `Result<(), JobError>`. The other kinds are explicit:
///
/// ```
/// # use std::time::Duration;
/// # use larder_queue::worker::JobError;
/// # fn charge(card: &str) -> Result<(), JobError> {
/// let limit: u32 = card.parse()?; // tried again, after the worker's backoff
/// if limit == 0 {
///     return Err(JobError::dead("the card was refused"));
/// }
/// if limit == 1 {
///     return Err(JobError::snooze(Duration::from_secs(60))); // not a failure: not counted
/// }
/// # Ok(())
/// # }
/// ```
///
/// It does not implement [`std::error::Error`] itself, which would rule out the conversion from any
/// error.
pub struct JobError {
    kind: JobErrorKind,
    source: Option<BoxError>,
}

/// What happens to a job whose handler failed.
///
/// [The page of errors](https://github.com/larder-rs/larder/blob/main/docs/errors.md#jobs)
/// says what to do about each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobErrorKind {
    /// It is retried after the worker's backoff, up to the maximum number of attempts.
    Retry,
    /// It is retried after this time, up to the maximum number of attempts.
    RetryAfter(Duration),
    /// It is run again after this time, and this attempt is not counted.
    Snooze(Duration),
    /// It becomes a dead letter at once.
    Dead,
}

impl JobError {
    /// Makes a failure that is retried after the worker's backoff.
    pub fn retry(source: impl Into<BoxError>) -> Self {
        Self::new(JobErrorKind::Retry, Some(source.into()))
    }

    /// Makes a failure that is retried after `delay`.
    pub fn retry_after(delay: Duration, source: impl Into<BoxError>) -> Self {
        Self::new(JobErrorKind::RetryAfter(delay), Some(source.into()))
    }

    /// Puts the job off for `delay`, without counting the attempt.
    pub fn snooze(delay: Duration) -> Self {
        Self::new(JobErrorKind::Snooze(delay), None)
    }

    /// Makes a failure that no further attempt can fix.
    pub fn dead(source: impl Into<BoxError>) -> Self {
        Self::new(JobErrorKind::Dead, Some(source.into()))
    }

    fn new(kind: JobErrorKind, source: Option<BoxError>) -> Self {
        Self { kind, source }
    }

    /// Returns what happens to the job.
    pub fn kind(&self) -> JobErrorKind {
        self.kind
    }

    /// Returns the error that caused this one. None for a snooze.
    pub fn source(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.source.as_deref()
    }

    /// Restores a failure that a tower layer has passed on as a boxed error.
    pub(super) fn from_box(error: BoxError) -> Self {
        match error.downcast::<Boxed>() {
            Ok(boxed) => boxed.0,
            Err(error) => Self::retry(error),
        }
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for JobError {
    fn from(error: E) -> Self {
        Self::retry(error)
    }
}

impl From<JobError> for BoxError {
    fn from(error: JobError) -> Self {
        Box::new(Boxed(error))
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.source, self.kind) {
            (Some(source), _) => {
                write!(f, "{source}")?;
                let mut cause = source.source();
                while let Some(error) = cause {
                    write!(f, ": {error}")?;
                    cause = error.source();
                }
                Ok(())
            }
            (None, JobErrorKind::Snooze(delay)) => write!(f, "snoozed for {delay:?}"),
            (None, _) => f.write_str("the job failed"),
        }
    }
}

impl fmt::Debug for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobError")
            .field("kind", &self.kind)
            .field("source", &self.source)
            .finish()
    }
}

/// A failure on its way through layers whose errors are boxed, such as tower's timeout.
#[derive(Debug)]
struct Boxed(JobError);

impl fmt::Display for Boxed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Boxed {}

/// The return type of a handler: nothing, or a result whose error is a [`JobError`] or converts
/// into one.
pub trait IntoOutcome {
    /// Returns it as a result.
    fn into_outcome(self) -> Result<(), JobError>;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Result<(), JobError> {
        Ok(())
    }
}

impl<E: Into<JobError>> IntoOutcome for Result<(), E> {
    fn into_outcome(self) -> Result<(), JobError> {
        self.map_err(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_error_is_tried_again_and_keeps_its_causes() {
        let error = JobError::from("x".parse::<u32>().unwrap_err());
        assert_eq!(error.kind(), JobErrorKind::Retry);
        assert_eq!(error.to_string(), "invalid digit found in string");
    }

    #[test]
    fn a_failure_keeps_its_kind_through_layers_that_box_errors() {
        let boxed = BoxError::from(JobError::snooze(Duration::from_secs(3)));
        let kind = JobError::from_box(boxed).kind();
        assert_eq!(kind, JobErrorKind::Snooze(Duration::from_secs(3)));
        let foreign = JobError::from_box("too slow".into());
        assert_eq!(foreign.kind(), JobErrorKind::Retry);
        assert_eq!(foreign.to_string(), "too slow");
    }
}
