//! All laws, on every store and every decorator that keeps the contract.

use std::sync::Arc;

use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::{ManualClock, Namespace, Prefixed, Space, Store};
use larder_test::faulty::Faulty;
use larder_test::server::RedisServer;
use larder_test::{ManualFixture, ModelStore, RealTimeFixture, laws};

use crate::support::patient;

laws!(model, ManualFixture::model());
laws!(
    prefixed_model,
    on_a_manual_clock(|clock| prefixed(ModelStore::with_clock(clock)))
);

laws!(
    quiet_faulty_model,
    on_a_manual_clock(|clock| Faulty::new(Arc::new(ModelStore::with_clock(clock))))
);

laws!(moka_pinned, on_a_manual_clock(moka));
laws!(
    moka_evictable,
    on_a_manual_clock(moka).in_space(Space::Evictable)
);
laws!(
    prefixed_moka,
    on_a_manual_clock(|clock| prefixed(moka(clock)))
);

laws!(redis, on_a_server(|store| store).await);
laws!(prefixed_redis, on_a_server(prefixed).await);

fn on_a_manual_clock<S: Store>(make: impl FnOnce(ManualClock) -> S) -> ManualFixture {
    let clock = ManualClock::default();
    ManualFixture::new(make(clock.clone()), clock)
}

fn moka(clock: ManualClock) -> MokaStore {
    MokaStore::builder().with_clock(clock).build()
}

fn prefixed<S: Store>(store: S) -> Prefixed<S> {
    let namespace = Namespace::new("test", "laws").expect("a namespace");
    Prefixed::new(namespace, Arc::new(store))
}

/// A store on a `redis-server` of its own.
async fn on_a_server<S: Store>(decorate: impl FnOnce(RedisStore) -> S) -> RealTimeFixture {
    let server = RedisServer::start().expect("a redis-server");
    let store = patient(&server.url()).connect().await;
    let store = decorate(store.expect("a connection"));
    RealTimeFixture::new(Arc::new(store)).keeping(server)
}
