//! What workers and periodic jobs use of a queue.

use std::time::Duration;

use larder_layer::StoreTimeout;
use larder_store::program::Program;
use larder_store::{Key, Result, Ttl};

use super::{Queue, Turn};

/// The longest that a worker waits for one call of the store. Most stores enforce less themselves.
pub(super) const STORE_TIMEOUT: Duration = Duration::from_secs(10);

impl Queue {
    /// Runs a call of the store within its time limit.
    pub(crate) async fn in_time<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.timeout.run("worker", call).await
    }

    /// Waits for this task's turn to wait at the store.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        self.idle.turn().await
    }

    /// Registers the task whose turn it is at the store.
    ///
    /// Look at the queue afterwards: earlier enqueues do not wake it.
    pub(crate) async fn begin(&self, turn: &mut Turn<'_>) -> Result<()> {
        // The deadline of the store for programs may not apply here.
        let timeout = StoreTimeout::new(STORE_TIMEOUT, None);
        let begun = turn.begin(&*self.waits, &self.key);
        timeout.run("worker", begun).await
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
