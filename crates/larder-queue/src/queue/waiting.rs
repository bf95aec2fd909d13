//! What a worker needs of its queue beside the public calls.

use larder_store::program::Program;
use larder_store::{Key, Result, Ttl};

use super::{Queue, Turn};

impl Queue {
    /// Waits for the turn of this task to wait at the store, and registers it there.
    ///
    /// Look at the queue after it: what came before is not woken for.
    pub(crate) async fn turn(&self) -> Result<Turn<'_>> {
        let mut turn = self.idle.turn().await;
        turn.begin(&*self.waits, &self.key).await?;
        Ok(turn)
    }

    pub(crate) fn lease(&self) -> Ttl {
        self.settings.lease
    }

    pub(crate) fn max_attempts(&self) -> u32 {
        self.settings.max_attempts
    }

    /// Runs a program on another record of the same store.
    pub(crate) async fn run_on<P: Program>(&self, key: &Key, program: &P) -> Result<P::Reply> {
        self.programs.run(key, program).await
    }
}
