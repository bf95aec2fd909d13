//! Queue methods that only a worker needs.

use larder_store::program::Program;
use larder_store::{Key, Result, Ttl};

use super::{Queue, Turn};

impl Queue {
    /// Waits for this task's turn to wait at the store.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        self.idle.turn().await
    }

    /// Registers the task whose turn it is at the store.
    ///
    /// Look at the queue afterwards: earlier enqueues do not wake it.
    pub(crate) async fn begin(&self, turn: &mut Turn<'_>) -> Result<()> {
        turn.begin(&*self.waits, &self.key).await
    }

    pub(crate) fn lease(&self) -> Ttl {
        self.settings.lease
    }

    pub(crate) fn max_attempts(&self) -> u32 {
        self.settings.max_attempts
    }

    /// Returns whether ids of done jobs are remembered.
    pub(crate) fn remembers_done(&self) -> bool {
        self.settings.max_done > 0
    }

    /// Runs a program on another record of the same store.
    pub(crate) async fn run_on<P: Program>(&self, key: &Key, program: &P) -> Result<P::Reply> {
        self.programs.run(key, program).await
    }
}
