//! Counts events, and keeps faults that happen once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::faults::Direction;

/// The end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Both sides read the end of the stream, after all bytes that were passed on.
    Close,
    /// Both sides read `ECONNRESET`.
    Reset,
}

/// Counters, open connections and faults that happen a number of times.
#[derive(Debug, Default)]
pub(super) struct ProxyState {
    accepted: AtomicU64,
    bytes: [AtomicU64; 2],
    drops: AtomicU64,
    corrupted: AtomicU64,
    plans: Mutex<Plans>,
    /// The channels that end open connections, by number.
    open: Mutex<HashMap<u64, Option<oneshot::Sender<End>>>>,
    closed: Condvar,
}

#[derive(Debug, Default)]
struct Plans {
    cuts: [Option<u64>; 2],
    drops: u64,
    /// The bytes at which a request's connection is closed, and how often that happens.
    unwanted: (Vec<u8>, u64),
}

/// The part of some bytes that may pass, and whether the connection then ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) bytes: usize,
    pub(super) is_last: bool,
}

/// The time to wait for connections to end: longer than any takes.
const PATIENCE: Duration = Duration::from_secs(5);

impl ProxyState {
    pub(super) fn forget_plans(&self) {
        *self.plans.lock() = Plans::default();
    }

    pub(super) fn plan_cut(&self, direction: Direction, bytes: u64) {
        self.plans.lock().cuts[direction as usize] = Some(bytes);
    }

    pub(super) fn plan_drops(&self, count: u64) {
        self.plans.lock().drops = count;
    }

    /// Returns whether to drop a reply, and counts it.
    pub(super) fn takes_a_drop(&self) -> bool {
        let mut plans = self.plans.lock();
        if plans.drops == 0 {
            return false;
        }
        plans.drops -= 1;
        self.drops.fetch_add(1, Ordering::SeqCst);
        true
    }

    pub(super) fn plan_refusals(&self, unwanted: &[u8], count: u64) {
        self.plans.lock().unwanted = (unwanted.to_vec(), count);
    }

    /// Returns whether the connection ends at `request` instead of passing it on.
    pub(super) fn refuses(&self, request: &[u8]) -> bool {
        let (unwanted, left) = &mut self.plans.lock().unwanted;
        if *left == 0 || unwanted.is_empty() {
            return false;
        }
        let is_unwanted = request
            .windows(unwanted.len())
            .any(|part| part == *unwanted);
        *left -= u64::from(is_unwanted);
        is_unwanted
    }

    /// Returns how many of `bytes` may pass before the planned cut.
    ///
    /// The cut is over once it is reached.
    pub(super) fn share(&self, direction: Direction, bytes: usize) -> Share {
        let cut = &mut self.plans.lock().cuts[direction as usize];
        let Some(left) = cut else {
            let is_last = false;
            return Share { bytes, is_last };
        };
        let share = Share::of(*left, bytes);
        *cut = (!share.is_last).then(|| *left - share.bytes as u64);
        share
    }

    pub(super) fn pass(&self, direction: Direction, bytes: usize) {
        self.bytes[direction as usize].fetch_add(bytes as u64, Ordering::SeqCst);
    }

    pub(super) fn corrupt(&self, bytes: u64) {
        self.corrupted.fetch_add(bytes, Ordering::SeqCst);
    }

    /// Registers a connection, unless there are `most` already.
    ///
    /// Returns its number, and the channel by which it is told to end.
    pub(super) fn enter(&self, most: usize) -> Option<(u64, oneshot::Receiver<End>)> {
        let mut open = self.open.lock();
        if open.len() >= most {
            return None;
        }
        let (end, ended) = oneshot::channel();
        let number = self.accepted.fetch_add(1, Ordering::SeqCst) + 1;
        open.insert(number, Some(end));
        Some((number, ended))
    }

    pub(super) fn leave(&self, number: u64) {
        self.open.lock().remove(&number);
        self.closed.notify_all();
    }

    /// Ends all open connections, and returns how many, once they have ended.
    pub(super) fn end_all(&self, end: End) -> usize {
        let mut open = self.open.lock();
        let numbers: Vec<_> = open.keys().copied().collect();
        for sender in open.values_mut().filter_map(Option::take) {
            // It fails for a connection that has just ended.
            let _ = sender.send(end);
        }
        let deadline = Instant::now() + PATIENCE;
        while numbers.iter().any(|number| open.contains_key(number)) {
            if self.closed.wait_until(&mut open, deadline).timed_out() {
                break;
            }
        }
        numbers.len()
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }

    pub(super) fn open(&self) -> usize {
        self.open.lock().len()
    }

    pub(super) fn ended(&self) -> u64 {
        let open = self.open.lock();
        self.accepted() - open.len() as u64
    }

    pub(super) fn bytes(&self, direction: Direction) -> u64 {
        self.bytes[direction as usize].load(Ordering::SeqCst)
    }

    pub(super) fn drops(&self) -> u64 {
        self.drops.load(Ordering::SeqCst)
    }

    pub(super) fn corrupted(&self) -> u64 {
        self.corrupted.load(Ordering::SeqCst)
    }
}

impl Share {
    /// Returns the part of `bytes` that is within `left`.
    pub(super) fn of(left: u64, bytes: usize) -> Self {
        match usize::try_from(left) {
            Ok(left) if left <= bytes => Self {
                bytes: left,
                is_last: true,
            },
            _ => Self {
                bytes,
                is_last: false,
            },
        }
    }
}
