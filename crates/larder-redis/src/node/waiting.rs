//! Waits for the connection of a node.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use larder_store::{Error, ErrorKind, Result};
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, timeout_at};

use super::Node;
use crate::connection::{Connection, HealthState};

impl Node {
    /// Waits for the next good connection.
    ///
    /// If the last one was just dropped, the next usually takes a millisecond; if the server does
    /// not answer, this fails at once.
    pub(crate) async fn next_connection(
        &self,
        operation: &'static str,
        deadline: Instant,
    ) -> Result<Arc<Connection>> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(connection) = self.good_connection() {
                return Ok(connection);
            }
            if self.ended.load(Ordering::Acquire) {
                return cooperate(Err(self.runtime_ended(operation))).await;
            }
            if self.is_down() {
                metrics::counter!(
                    "larder_redis_fast_failures_total",
                    "server" => self.location.clone()
                )
                .increment(1);
            } else if timeout_at(deadline, changed).await.is_ok() {
                continue;
            }
            return cooperate(Err(self.no_connection(operation))).await;
        }
    }

    /// [`is_up`](Self::is_up), after waiting for the first connection until a dial fails.
    ///
    /// A dial may take longer than an operation may.
    pub(crate) async fn is_up_by(&self, deadline: Instant) -> bool {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.is_up() {
                return true;
            }
            let is_over =
                self.has_failed.load(Ordering::Acquire) || self.ended.load(Ordering::Acquire);
            if is_over || timeout_at(deadline, changed).await.is_err() {
                return false;
            }
        }
    }

    /// Returns whether operations fail at once, for lack of a connection.
    pub(crate) fn is_down(&self) -> bool {
        let connection = self.connection.load();
        let state = connection
            .as_deref()
            .map(|connection| connection.health().state());
        self.down.load(Ordering::Acquire) || state == Some(HealthState::Hung)
    }

    fn no_connection(&self, operation: &'static str) -> Error {
        Error::new(
            operation,
            ErrorKind::NotSent,
            format!("no connection to {}: reconnecting", self.location),
        )
    }

    fn runtime_ended(&self, operation: &'static str) -> Error {
        Error::new(
            operation,
            ErrorKind::NotSent,
            format!(
                "the tokio runtime that drives this store for {} has shut down: connect the \
                 store in the runtime that uses it",
                self.location
            ),
        )
    }
}

/// Passes an outcome on, and yields before an error that cost no wait.
///
/// Otherwise a caller that retries at once could occupy the only thread of a runtime, and the
/// supervisor would never run.
pub(crate) async fn cooperate<T>(outcome: Result<T>) -> Result<T> {
    if outcome.is_err() {
        consume_budget().await;
    }
    outcome
}
