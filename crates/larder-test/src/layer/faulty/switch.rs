use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use larder_store::ErrorKind;
use parking_lot::Mutex;

use super::Lie;

/// A fault of a [`Faulty`](super::Faulty) store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Trouble {
    /// The operation does nothing, and returns an error of this kind.
    Fail(ErrorKind),
    /// The operation runs, and returns `MayHaveRun`, as if the connection had broken.
    LoseAnswer,
    /// The operation does nothing and never answers, until the caller gives up.
    Hang,
    /// The operation runs and never answers, until the caller gives up.
    HangAfterwards,
    /// The operation waits for this time, by tokio's clock, and then runs normally.
    Delay(Duration),
    /// Reads, and claims that return a value, return a wrong one. Other operations work.
    Lie(Lie),
}

/// The operations that a fault affects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Operations {
    /// All of them.
    #[default]
    All,
    /// `get`, `get_many`, `ttl` and `page`.
    Reads,
    /// `put`, `delete`, `expire`, and their many-key forms.
    Writes,
    /// Runs of programs, and waits for their records.
    Programs,
    /// All operations on leases.
    Leases,
    /// `publish` and `subscribe`.
    Bus,
}

/// Switches the faults of a [`Faulty`](super::Faulty) store.
///
/// Clones switch the same store.
#[derive(Clone, Default)]
pub struct Switch(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    trouble: Option<Trouble>,
    on: Operations,
    left: Option<usize>,
    begun: usize,
    loss: Option<Loss>,
    lost: usize,
}

/// Messages that never arrive.
struct Loss {
    percent: u8,
    random: fastrand::Rng,
}

impl Switch {
    /// Sets this fault for every operation from now on.
    pub fn set(&self, trouble: Trouble) {
        self.set_on(Operations::All, trouble);
    }

    /// Sets this fault for these operations from now on. The others work.
    pub fn set_on(&self, on: Operations, trouble: Trouble) {
        let mut state = self.0.lock();
        (state.trouble, state.on, state.left) = (Some(trouble), on, None);
    }

    /// Sets this fault for the next `operations` operations. Later ones work.
    pub fn set_next(&self, operations: usize, trouble: Trouble) {
        let mut state = self.0.lock();
        (state.trouble, state.on, state.left) = (Some(trouble), Operations::All, Some(operations));
    }

    /// Ends the fault.
    ///
    /// Operations that already hang continue to hang.
    pub fn clear(&self) {
        self.0.lock().trouble = None;
    }

    /// Returns how many operations were begun. An operation on many keys counts once.
    pub fn operations(&self) -> usize {
        self.0.lock().begun
    }

    /// Loses this percentage of the messages to subscribers from now on, at random by `seed`.
    ///
    /// Subscribers get no gap, as with a network that loses messages unnoticed. Zero ends it. Subscriptions
    /// from before the first call lose nothing.
    pub fn lose_messages(&self, percent: u8, seed: u64) {
        let random = fastrand::Rng::with_seed(seed);
        self.0.lock().loss = Some(Loss { percent, random });
    }

    /// Returns the number of lost messages. One that several subscribers missed counts once for each.
    pub fn messages_lost(&self) -> usize {
        self.0.lock().lost
    }

    pub(super) fn may_lose_messages(&self) -> bool {
        self.0.lock().loss.is_some()
    }

    /// Decides whether the next message of a subscription is lost, and counts it if so.
    pub(super) fn loses_message(&self) -> bool {
        let mut state = self.0.lock();
        let loss = state.loss.as_mut();
        let is_lost = loss.is_some_and(|loss| loss.random.u8(..100) < loss.percent);
        state.lost += usize::from(is_lost);
        is_lost
    }

    /// Counts an operation, and returns its fault.
    pub(super) fn begin(&self, on: Operations) -> Option<Trouble> {
        let mut state = self.0.lock();
        state.begun += 1;
        let trouble = state.trouble_on(on)?;
        if let Some(left) = &mut state.left {
            *left -= 1;
        }
        Some(trouble)
    }

    /// Returns whether these operations work normally now.
    pub(super) fn is_quiet(&self, on: Operations) -> bool {
        self.0.lock().trouble_on(on).is_none()
    }

    /// Counts an operation whose synchronous form was ready.
    pub(super) fn count(&self) {
        self.0.lock().begun += 1;
    }
}

impl State {
    fn trouble_on(&self, on: Operations) -> Option<Trouble> {
        let meant = self.on == Operations::All || self.on == on;
        let trouble = self
            .trouble
            .as_ref()
            .filter(|_| meant && self.left != Some(0));
        trouble.cloned()
    }
}

impl fmt::Debug for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        f.debug_struct("Switch")
            .field("trouble", &state.trouble)
            .field("on", &state.on)
            .field("left", &state.left)
            .field("operations", &state.begun)
            .finish()
    }
}
