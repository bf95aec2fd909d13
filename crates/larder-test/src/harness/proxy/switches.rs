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

    /// Passes nothing on over these connections, and keeps them open.
    ///
    /// The bytes are kept until the end of the fault, like those that a network sends again. New connections
    /// are still accepted.
    ///
    /// A connection counts as open once [`accepted`](Self::accepted) counts it; so one that has had a reply
    /// does.
    pub fn black_hole(&self, which: Connections) {
        let accepted = self.state.accepted();
        self.set(|faults| {
            faults.hold = match which {
                Connections::Open => Hold::UpTo(accepted),
                Connections::OpenAndNew => Hold::All,
            };
        });
    }

    /// Ends a [`black_hole`](Self::black_hole), and delivers the bytes that it held back.
    pub fn end_black_hole(&self) {
        self.set(|faults| faults.hold = Hold::Nothing);
    }

    /// Closes one connection: the one that passes on the last of this many bytes, counted over all connections.
    ///
    /// Then the fault is over. Zero closes the next connection on which bytes arrive.
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
    /// The server has run the commands, but the client does not get the answers.
    ///
    /// All bytes that arrive in one piece count as one reply: with a pipeline they may be several.
    /// [`replies_dropped`](Self::replies_dropped) counts them.
    pub fn drop_replies(&self, count: u64) {
        self.state.plan_drops(count);
    }

    /// Drops the next `count` requests that contain `unwanted`, and closes their connections.
    ///
    /// The server never gets them. The proxy searches each piece that arrives, of up to 16 KiB, separately.
    pub fn drop_requests_with(&self, unwanted: &[u8], count: u64) {
        self.state.plan_refusals(unwanted, count);
    }

    /// Flips one bit in one of `one_in` reply bytes on average. `None` ends it.
    pub fn corrupt_replies(&self, seed: u64, one_in: Option<NonZeroU32>) {
        let damage = one_in.map(|one_in| Damage::new(seed, one_in));
        self.set(|faults| faults.damage = damage);
    }
}
