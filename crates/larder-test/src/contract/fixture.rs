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

    /// How many keys the store holds in memory now, with those that have ended and were not freed yet.
    /// Default: None, for a store with a bound of its own, which the laws fill, and for a server.
    ///
    /// A store in this process without a bound tells it, or nothing sees that it only ever grows.
    fn held_keys(&self) -> Option<usize> {
        None
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
    held_keys: Option<Count>,
}

type Count = Box<dyn Fn() -> usize + Send + Sync>;

impl ManualFixture {
    /// A fixture of `store`, which reads its time from `clock`.
    pub fn new(store: impl Store, clock: ManualClock) -> Self {
        Self::shared(Arc::new(store), clock)
    }

    /// A fixture of a store that its maker keeps a hand on, to [count](Self::counting) its keys.
    pub fn shared(store: Arc<dyn Store>, clock: ManualClock) -> Self {
        Self {
            store,
            clock,
            space: Space::Pinned,
            held_keys: None,
        }
    }

    /// A fixture of a new [`ModelStore`].
    pub fn model() -> Self {
        let clock = ManualClock::default();
        let store = Arc::new(ModelStore::with_clock(clock.clone()));
        Self::shared(store.clone(), clock).counting(move || store.held_keys())
    }

    /// The same fixture, with a count of the keys that the store holds in memory, ended ones too.
    #[must_use]
    pub fn counting(mut self, held_keys: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        self.held_keys = Some(Box::new(held_keys));
        self
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

    fn held_keys(&self) -> Option<usize> {
        self.held_keys.as_ref().map(|count| count())
    }

    fn space(&self) -> Space {
        self.space
    }
}

/// A [`Fixture`] of a store on servers, whose time has to be waited for.
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
    /// A fixture of `store`, which lets a TTL end up to 5 ms late: servers count whole milliseconds.
    ///
    /// Give the store long deadlines: a law is about answers, and a machine may be busy.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            _kept: Box::new(()),
        }
    }

    /// The same fixture, which drops `kept` after its store: the servers that it is on, say.
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

    /// Tells, when it is dropped, whether the store is gone.
    struct Server(Weak<ModelStore>, Sender<bool>);

    impl Drop for Server {
        fn drop(&mut self) {
            let _ = self.1.send(self.0.strong_count() == 0);
        }
    }

    #[test]
    fn what_is_kept_outlives_the_store() {
        let store = Arc::new(ModelStore::default());
        let (tell, heard) = channel();
        let server = Server(Arc::downgrade(&store), tell);
        drop(RealTimeFixture::new(store).keeping(server));
        assert_eq!(heard.try_recv(), Ok(true));
    }
}
