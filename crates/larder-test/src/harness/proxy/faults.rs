//! The faults that are active now.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::bit_flips::Damage;

/// The direction of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Requests,
    /// From the server to the client.
    Replies,
}

/// The connections that a fault affects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connections {
    /// Those that are open when it is switched on. New ones work normally.
    Open,
    /// Those, and all that are opened while it is on.
    OpenAndNew,
}

/// All lasting faults. A connection reads them again for each piece that it passes on.
#[derive(Clone, Debug)]
pub(super) struct Faults {
    pub(super) upstream: SocketAddr,
    pub(super) hold: Hold,
    pub(super) damage: Option<Damage>,
    requests: Flow,
    replies: Flow,
}

/// The faults of one direction.
#[derive(Clone, Debug, Default)]
pub(super) struct Flow {
    pub(super) delay: Duration,
    pub(super) rate: Option<NonZeroU32>,
    pub(super) piece: Option<NonZeroUsize>,
    pub(super) cut: Option<Cut>,
}

/// The connections that pass nothing on, by their numbers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hold {
    Nothing,
    UpTo(u64),
    All,
}

/// After how many bytes every connection is cut.
///
/// The name distinguishes two calls with the same number, so that each connection counts from the call on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) bytes: u64,
    name: u64,
}

impl Cut {
    pub(super) fn after(bytes: u64) -> Self {
        static NAMES: AtomicU64 = AtomicU64::new(0);
        let name = NAMES.fetch_add(1, Ordering::Relaxed);
        Self { bytes, name }
    }
}

impl Faults {
    /// Makes a set without any fault.
    pub(super) fn new(upstream: SocketAddr) -> Self {
        Self {
            upstream,
            hold: Hold::Nothing,
            damage: None,
            requests: Flow::default(),
            replies: Flow::default(),
        }
    }

    pub(super) fn flow(&self, direction: Direction) -> &Flow {
        match direction {
            Direction::Requests => &self.requests,
            Direction::Replies => &self.replies,
        }
    }

    pub(super) fn flow_mut(&mut self, direction: Direction) -> &mut Flow {
        match direction {
            Direction::Requests => &mut self.requests,
            Direction::Replies => &mut self.replies,
        }
    }

    /// Returns whether the connection with this number is in a black hole.
    pub(super) fn holds(&self, number: u64) -> bool {
        match self.hold {
            Hold::Nothing => false,
            Hold::UpTo(last) => number <= last,
            Hold::All => true,
        }
    }
}
