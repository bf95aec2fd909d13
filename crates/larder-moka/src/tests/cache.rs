use bytes::Bytes;
use larder_store::{ErrorKind, Key, Put, Store};
use tokio::task::JoinSet;

use super::support::*;
use crate::ENTRY_OVERHEAD;

fn page(id: u64, bytes: usize) -> Put {
    Put::new(Key::new(PAGE, id), vec![7; bytes], HOUR)
}

#[tokio::test]
async fn the_cache_is_bounded_by_weight_in_bytes() {
    const BYTES: u64 = 1024 * 1024;
    let (store, _) = store_with(|store| store.with_max_cache_bytes(BYTES));
    let mut random = fastrand::Rng::with_seed(7);
    for (most, times) in [(200_000, 300), (2_000, 3_000), (1, 5_000)] {
        for id in 0..times {
            let _ = store.put(&page(id, random.usize(0..most))).await.unwrap();
            if id % 50 == 0 {
                let held = store.cache.bytes_held();
                assert!(held <= BYTES + BYTES / 16 + 200_000, "{held}");
            }
        }
        store.cache.settle_now();
        let held = store.cache.bytes_held();
        assert!((BYTES / 2..=BYTES).contains(&held), "{held}");
    }
}

#[tokio::test]
async fn a_slice_does_not_keep_its_buffer_alive() {
    let (store, _) = store_with(|store| store);
    let buffer = Bytes::from(vec![7; 1024 * 1024]);
    let key = Key::new(PAGE, 7_u64);
    let slice = Put::new(key.clone(), buffer.slice(..10), HOUR);
    assert!(store.put(&slice).await.unwrap().is_stored());
    drop(slice);
    assert!(buffer.is_unique(), "what is stored shares the buffer");
    let entry = store.get(&key).await.unwrap().unwrap();
    assert_eq!(entry.value, buffer.slice(..10));
}

#[tokio::test(flavor = "multi_thread")]
async fn large_values_of_64_tasks_pass_the_bound_by_little() {
    const BYTES: u64 = 4 * 1024 * 1024;
    let (store, _) = store_with(|store| store.with_max_cache_bytes(BYTES));
    let mut tasks = JoinSet::new();
    for task in 0..64 {
        let store = store.clone();
        tasks.spawn(async move {
            for at in 0..20 {
                let _ = store.put(&page(task * 100 + at, 1_000_000)).await.unwrap();
                let held = store.cache.bytes_held();
                // The excess is at most what is being written at this moment.
                assert!(held <= BYTES + 64 * 1_100_000, "{held}");
            }
        });
    }
    tasks.join_all().await;
    store.cache.settle_now();
    assert!(store.cache.bytes_held() <= BYTES);
}

#[tokio::test]
async fn a_fresh_put_into_a_full_hot_cache_is_visible() {
    const HOT: u64 = 1000;
    let weight = ENTRY_OVERHEAD + 100;
    let (store, _) = store_with(|store| store.with_max_cache_bytes(HOT * weight));
    for _ in 0..10 {
        for id in 0..HOT {
            let put = page(id, 90);
            if store.get(put.key()).await.unwrap().is_none() {
                let _ = store.put(&put).await.unwrap();
            }
        }
        store.cache.settle_now();
    }
    assert!(store.cache.bytes_held() > HOT * weight * 9 / 10);
    for id in HOT..HOT + 100 {
        let fresh = page(id, 90);
        let _ = store.put(&fresh).await.unwrap();
        store.cache.settle_now();
        assert!(store.get(fresh.key()).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_value_that_the_cache_cannot_hold_is_refused_and_changes_nothing() {
    let (store, _) = store_with(|store| store.with_max_cache_bytes(100_000));
    let small = page(1, 10);
    let _ = store.put(&small).await.unwrap();
    let error = store.put(&page(1, 100_001)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(
        error.to_string().contains("with_max_cache_bytes"),
        "{error}"
    );
    let entry = store.get(small.key()).await.unwrap().unwrap();
    assert_eq!(entry.version, small.version());
}

#[tokio::test]
async fn a_value_past_the_maximum_is_refused_in_both_spaces() {
    let (store, _) = store_with(|store| store.with_max_value(10));
    for kind in [PAGE, SEAT] {
        for (bytes, fits) in [(10, true), (11, false)] {
            let put = Put::new(Key::new(kind, "a"), vec![7; bytes], HOUR);
            match store.put(&put).await {
                Ok(written) => assert!(written.is_stored() && fits),
                Err(error) => {
                    assert!(!fits);
                    assert_eq!(error.kind(), ErrorKind::TooLarge);
                    assert!(error.to_string().contains("with_max_value"), "{error}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_value_is_shared_by_all_readers_and_never_copied() {
    let (store, _) = store_with(|store| store);
    for kind in [PAGE, SEAT] {
        let put = Put::new(Key::new(kind, "a"), vec![7; 1000], HOUR);
        let _ = store.put(&put).await.unwrap();
        let first = store.get(put.key()).await.unwrap().unwrap();
        let second = store.get(put.key()).await.unwrap().unwrap();
        assert_eq!(first.value.as_ptr(), second.value.as_ptr());
    }
}

#[tokio::test]
async fn a_reader_of_an_expired_entry_gives_its_room_back() {
    let (store, clock) = store_with(|store| store);
    let put = put(PAGE, "a", SECOND);
    let _ = store.put(&put).await.unwrap();
    assert!(store.cache.bytes_held() > 0);
    clock.advance(SECOND.into());
    assert_eq!(store.get(put.key()).await.unwrap(), None);
    assert_eq!(store.cache.bytes_held(), 0);
}
