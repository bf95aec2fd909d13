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
