//! Semaphores: so many holders at a time, whose permits come back when they die.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use larder_moka::MokaStore;
use larder_store::{ErrorKind, Store, Ttl};
use larder_structures::lock::{Lock, Released, Semaphore};
use larder_worlds::{World, on_every_store};
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(60);
const THREE: NonZeroU32 = NonZeroU32::new(3).unwrap();

fn semaphore(world: &World) -> Semaphore {
    Semaphore::new(world.store.clone(), "calls", THREE).unwrap()
}

on_every_store! { memory, redis, cluster;
    async fn a_semaphore_has_as_many_holders_as_permits(world: World) {
        let calls = semaphore(&world);
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(calls.try_acquire().await.unwrap().unwrap());
        }
        assert!(calls.try_acquire().await.unwrap().is_none());
        let fences: Vec<_> = held.iter().map(|permit| permit.fence()).collect();
        assert!(fences.windows(2).all(|pair| pair[0] < pair[1]), "{fences:?}");
        let waiting = tokio::spawn({
            let calls = calls.clone();
            async move { calls.acquire(LONG).await.unwrap().is_some() }
        });
        assert_eq!(held.remove(1).release().await.unwrap(), Released::InTime);
        assert!(timeout(LONG, waiting).await.unwrap().unwrap());
    }

    async fn a_permit_of_a_process_that_has_died_comes_back(world: World) {
        let calls = semaphore(&world).with_lease(Ttl::from_secs(300));
        for _ in 0..3 {
            std::mem::forget(calls.try_acquire().await.unwrap().unwrap());
        }
        world.advance(Duration::from_secs(300));
        for _ in 0..3 {
            std::mem::forget(calls.try_acquire().await.unwrap().unwrap());
        }
        assert!(calls.try_acquire().await.unwrap().is_none());
    }

    async fn a_lock_and_a_semaphore_of_one_name_are_apart(world: World) {
        let lock = Lock::new(world.store.clone(), "calls").unwrap();
        let _held = lock.try_lock().await.unwrap().unwrap();
        assert!(semaphore(&world).try_acquire().await.unwrap().is_some());
    }
}

#[test]
fn a_semaphore_with_too_many_permits_for_one_record_is_refused() {
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    let new = |permits| Semaphore::new(store.clone(), "calls", NonZeroU32::new(permits).unwrap());
    assert!(new(100).is_ok());
    let error = new(101).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("100 permits"), "{error}");
}
