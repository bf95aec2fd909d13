//! The counters of the proxy.

use super::{Direction, FaultProxy};

impl FaultProxy {
    /// Returns how many connections were accepted so far.
    pub fn accepted(&self) -> u64 {
        self.state.accepted()
    }

    /// Returns how many connections are open.
    pub fn open(&self) -> usize {
        self.state.open()
    }

    /// Returns how many accepted connections have ended on both sides.
    pub fn ended(&self) -> u64 {
        self.state.ended()
    }

    /// Returns how many bytes were passed on.
    pub fn bytes(&self, direction: Direction) -> u64 {
        self.state.bytes(direction)
    }

    /// Returns how many replies [`drop_replies`](Self::drop_replies) has dropped.
    pub fn replies_dropped(&self) -> u64 {
        self.state.drops()
    }

    /// Returns how many bytes [`corrupt_replies`](Self::corrupt_replies) has changed.
    pub fn bytes_corrupted(&self) -> u64 {
        self.state.corrupted()
    }
}
