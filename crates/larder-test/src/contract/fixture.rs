use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use larder_store::{ManualClock, Space, Store};

use crate::ModelStore;

/// A store under test, whose time the fixture controls.
///
/// Each law gets its own empty fixture, and drops it at the end. The store must accept values up to
/// [`DEFAULT_MAX_VALUE`](larder_store::DEFAULT_MAX_VALUE), and have room for about 64 MiB of values.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// Returns the store, which is the same at every call.
    fn store(&self) -> Arc<dyn Store>;

    /// Lets at least the time `by` pass for the store.
    ///
    /// It moves a manual clock; for a server it waits.
    async fn advance(&self, by: Duration);

    /// Returns by how much a TTL may end too late. It must never end too early.
    fn slack(&self) -> Duration {
        Duration::ZERO
    }

    /// Returns the number of keys in memory, including expired keys that were not freed.
    ///
    /// Default: None. That is right for a server, and for a store with a limit, because a law writes more
    /// than its room. A store in this process without a limit must return the number: otherwise no law
    /// notices that it never frees expired values.
    fn held_keys(&self) -> Option<usize> {
        None
    }

    /// Returns the space of the keys in the laws about values.
    ///
    /// If a store keeps the two spaces apart, test it on both.
    fn space(&self) -> Space {
        Space::Pinned
    }
}

/// A [`Fixture`] of a store in this process, whose clock the laws move.
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
    held_keys: Option<Count>,
}

type Count = Box<dyn Fn() -> usize + Send + Sync>;

impl ManualFixture {
    /// Makes a fixture of `store`, which reads its time from `clock`.
    pub fn new(store: impl Store, clock: ManualClock) -> Self {
        Self::shared(Arc::new(store), clock)
    }

    /// Makes a fixture of a store that the caller keeps too, such as to [count](Self::counting) its keys.
    pub fn shared(store: Arc<dyn Store>, clock: ManualClock) -> Self {
        Self {
            store,
            clock,
            space: Space::Pinned,
            held_keys: None,
        }
    }

    /// Makes a fixture of a new [`ModelStore`].
    pub fn model() -> Self {
        let clock = ManualClock::default();
        let store = Arc::new(ModelStore::with_clock(clock.clone()));
        Self::shared(store.clone(), clock).counting(move || store.held_keys())
    }

    /// Sets how to count the keys that the store holds in memory, including expired ones.
    #[must_use]
    pub fn counting(mut self, held_keys: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        self.held_keys = Some(Box::new(held_keys));
        self
    }

    /// Runs the laws about values in `space`.
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

    fn held_keys(&self) -> Option<usize> {
        self.held_keys.as_ref().map(|count| count())
    }

    fn space(&self) -> Space {
        self.space
    }
}

/// A [`Fixture`] of a store on servers, whose time passes by itself.
///
/// ```
/// # use std::sync::Arc;
/// # use larder_store::Store;
/// use larder_test::RealTimeFixture;
/// use larder_test::server::RedisServer;
///
/// fn fixture(server: RedisServer, store: Arc<dyn Store>) -> RealTimeFixture {
///     RealTimeFixture::new(store).keeping(server)
/// }
/// ```
pub struct RealTimeFixture {
    store: Arc<dyn Store>,
    _kept: Box<dyn Send + Sync>,
}

impl RealTimeFixture {
    /// Makes a fixture of `store`, whose TTLs may end up to 5 ms too late.
    ///
    /// Servers count whole milliseconds. Give the store long timeouts: the laws check answers, not speed,
    /// and the machine may be busy.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            _kept: Box::new(()),
        }
    }

    /// Drops `kept`, such as the servers of the store, after the store.
    #[must_use]
    pub fn keeping(mut self, kept: impl Send + Sync + 'static) -> Self {
        self._kept = Box::new(kept);
        self
    }
}

#[async_trait]
impl Fixture for RealTimeFixture {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    async fn advance(&self, by: Duration) {
        tokio::time::sleep(by).await;
    }

    fn slack(&self) -> Duration {
        Duration::from_millis(5)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// Reports, when it is dropped, whether the store is gone.
    struct Server(Weak<ModelStore>, Sender<bool>);

    impl Drop for Server {
        fn drop(&mut self) {
            let _ = self.1.send(self.0.strong_count() == 0);
        }
    }

    #[test]
    fn kept_servers_outlive_the_store() {
        let store = Arc::new(ModelStore::default());
        let (tell, heard) = channel();
        let server = Server(Arc::downgrade(&store), tell);
        drop(RealTimeFixture::new(store).keeping(server));
        assert_eq!(heard.try_recv(), Ok(true));
    }
}
