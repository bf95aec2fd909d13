//! What the proxy has seen.

use super::{Direction, FaultProxy};

impl FaultProxy {
    /// How many connections were accepted so far.
    pub fn accepted(&self) -> u64 {
        self.ledger.accepted()
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.ledger.open()
    }

    /// How many of the accepted connections have ended, at both ends.
    pub fn ended(&self) -> u64 {
        self.ledger.ended()
    }

    /// How many bytes were passed on.
    pub fn bytes(&self, direction: Direction) -> u64 {
        self.ledger.bytes(direction)
    }

    /// How many times [`drop_replies`](Self::drop_replies) has dropped a reply.
    pub fn replies_dropped(&self) -> u64 {
        self.ledger.drops()
    }

    /// How many bytes [`corrupt_replies`](Self::corrupt_replies) has changed.
    pub fn bytes_corrupted(&self) -> u64 {
        self.ledger.corrupted()
    }
}
