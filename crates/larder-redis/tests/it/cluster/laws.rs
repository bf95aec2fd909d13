use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use larder_store::{Namespace, Prefixed, Store};
use larder_test::{Fixture, laws};
use tokio::sync::{Mutex, MutexGuard};

use super::{SHARED, ok, store};

/// One after the other: each law finds the cluster empty.
static TURN: Mutex<()> = Mutex::const_new(());

struct ClusterFixture {
    store: Arc<dyn Store>,
    _turn: MutexGuard<'static, ()>,
}

async fn whole() -> ClusterFixture {
    let turn = TURN.lock().await;
    for master in SHARED.masters() {
        ok(master, &["FLUSHALL"]);
    }
    ClusterFixture {
        store: store(&SHARED).await,
        _turn: turn,
    }
}

async fn part() -> ClusterFixture {
    let whole = whole().await;
    let namespace = Namespace::new("test", "part").unwrap();
    ClusterFixture {
        store: Arc::new(Prefixed::new(namespace, whole.store)),
        _turn: whole._turn,
    }
}

#[async_trait]
impl Fixture for ClusterFixture {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    async fn advance(&self, by: Duration) {
        // A server counts whole milliseconds, and may be in the middle of one.
        tokio::time::sleep(by + self.slack()).await;
    }

    fn slack(&self) -> Duration {
        Duration::from_millis(2)
    }
}

laws!(redis_cluster, whole().await);
laws!(prefixed_redis_cluster, part().await);
