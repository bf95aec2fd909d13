//! The faults that are switched on and off.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use super::FaultProxy;
use super::damage::Damage;
use super::faults::{Connections, Cut, Direction, Hold};

impl FaultProxy {
    /// Passes every byte on so much after it came; zero ends it. What is sent together still arrives
    /// together: this is latency, and no limit to what is under way.
    pub fn delay(&self, direction: Direction, delay: Duration) {
        self.set(|faults| faults.flow_mut(direction).delay = delay);
    }

    /// Passes on no more than so many bytes a second on each connection; `None` ends it.
    pub fn throttle(&self, direction: Direction, bytes_per_second: Option<NonZeroU32>) {
        self.set(|faults| faults.flow_mut(direction).rate = bytes_per_second);
    }

    /// Passes bytes on in pieces of at most this size, each in a write of its own; `None` ends it.
    ///
    /// A reader that is slower than the proxy may still get several at once. With a
    /// [`throttle`](Self::throttle) they come one at a time.
    pub fn slice(&self, direction: Direction, piece: Option<NonZeroUsize>) {
        self.set(|faults| faults.flow_mut(direction).piece = piece);
    }

    /// Passes nothing on over these connections in either direction, and does not end them. What
    /// comes meanwhile is kept, as a network would send it again. New connections are still accepted.
    ///
    /// A connection is open once [`accepted`](Self::accepted) counts it; one that has had a reply is.
    pub fn black_hole(&self, which: Connections) {
        let accepted = self.ledger.accepted();
        self.set(|faults| {
            faults.hold = match which {
                Connections::Open => Hold::UpTo(accepted),
                Connections::OpenAndNew => Hold::All,
            };
        });
    }

    /// Passes on what a [`black_hole`](Self::black_hole) held back, and what comes.
    pub fn end_black_hole(&self) {
        self.set(|faults| faults.hold = Hold::Nothing);
    }

    /// Passes on so many more bytes, counted over all connections, and closes the connection that
    /// brought the last of them. Then it is over. Zero closes the next one that brings any.
    pub fn cut_next_after(&self, direction: Direction, bytes: u64) {
        self.ledger.plan_cut(direction, bytes);
    }

    /// Closes every connection that has passed so many bytes, counted for each from now on, or from
    /// its start if it is new; `None` ends it.
    pub fn cut_every_after(&self, direction: Direction, bytes: impl Into<Option<u64>>) {
        let cut = bytes.into().map(Cut::after);
        self.set(|faults| faults.flow_mut(direction).cut = cut);
    }

    /// Closes the connection on which the next reply comes, in place of passing it on, and does so
    /// `count` times: the server has done what it was asked, and nobody hears of it.
    ///
    /// What is lost is what comes in one piece, which is several replies to a pipeline.
    /// [`replies_dropped`](Self::replies_dropped) counts.
    pub fn drop_replies(&self, count: u64) {
        self.ledger.plan_drops(count);
    }

    /// Closes the connection on which the next request comes that holds `unwanted`, in place of passing
    /// it on, and does so `count` times: the server never sees what it was asked.
    ///
    /// It is looked for in each piece that comes, of up to 16 KiB.
    pub fn drop_requests_with(&self, unwanted: &[u8], count: u64) {
        self.ledger.plan_refusals(unwanted, count);
    }

    /// Flips one bit in one of `one_in` bytes of the replies on average; `None` ends it. Which bytes
    /// depends on `seed`, on the number of the connection and on nothing else: the same bytes are
    /// damaged in every run. [`bytes_corrupted`](Self::bytes_corrupted) counts.
    pub fn corrupt_replies(&self, seed: u64, one_in: Option<NonZeroU32>) {
        let damage = one_in.map(|one_in| Damage::new(seed, one_in));
        self.set(|faults| faults.damage = damage);
    }
}
