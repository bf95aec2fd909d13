//! Locks behind sentinels: over a failover, and with replicas that confirm.

use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Duration;

use larder_store::{ErrorKind, Store, Ttl};
use larder_structures::lock::Lock;
use larder_test::server::RedisSentinels;
use larder_worlds::patient;
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};

const SOON: Duration = Duration::from_secs(40);

fn lock(store: Arc<dyn Store>) -> Lock {
    Lock::new(store, "report")
        .unwrap()
        .with_lease(Ttl::from_secs(2))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fence_rises_over_a_failover_and_who_waits_is_served_by_the_new_master() {
    let trio = RedisSentinels::start().unwrap();
    let store: Arc<dyn Store> = Arc::new(patient(&trio.url()).connect().await.unwrap());
    let lock = lock(store);
    let before = lock.lock(SOON).await.unwrap().unwrap();
    let waiting = tokio::spawn({
        let lock = lock.clone();
        async move {
            loop {
                // While there is no master the attempt fails, and is made again.
                if let Ok(Some(guard)) = lock.lock(SOON).await {
                    return guard.fence();
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
    });
    sleep(Duration::from_millis(100)).await;
    let old = trio.master().unwrap();
    old.kill();
    block_in_place(|| trio.wait_for_writable(old)).unwrap();
    let fence = before.fence();
    drop(before);
    let after = timeout(SOON, waiting).await.unwrap().unwrap();
    assert!(after > fence);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_replicas_do_not_confirm_is_not_given_and_is_taken_back() {
    let trio = RedisSentinels::start().unwrap();
    let two = NonZeroU8::new(2).unwrap();
    let within = Duration::from_millis(500);
    let confirmed = patient(&trio.url()).with_replicas(two, within);
    let confirmed = lock(Arc::new(confirmed.connect().await.unwrap()));
    let plain: Arc<dyn Store> = Arc::new(patient(&trio.url()).connect().await.unwrap());
    let plain = lock(plain);

    let master = trio.master().unwrap().port();
    let replica = trio
        .servers()
        .iter()
        .find(|it| it.port() != master)
        .unwrap();
    replica.freeze().unwrap();
    let error = confirmed.try_lock().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MayHaveRun, "{error}");
    // It was released before its lease of two seconds could end, or by that on a busy machine.
    let guard = timeout(SOON, plain.lock(SOON)).await.unwrap();
    assert!(guard.unwrap().is_some());
    replica.thaw().unwrap();
    let given = async {
        loop {
            // The replica has time to come back.
            if let Ok(Some(guard)) = confirmed.try_lock().await {
                return guard;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(!timeout(SOON, given).await.unwrap().is_lost());
}
