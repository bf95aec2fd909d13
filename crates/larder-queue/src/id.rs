use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use larder_store::{Error, ErrorKind, Result};

/// The maximum length of a job's id, in bytes: 128.
pub const MAX_JOB_ID: usize = 128;

/// The id of a job. A queue accepts each id once.
///
/// A random id has 128 bits. An id of your own names the purpose of the job, such as
/// `invoice-2026-11`: the queue then accepts it only once, for as long as the job lives and its
/// [retention](crate::Queue::with_retention) afterwards, or until
/// [that many](crate::Queue::with_max_done) later jobs are done, 10,000 by default.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(Arc<str>);

impl JobId {
    /// Makes an id from text.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] unless it is 1 to 128 printable ASCII characters without spaces.
    pub fn new(id: &str) -> Result<Self> {
        if (1..=MAX_JOB_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(Self(id.into()));
        }
        Err(Error::new(
            "enqueue",
            ErrorKind::Invalid,
            "the id of a job must be 1 to 128 printable ASCII characters without spaces",
        ))
    }

    /// Draws a random id.
    pub fn random() -> Self {
        let bits: [u8; 16] = rand::random();
        Self(URL_SAFE_NO_PAD.encode(bits).into())
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Makes an id that is in the record.
    pub(crate) fn known(id: Arc<str>) -> Self {
        Self(id)
    }

    pub(crate) fn text(&self) -> &Arc<str> {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobId({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_printable_text_without_spaces() {
        for bad in ["", "a b", "ä", "a\0b", &"x".repeat(MAX_JOB_ID + 1)] {
            assert!(JobId::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(JobId::new("tick@17").unwrap().as_str(), "tick@17");
        assert_eq!(JobId::random().as_str().len(), 22);
        assert_ne!(JobId::random(), JobId::random());
    }
}
