use larder_store::Result;
use tokio::task::coop::consume_budget;

/// Passes an outcome on. Other tasks may run before an error that cost no wait.
///
/// Nothing else yields there. A caller that tries again at once would keep the only thread of a
/// runtime, and the task that mends what failed would never run.
pub(crate) async fn cooperate<T>(outcome: Result<T>) -> Result<T> {
    if outcome.is_err() {
        consume_budget().await;
    }
    outcome
}
