use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use larder_redis::RedisStore;
use larder_store::Store;
use larder_test::server::RedisServer;
use larder_test::{Fixture, laws};

use crate::support::{patient, server};

/// A store on a server of its own, where time has to be waited for.
struct RedisFixture {
    store: Arc<RedisStore>,
    _server: RedisServer,
}

async fn fixture() -> RedisFixture {
    let server = server();
    let store = patient(&server.url()).connect().await.unwrap();
    RedisFixture {
        store: Arc::new(store),
        _server: server,
    }
}

#[async_trait]
impl Fixture for RedisFixture {
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

laws!(redis, fixture().await);
