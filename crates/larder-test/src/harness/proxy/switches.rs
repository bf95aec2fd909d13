//! The faults that are switched on and off.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use super::FaultProxy;
use super::bit_flips::Damage;
use super::faults::{Connections, Cut, Direction, Hold};

impl FaultProxy {
    /// Delays every byte by this time. Zero ends it.
    pub fn delay(&self, direction: Direction, delay: Duration) {
        self.set(|faults| faults.flow_mut(direction).delay = delay);
    }

    /// Limits the bytes per second on each connection. `None` ends it.
    pub fn throttle(&self, direction: Direction, bytes_per_second: Option<NonZeroU32>) {
        self.set(|faults| faults.flow_mut(direction).rate = bytes_per_second);
    }

    /// Writes bytes in pieces of at most this size. `None` ends it.
    ///
    /// A reader that is slower than the proxy may still get several at once. With a
    /// [`throttle`](Self::throttle) they come one at a time.
    pub fn slice(&self, direction: Direction, piece: Option<NonZeroUsize>) {
        self.set(|faults| faults.flow_mut(direction).piece = piece);
    }

    /// Swallows everything on these connections, and keeps them open.
    ///
    /// What comes meanwhile is kept, as a network would send it again. New connections are still
    /// accepted.
    ///
    /// A connection is open once [`accepted`](Self::accepted) counts it; one that has had a reply is.
    pub fn black_hole(&self, which: Connections) {
        let accepted = self.state.accepted();
        self.set(|faults| {
            faults.hold = match which {
                Connections::Open => Hold::UpTo(accepted),
                Connections::OpenAndNew => Hold::All,
            };
        });
    }

    /// Delivers what a [`black_hole`](Self::black_hole) held back, and ends it.
    pub fn end_black_hole(&self) {
        self.set(|faults| faults.hold = Hold::Nothing);
    }

    /// Closes a connection after this many more bytes over all connections.
    ///
    /// Then it is over. Zero closes the next one that brings any.
    pub fn cut_next_after(&self, direction: Direction, bytes: u64) {
        self.state.plan_cut(direction, bytes);
    }

    /// Closes every connection after this many bytes. `None` ends it.
    ///
    /// Bytes count from now on, or from the start of a new connection.
    pub fn cut_every_after(&self, direction: Direction, bytes: impl Into<Option<u64>>) {
        let cut = bytes.into().map(Cut::after);
        self.set(|faults| faults.flow_mut(direction).cut = cut);
    }

    /// Drops the next `count` replies, and closes their connections.
    ///
    /// The server has run the commands, but the client never learns it.
    ///
    /// What is lost is what comes in one piece, which is several replies to a pipeline.
    /// [`replies_dropped`](Self::replies_dropped) counts.
    pub fn drop_replies(&self, count: u64) {
        self.state.plan_drops(count);
    }

    /// Drops the next `count` requests that contain `unwanted`, and closes their connections.
    ///
    /// The server never sees them.
    ///
    /// It is looked for in each piece that comes, of up to 16 KiB.
    pub fn drop_requests_with(&self, unwanted: &[u8], count: u64) {
        self.state.plan_refusals(unwanted, count);
    }

    /// Flips a bit in one of `one_in` reply bytes on average. `None` ends it.
    pub fn corrupt_replies(&self, seed: u64, one_in: Option<NonZeroU32>) {
        let damage = one_in.map(|one_in| Damage::new(seed, one_in));
        self.set(|faults| faults.damage = damage);
    }
}
