use std::time::Duration;

use larder_store::{Condition, Delete, Store, Ttl};

use super::support::*;

const KINDS: [larder_store::Kind; 2] = [PAGE, SEAT];

#[tokio::test]
async fn a_value_ends_at_its_deadline_and_not_a_microsecond_before() {
    let (store, clock) = store_with(|store| store);
    for kind in KINDS {
        let put = put(kind, "a", Ttl::from_millis(1));
        let _ = store.put(&put).await.unwrap();
        clock.advance_micros(999);
        assert!(store.get(put.key()).await.unwrap().is_some());
        clock.advance_micros(1);
        assert_eq!(store.get(put.key()).await.unwrap(), None);
        assert_eq!(store.ttl(put.key()).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_ttl_is_rounded_up_to_a_millisecond() {
    let (store, clock) = store_with(|store| store);
    for kind in KINDS {
        let put = put(kind, "a", Ttl::from_millis(10));
        let _ = store.put(&put).await.unwrap();
        for (advance, left) in [(0, 10), (1, 10), (999, 9), (8000, 1), (999, 1)] {
            clock.advance_micros(advance);
            let ttl = store.ttl(put.key()).await.unwrap();
            assert_eq!(ttl, Some(Ttl::from_millis(left)), "after {advance} more");
        }
    }
}

#[tokio::test]
async fn an_expired_value_meets_only_the_condition_of_absence() {
    let (store, clock) = store_with(|store| store);
    for kind in KINDS {
        let first = put(kind, "a", SECOND);
        let key = first.key();
        let _ = store.put(&first).await.unwrap();
        clock.advance(SECOND.into());
        for condition in [Condition::IfPresent, Condition::IfVersion(first.version())] {
            assert!(
                !store
                    .put(&put(kind, "a", HOUR).on(condition))
                    .await
                    .unwrap()
                    .is_stored()
            );
            let delete = Delete::new(key.clone()).on(condition);
            assert!(!store.delete(&delete).await.unwrap().is_deleted());
        }
        assert!(!store.expire(key, HOUR).await.unwrap().is_set());
        assert!(
            !store
                .delete(&Delete::new(key.clone()))
                .await
                .unwrap()
                .is_deleted()
        );
        assert!(
            store
                .put(&put(kind, "a", HOUR).if_absent())
                .await
                .unwrap()
                .is_stored()
        );
    }
}

#[tokio::test]
async fn expire_moves_the_deadline_both_ways_and_keeps_the_version() {
    let (store, clock) = store_with(|store| store);
    for kind in KINDS {
        let put = put(kind, "a", SECOND);
        let _ = store.put(&put).await.unwrap();
        assert!(store.expire(put.key(), HOUR).await.unwrap().is_set());
        clock.advance(Duration::from_secs(10));
        let entry = store.get(put.key()).await.unwrap().unwrap();
        assert_eq!(entry.version, put.version());
        assert!(store.expire(put.key(), SECOND).await.unwrap().is_set());
        clock.advance(SECOND.into());
        assert_eq!(store.get(put.key()).await.unwrap(), None);
    }
}
