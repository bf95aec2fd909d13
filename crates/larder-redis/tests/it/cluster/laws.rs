use std::sync::Arc;

use larder_redis::RedisStore;
use larder_store::{Namespace, Prefixed, Store};
use larder_test::{RealTimeFixture, laws};
use tokio::sync::Mutex;

use super::{SHARED, store};
use crate::support::ok;

/// Runs the laws one after the other, so that each finds the cluster empty.
static TURN: Mutex<()> = Mutex::const_new(());

async fn fixture<S: Store>(decorate: impl FnOnce(Arc<RedisStore>) -> Arc<S>) -> RealTimeFixture {
    let turn = TURN.lock().await;
    for master in SHARED.masters() {
        ok(master, &["FLUSHALL"]);
    }
    RealTimeFixture::new(decorate(store(&SHARED).await)).keeping(turn)
}

fn prefixed(store: Arc<RedisStore>) -> Arc<Prefixed<RedisStore>> {
    let namespace = Namespace::new("test", "part").unwrap();
    Arc::new(Prefixed::new(namespace, store))
}

laws!(redis_cluster, fixture(|store| store).await);
laws!(prefixed_redis_cluster, fixture(prefixed).await);
