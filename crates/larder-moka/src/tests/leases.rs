use std::sync::Arc;
use std::time::{Duration, Instant};

use larder_store::ErrorKind;
use larder_store::lease::{Claim, Claimed, Fence, Leases};
use larder_store::{Key, Kind, Put, Refusal, Result, Store, Ttl};

use super::support::{HOUR, PAGE, SEAT, SECOND, is_full, put, store_with};
use crate::MokaStore;

fn claim(kind: Kind, id: u32) -> Claim {
    Claim::new(Key::new(kind, id), SECOND)
}

async fn lead(store: &Arc<MokaStore>, kind: Kind, id: u32) -> Fence {
    match store.claim(&claim(kind, id)).await.unwrap() {
        Claimed::Lead(fence) => fence,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_cap_of_leases_is_exact_and_never_counts_ended_leases() {
    let (store, clock) = store_with(|builder| builder.with_max_leases(100));
    for round in 0..3 {
        for id in 0..100 {
            lead(&store, PAGE, round * 100 + id).await;
        }
        let refused = store.claim(&claim(PAGE, 999)).await.unwrap_err();
        assert!(is_full(&refused), "{refused}");
        assert!(refused.to_string().contains("with_max_leases"), "{refused}");
        clock.advance(Duration::from_secs(1));
    }
    assert_eq!(store.leases.stored(), 100);
    lead(&store, PAGE, 999).await;
}

#[tokio::test]
async fn a_lease_that_was_given_back_leaves_nothing_behind() {
    let (store, _) = store_with(|builder| builder);
    for id in 0..1_000 {
        let fence = lead(&store, SEAT, id).await;
        match id % 3 {
            0 => assert!(
                store
                    .abandon(&Key::new(SEAT, id), fence)
                    .await
                    .unwrap()
                    .is_held()
            ),
            1 => assert!(
                store
                    .commit(&put(SEAT, id, HOUR), fence)
                    .await
                    .unwrap()
                    .is_stored()
            ),
            _ => assert!(
                !store
                    .invalidate(&Key::new(SEAT, id))
                    .await
                    .unwrap()
                    .is_deleted()
            ),
        }
    }
    assert_eq!(store.leases.stored(), 0);
}

#[tokio::test]
async fn a_commit_that_does_not_fit_keeps_the_lease() {
    let (store, clock) = store_with(|builder| builder.with_max_keys_of(SEAT, 1));
    let _ = store.put(&put(SEAT, 1_u32, SECOND)).await.unwrap();
    let claim = Claim::new(Key::new(SEAT, 2_u32), HOUR);
    let Claimed::Lead(fence) = store.claim(&claim).await.unwrap() else {
        panic!("it does not lead");
    };
    let put = put(SEAT, 2_u32, SECOND);
    assert!(is_full(&store.commit(&put, fence).await.unwrap_err()));
    clock.advance(Duration::from_secs(1));
    assert!(store.commit(&put, fence).await.unwrap().is_stored());
}

#[tokio::test]
async fn a_commit_that_the_cache_cannot_hold_is_refused_whoever_holds_the_lease() {
    let (store, _) = store_with(|builder| builder.with_max_cache_bytes(100_000));
    let large = Put::new(Key::new(PAGE, 1_u32), vec![7; 100_001], HOUR);
    let claim = Claim::new(large.key().clone(), HOUR);
    let Claimed::Lead(fence) = store.claim(&claim).await.unwrap() else {
        panic!("it does not lead");
    };
    for fence in [Fence::from_u64(1), fence] {
        let error = store.commit(&large, fence).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert_eq!(error.operation(), "commit");
    }
    let small = put(PAGE, 1_u32, HOUR);
    assert!(store.commit(&small, fence).await.unwrap().is_stored());
}

#[tokio::test]
async fn a_kind_that_is_used_for_records_is_not_leased_for_values() {
    let (store, _) = store_with(|builder| builder);
    let record = Key::new(super::support::Tally::key(1).kind(), 1);
    let error = store.claim(&Claim::new(record, SECOND)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused(Refusal::WrongType));
}

#[tokio::test]
async fn a_follower_ends_with_the_lease_by_the_clock_of_the_system() {
    let store = Arc::new(MokaStore::new());
    let key = Key::new(PAGE, 1);
    let claim = Claim::new(key.clone(), Ttl::from_millis(20));
    store.claim(&claim).await.unwrap();
    let started = Instant::now();
    assert!(
        store
            .follow(&key, Duration::from_secs(60))
            .await
            .unwrap()
            .is_ended()
    );
    assert!(started.elapsed() >= Duration::from_millis(19));
    let claimed = store.claim(&claim).await.unwrap();
    assert!(matches!(claimed, Claimed::Lead(_)), "{claimed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_follower_waits_for_no_time_at_all_or_for_as_long_as_it_takes() {
    let store = Arc::new(MokaStore::new());
    let key = Key::new(PAGE, 1);
    let Claimed::Lead(fence) = store
        .claim(&Claim::new(key.clone(), Ttl::MAX))
        .await
        .unwrap()
    else {
        panic!("it does not lead");
    };
    assert!(!store.follow(&key, Duration::ZERO).await.unwrap().is_ended());
    let (following, of) = (store.clone(), key.clone());
    let follow = tokio::spawn(async move { following.follow(&of, Duration::MAX).await });
    tokio::time::sleep(Duration::from_secs(3 * 365 * 24 * 3600)).await;
    assert!(!follow.is_finished());
    assert!(store.abandon(&key, fence).await.unwrap().is_held());
    assert!(follow.await.unwrap().unwrap().is_ended());
    assert!(store.follow(&key, Duration::ZERO).await.unwrap().is_ended());
}

#[tokio::test]
async fn a_follower_waits_for_the_lease_that_it_saw_to_the_end_and_for_no_other() {
    let (store, clock) = store_with(|builder| builder);
    let key = Key::new(PAGE, 1);
    let follow = || {
        let (store, key) = (store.clone(), key.clone());
        tokio::spawn(async move { store.follow(&key, Duration::from_secs(10)).await })
    };
    let tick = Duration::from_micros(1);

    let fence = lead(&store, PAGE, 1).await;
    let follower = follow();
    settle().await;
    assert!(store.renew(&key, fence, HOUR).await.unwrap().is_held());
    clock.advance(Duration::from_secs(1));
    settle().await;
    assert!(!follower.is_finished(), "it was renewed for longer");
    assert!(store.renew(&key, fence, SECOND).await.unwrap().is_held());
    settle().await;
    assert!(!follower.is_finished(), "it was renewed for less");
    clock.advance(Duration::from_secs(1) - tick);
    settle().await;
    assert!(!follower.is_finished(), "a moment before its end");
    clock.advance(tick);
    assert!(follower.await.unwrap().unwrap().is_ended());

    let fence = lead(&store, PAGE, 1).await;
    let follower = follow();
    settle().await;
    assert!(store.abandon(&key, fence).await.unwrap().is_held());
    lead(&store, PAGE, 1).await;
    assert!(follower.await.unwrap().unwrap().is_ended());
}

/// Lets every task run until it waits.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_longest_ttl_overflows_nothing_however_far_the_clock_is() {
    let (store, clock) = store_with(|builder| builder);
    clock.advance(Duration::MAX);
    for kind in [PAGE, SEAT] {
        let put = put(kind, 1_u32, Ttl::MAX);
        assert!(store.put(&put).await.unwrap().is_stored());
        assert_eq!(store.ttl(put.key()).await.unwrap(), Some(Ttl::MAX));
        assert!(store.expire(put.key(), Ttl::MAX).await.unwrap().is_set());
        let claim = Claim::new(put.key().clone(), Ttl::MAX).having_seen(put.version());
        let Claimed::Lead(fence) = store.claim(&claim).await.unwrap() else {
            panic!("it does not lead");
        };
        assert!(
            store
                .renew(put.key(), fence, Ttl::MAX)
                .await
                .unwrap()
                .is_held()
        );
    }
}

/// Checks that fences rise and that the last of them committed, under concurrency.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_with_an_old_fence_is_refused() {
    let store = Arc::new(MokaStore::new());
    let tasks: Vec<_> = (0..8_u64)
        .map(|seed| tokio::spawn(work(store.clone(), seed)))
        .collect();
    let mut granted = Vec::new();
    for task in tasks {
        granted.extend(task.await.unwrap().unwrap());
    }
    let number = granted.len();
    granted.sort_unstable();
    granted.dedup();
    assert_eq!(granted.len(), number, "a fence was granted twice");
    assert!(number > 100, "{number}");
}

/// Claims, and commits its own fence as the value. After each accepted commit it checks that no lower
/// fence came later.
async fn work(store: Arc<MokaStore>, seed: u64) -> Result<Vec<u64>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut granted, mut highest) = (Vec::new(), [0_u64; 4]);
    for _ in 0..2_000 {
        let id = random.usize(0..4);
        let key = Key::new(if id.is_multiple_of(2) { PAGE } else { SEAT }, id as u64);
        let mut claim = Claim::new(key.clone(), HOUR);
        if let Some(entry) = store.get(&key).await? {
            let fence = std::str::from_utf8(&entry.value).unwrap().parse().unwrap();
            assert!(fence >= highest[id], "a lower fence was committed later");
            highest[id] = fence;
            claim = claim.having_seen(entry.version);
        }
        match store.claim(&claim).await? {
            Claimed::Lead(fence) => {
                granted.push(fence.as_u64());
                if random.u8(0..4) == 0 {
                    let _ = store.invalidate(&key).await?;
                    // Another caller may lead by now, and this fence is outdated.
                    highest[id] = highest[id].max(fence.as_u64());
                }
                tokio::task::yield_now().await;
                let put = Put::new(key.clone(), fence.as_u64().to_string(), HOUR);
                if store.commit(&put, fence).await?.is_stored() {
                    highest[id] = highest[id].max(fence.as_u64());
                }
            }
            Claimed::Stale | Claimed::Follow if random.u8(0..8) == 0 => {
                let _ = store.invalidate(&key).await?;
            }
            _ => tokio::task::yield_now().await,
        }
    }
    Ok(granted)
}
