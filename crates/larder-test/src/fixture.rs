use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use larder_store::Store;

/// A store under test, and a hand on its time.
///
/// A law asks for one, works on it, and drops it. Each fixture is empty and nobody else's.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The store. It is the same one at every call.
    fn store(&self) -> Arc<dyn Store>;

    /// Lets at least `by` pass for the store: a manual clock is moved, a server is waited for.
    async fn advance(&self, by: Duration);

    /// By how much a TTL may end late; never early. Zero where the clock is manual.
    fn slack(&self) -> Duration {
        Duration::ZERO
    }
}
