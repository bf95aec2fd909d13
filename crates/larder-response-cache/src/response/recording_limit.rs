use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// Limits the bytes of bodies held in memory, for all responses that are being stored.
pub(crate) struct RecordingLimit {
    used: AtomicUsize,
    /// Bytes.
    max: usize,
}

/// Bytes that are reserved for one response, until this is dropped.
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

    /// Makes a reservation of no bytes yet.
    pub(crate) fn reservation(self: &Arc<Self>) -> Reservation {
        Reservation {
            limit: self.clone(),
            bytes: 0,
        }
    }
}

impl Reservation {
    /// Reserves this many more bytes. Returns false if they are not available.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let (used, max) = (&self.limit.used, self.limit.max);
        let more = |used: usize| used.checked_add(bytes).filter(|used| *used <= max);
        let is_taken = used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        if is_taken.is_ok() {
            self.bytes += bytes;
        }
        is_taken.is_ok()
    }

    /// Moves the reserved bytes into another reservation.
    pub(crate) fn split(&mut self) -> Self {
        Self {
            limit: self.limit.clone(),
            bytes: std::mem::take(&mut self.bytes),
        }
    }

    /// Gives back all except this many bytes.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let surplus = self.bytes.saturating_sub(bytes);
        self.bytes -= surplus;
        self.limit.used.fetch_sub(surplus, Ordering::Relaxed);
    }

    /// Attaches the reservation to bytes, so that it lasts as long as they do.
    pub(crate) fn attach(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Reserved {
            bytes,
            _reservation: self,
        })
    }
}

/// Bytes and the reservation for them.
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
    fn reservations_never_exceed_the_limit_together_and_returned_bytes_are_free_again() {
        let limit = Arc::new(RecordingLimit::new(10));
        let (mut one, mut two) = (limit.reservation(), limit.reservation());
        assert!(one.grow(6) && !two.grow(5) && two.grow(4));
        one.shrink_to(1);
        assert!(two.grow(5) && !two.grow(1));
        let read = two.attach(Bytes::from_static(b"x"));
        assert!(!one.grow(1));
        drop(read);
        assert!(one.grow(9));
        drop(one.split());
        assert_eq!(limit.used.load(Ordering::Relaxed), 0);
        assert!(!limit.reservation().grow(usize::MAX));
    }
}
