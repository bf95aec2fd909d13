use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use larder_store::{ManualClock, Space, Store};

use crate::ModelStore;

/// A store under test, and a hand on its time.
///
/// A law asks for one, works on it, and drops it. Each fixture is empty and nobody else's. Its store
/// takes values up to [`DEFAULT_MAX_VALUE`](larder_store::DEFAULT_MAX_VALUE), and has room for some
/// 64 MiB of them.
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

    /// Which space the laws about values try. A store that keeps the two apart is proved on both.
    fn space(&self) -> Space {
        Space::Pinned
    }
}

/// A [`Fixture`] of a store in this process, whose clock a law moves as it likes.
///
/// ```
/// use larder_store::ManualClock;
/// use larder_test::{ManualFixture, ModelStore};
///
/// let clock = ManualClock::default();
/// let fixture = ManualFixture::new(ModelStore::with_clock(clock.clone()), clock);
/// # drop(fixture);
/// ```
pub struct ManualFixture {
    store: Arc<dyn Store>,
    clock: ManualClock,
    space: Space,
}

impl ManualFixture {
    /// A fixture of `store`, which reads its time from `clock`.
    pub fn new(store: impl Store, clock: ManualClock) -> Self {
        Self {
            store: Arc::new(store),
            clock,
            space: Space::Pinned,
        }
    }

    /// A fixture of a new [`ModelStore`].
    pub fn model() -> Self {
        let clock = ManualClock::default();
        Self::new(ModelStore::with_clock(clock.clone()), clock)
    }

    /// The same fixture, with the laws about values in `space`.
    #[must_use]
    pub fn in_space(mut self, space: Space) -> Self {
        self.space = space;
        self
    }
}

#[async_trait]
impl Fixture for ManualFixture {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn space(&self) -> Space {
        self.space
    }
}
