//! Fenced values: a stale holder writes nothing.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larder_store::lease::Fence;
use larder_store::{ErrorKind, Ttl};
use larder_structures::fenced::{Fenced, FencedPut};
use larder_structures::lock::Lock;
use larder_test::server::RedisServer;
use larder_worlds::{on_every_store, patient};

const MINUTE: Ttl = Ttl::from_secs(60);
const HOUR: Ttl = Ttl::from_secs(3600);

on_every_store! { memory, redis, cluster;
    async fn a_holder_that_was_stopped_past_its_lease_writes_nothing(world: World) {
        let lock = Lock::new(world.store.clone(), "report").unwrap();
        let reports = Fenced::new(world.store.clone()).unwrap();
        let stopped = lock.try_lock().await.unwrap().unwrap();
        world.advance(Duration::from_secs(30));
        let next = lock.try_lock().await.unwrap().unwrap();
        let put = reports.put("today", next.fence(), "ready", HOUR).await.unwrap();
        assert_eq!(put, FencedPut::Written);
        let put = reports.put("today", stopped.fence(), "stale", HOUR).await.unwrap();
        assert_eq!(put, FencedPut::Stale { newest: next.fence() });
        // Its holder writes again with the same fence.
        let put = reports.put("today", next.fence(), "better", HOUR).await.unwrap();
        assert_eq!(put, FencedPut::Written);
        let (fence, value) = reports.get("today").await.unwrap().unwrap();
        assert_eq!((fence, &*value), (next.fence(), &b"better"[..]));
    }

    async fn the_newest_fence_outlives_the_value(world: World) {
        let reports = Fenced::new(world.store.clone()).unwrap().with_fence_memory(HOUR);
        let [old, new] = [7, 8].map(Fence::from_u64);
        assert_eq!(reports.put(1_u32, new, "x", MINUTE).await.unwrap(), FencedPut::Written);
        world.advance(Duration::from_secs(60));
        assert!(reports.get(1_u32).await.unwrap().is_none());
        let stale = FencedPut::Stale { newest: new };
        assert_eq!(reports.put(1_u32, old, "y", MINUTE).await.unwrap(), stale);
        world.advance(Duration::from_secs(3540));
        assert_eq!(reports.put(1_u32, old, "y", MINUTE).await.unwrap(), FencedPut::Written);
    }

    async fn a_value_that_is_a_part_of_something_large_keeps_nothing_else_alive(world: World) {
        let reports = Fenced::new(world.store.clone()).unwrap();
        let body = Bytes::from(vec![7; 1 << 20]);
        let put = reports.put(1_u32, Fence::from_u64(1), body.slice(..10), HOUR).await;
        assert_eq!(put.unwrap(), FencedPut::Written);
        assert!(body.is_unique(), "its ten bytes hold a mebibyte");
    }

    async fn what_no_store_takes_is_refused_alike(world: World) {
        let reports = Fenced::new(world.store.clone()).unwrap();
        let wide = reports.put(1_u32, Fence::from_u64(u64::MAX), "x", HOUR).await;
        assert_eq!(wide.unwrap_err().kind(), ErrorKind::Invalid);
        let large = vec![0; larder_store::DEFAULT_MAX_VALUE + 1];
        let large = reports.put(1_u32, Fence::from_u64(1), large, HOUR).await;
        assert_eq!(large.unwrap_err().kind(), ErrorKind::TooLarge);
        assert!(reports.get(1_u32).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_fence_that_no_store_writes_keeps_nobody_from_writing() {
    let server = RedisServer::start().unwrap();
    let store = patient(&server.url()).connect().await.unwrap();
    let reports = Fenced::new(Arc::new(store)).unwrap();
    for bytes in [
        "99999999999999999999 9999999999999999 x",
        "9007199254740993 9999999999999999 x",
        "007 9999999999999999 x",
    ] {
        server.command(&["SET", "fenced:{today}", bytes]).unwrap();
        assert!(reports.get("today").await.unwrap().is_none(), "{bytes}");
        let put = reports
            .put("today", Fence::from_u64(1), "ready", HOUR)
            .await;
        assert_eq!(put.unwrap(), FencedPut::Written, "{bytes}");
    }
}
