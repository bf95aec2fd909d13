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
    /// It does nothing, and answers with an error of this kind.
    Fail(ErrorKind),
    /// It runs, and returns `MayHaveRun` as if the connection had broken.
    LoseAnswer,
    /// It does nothing and never answers, until the caller gives up.
    Hang,
    /// It does what it should and never answers, until the caller gives up.
    HangAfterwards,
    /// It waits so long, by tokio's clock, and then does what it should.
    Delay(Duration),
    /// Reads return a wrong value. Other operations work.
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
    /// `put`, `delete`, `expire`, and the many-key forms of them.
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
/// Clones share it.
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
    /// Gives each operation from now on this trouble.
    pub fn set(&self, trouble: Trouble) {
        self.set_on(Operations::All, trouble);
    }

    /// Gives each of these operations this trouble from now on, and the others none.
    pub fn set_on(&self, on: Operations, trouble: Trouble) {
        let mut state = self.0.lock();
        (state.trouble, state.on, state.left) = (Some(trouble), on, None);
    }

    /// Gives the next `operations` this trouble, and later ones none.
    pub fn set_next(&self, operations: usize, trouble: Trouble) {
        let mut state = self.0.lock();
        (state.trouble, state.on, state.left) = (Some(trouble), Operations::All, Some(operations));
    }

    /// Ends the trouble.
    ///
    /// Operations that hang already go on hanging.
    pub fn clear(&self) {
        self.0.lock().trouble = None;
    }

    /// Returns how many operations were begun. A many-key form counts once.
    pub fn operations(&self) -> usize {
        self.0.lock().begun
    }

    /// Loses so many percent of the messages to subscribers from now on, at random by `seed`.
    ///
    /// Subscribers are not told: what a lossy network does where nobody counts messages. Zero ends
    /// it. Subscriptions that were made before the first call hear everything.
    pub fn lose_messages(&self, percent: u8, seed: u64) {
        let random = fastrand::Rng::with_seed(seed);
        self.0.lock().loss = Some(Loss { percent, random });
    }

    /// Returns the number of messages that were lost, for each subscriber that missed one.
    pub fn messages_lost(&self) -> usize {
        self.0.lock().lost
    }

    pub(super) fn may_lose_messages(&self) -> bool {
        self.0.lock().loss.is_some()
    }

    /// Returns whether the next message of a subscription is lost, and counts it.
    pub(super) fn loses_message(&self) -> bool {
        let mut state = self.0.lock();
        let loss = state.loss.as_mut();
        let is_lost = loss.is_some_and(|loss| loss.random.u8(..100) < loss.percent);
        state.lost += usize::from(is_lost);
        is_lost
    }

    /// Counts an operation, and says what trouble it has.
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

    /// Counts an operation that was carried out at once.
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
