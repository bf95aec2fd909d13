//! All laws, on every store and every decorator that keeps the contract.

use std::sync::Arc;

use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::{ManualClock, Namespace, Prefixed, Shard, Sharded, Space, Store};
use larder_test::faulty::Faulty;
use larder_test::server::RedisServer;
use larder_test::{ManualFixture, ModelStore, RealTimeFixture, laws};

use larder_worlds::patient;

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

laws!(
    sharded_model,
    on_a_manual_clock(|clock| sharded([(); 3].map(|()| model(clock.clone()))))
);
laws!(
    sharded_moka,
    on_a_manual_clock(|clock| sharded([(); 3].map(|()| shared(moka(clock.clone())))))
);

laws!(redis, on_a_server(|store| store).await);
laws!(sharded_redis, on_two_servers().await);
laws!(prefixed_redis, on_a_server(prefixed).await);

fn on_a_manual_clock<S: Store>(make: impl FnOnce(ManualClock) -> S) -> ManualFixture {
    let clock = ManualClock::default();
    ManualFixture::new(make(clock.clone()), clock)
}

/// Shards of stores that read one clock.
fn sharded<const N: usize>(stores: [Arc<dyn Store>; N]) -> Sharded {
    let shards = stores.into_iter().enumerate();
    let shards = shards.map(|(number, store)| Shard::new(number.to_string(), store));
    Sharded::new(shards).expect("shards of different names")
}

fn shared(store: impl Store) -> Arc<dyn Store> {
    Arc::new(store)
}

fn model(clock: ManualClock) -> Arc<dyn Store> {
    shared(ModelStore::with_clock(clock))
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

/// Shards on two servers of their own.
async fn on_two_servers() -> RealTimeFixture {
    let servers = [(); 2].map(|()| RedisServer::start().expect("a redis-server"));
    let connect = async |server: &RedisServer| {
        let store = patient(&server.url()).connect().await;
        shared(store.expect("a connection"))
    };
    let stores = [connect(&servers[0]).await, connect(&servers[1]).await];
    RealTimeFixture::new(Arc::new(sharded(stores))).keeping(servers)
}
