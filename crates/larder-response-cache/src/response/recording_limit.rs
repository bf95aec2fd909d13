use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// How many bytes of bodies are held at once, over all responses that are being stored.
pub(crate) struct RecordingLimit {
    used: AtomicUsize,
    /// Bytes.
    max: usize,
}

/// The bytes that one response holds of it, until this is dropped.
pub(crate) struct Reservation {
    limit: Arc<RecordingLimit>,
    bytes: usize,
}

impl RecordingLimit {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            used: AtomicUsize::new(0),
            max,
        }
    }

    /// A reservation of nothing yet.
    pub(crate) fn begin(self: &Arc<Self>) -> Reservation {
        Reservation {
            limit: self.clone(),
            bytes: 0,
        }
    }
}

impl Reservation {
    /// Takes so many bytes more, if they are to be had.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let (used, max) = (&self.limit.used, self.limit.max);
        let more = |used: usize| used.checked_add(bytes).filter(|used| *used <= max);
        let is_taken = used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        if is_taken.is_ok() {
            self.bytes += bytes;
        }
        is_taken.is_ok()
    }

    /// Moves what it holds into another one.
    pub(crate) fn split(&mut self) -> Self {
        Self {
            limit: self.limit.clone(),
            bytes: std::mem::take(&mut self.bytes),
        }
    }

    /// Gives back all but so many bytes.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let surplus = self.bytes.saturating_sub(bytes);
        self.bytes -= surplus;
        self.limit.used.fetch_sub(surplus, Ordering::Relaxed);
    }

    /// The same bytes, for which the reservation holds for as long as anyone has them.
    pub(crate) fn attach(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Reserved {
            bytes,
            _reservation: self,
        })
    }
}

/// Bytes with the reservation for them.
struct Reserved {
    bytes: Bytes,
    _reservation: Reservation,
}

impl AsRef<[u8]> for Reserved {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn together_they_never_pass_the_limit_and_what_is_given_back_is_free_again() {
        let limit = Arc::new(RecordingLimit::new(10));
        let (mut one, mut two) = (limit.begin(), limit.begin());
        assert!(one.grow(6) && !two.grow(5) && two.grow(4));
        one.shrink_to(1);
        assert!(two.grow(5) && !two.grow(1));
        let read = two.attach(Bytes::from_static(b"x"));
        assert!(!one.grow(1));
        drop(read);
        assert!(one.grow(9));
        drop(one.split());
        assert_eq!(limit.used.load(Ordering::Relaxed), 0);
        assert!(!limit.begin().grow(usize::MAX));
    }
}
