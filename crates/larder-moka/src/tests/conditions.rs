use larder_store::{Condition, Delete, DeleteOutcome, Key, Put, PutOutcome, Store, Version};
use tokio::task::JoinSet;

use super::support::*;

const KINDS: [larder_store::Kind; 2] = [PAGE, SEAT];

#[tokio::test(flavor = "multi_thread")]
async fn one_of_64_puts_if_absent_wins() {
    let (store, _) = store_with(|store| store);
    for (round, kind) in (0..50_u32).flat_map(|round| KINDS.map(|kind| (round, kind))) {
        let mut tasks = JoinSet::new();
        for _ in 0..64 {
            let store = store.clone();
            tasks.spawn(async move {
                let put = put(kind, round, HOUR).if_absent();
                let outcome = store.put(&put).await.unwrap();
                outcome.is_stored().then(|| put.version())
            });
        }
        let winners: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        let held = store.get(&Key::new(kind, round)).await.unwrap().unwrap();
        assert_eq!(winners, [held.version]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_addition_on_a_version_is_lost() {
    let (store, _) = store_with(|store| store);
    for kind in KINDS {
        let key = Key::new(kind, "sum");
        let _ = store.put(&Put::new(key.clone(), "0", HOUR)).await.unwrap();
        let mut tasks = JoinSet::new();
        for _ in 0..64 {
            let (store, key) = (store.clone(), key.clone());
            tasks.spawn(async move {
                for _ in 0..20 {
                    loop {
                        let held = store.get(&key).await.unwrap().unwrap();
                        let sum: u32 = std::str::from_utf8(&held.value).unwrap().parse().unwrap();
                        let put = Put::new(key.clone(), (sum + 1).to_string(), HOUR);
                        if store
                            .put(&put.if_version(held.version))
                            .await
                            .unwrap()
                            .is_stored()
                        {
                            break;
                        }
                    }
                }
            });
        }
        tasks.join_all().await;
        let held = store.get(&key).await.unwrap().unwrap();
        assert_eq!(held.value, "1280");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_put_is_not_overwritten_by_a_put_if_absent_that_raced_it() {
    let (store, _) = store_with(|store| store);
    for (round, kind) in (0..500_u32).flat_map(|round| KINDS.map(|kind| (round, kind))) {
        let (always, absent) = (put(kind, round, HOUR), put(kind, round, HOUR).if_absent());
        let version = always.version();
        let racer = {
            let store = store.clone();
            tokio::spawn(async move { store.put(&absent).await.unwrap() })
        };
        assert!(store.put(&always).await.unwrap().is_stored());
        let _ = racer.await.unwrap();
        let held = store.get(&Key::new(kind, round)).await.unwrap().unwrap();
        assert_eq!(held.version, version);
    }
}

#[tokio::test]
async fn a_condition_that_is_not_met_changes_nothing() {
    let (store, _) = store_with(|store| store);
    for kind in KINDS {
        let held = put(kind, "a", HOUR);
        let key = held.key();
        assert!(store.put(&held).await.unwrap().is_stored());
        let stranger = Condition::IfVersion(Version::random());
        for condition in [Condition::IfAbsent, stranger] {
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
        let entry = store.get(key).await.unwrap().unwrap();
        assert_eq!(entry.version, held.version());
        let delete = Delete::new(key.clone()).if_version(held.version());
        assert!(store.delete(&delete).await.unwrap().is_deleted());
        assert_eq!(store.get(key).await.unwrap(), None);
        let again = put(kind, "a", HOUR).if_version(held.version());
        assert!(!store.put(&again).await.unwrap().is_stored());
    }
}

#[tokio::test]
async fn many_writes_of_one_key_keep_their_order() {
    let (store, _) = store_with(|store| store);
    for kind in KINDS {
        let puts = [
            put(kind, "a", HOUR),
            put(kind, "a", HOUR).if_absent(),
            put(kind, "a", HOUR),
        ];
        let answers = store.put_many(&puts).await;
        let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers, [true, false, true].map(PutOutcome::from));
        let keys = [
            puts[0].key().clone(),
            Key::new(kind, "b"),
            puts[0].key().clone(),
        ];
        let held = store.get_many(&keys).await;
        let held: Vec<_> = held
            .into_iter()
            .map(|entry| entry.unwrap().map(|entry| entry.version))
            .collect();
        let last = Some(puts[2].version());
        assert_eq!(held, [last, None, last]);
        let deletes = keys.map(Delete::new);
        let answers = store.delete_many(&deletes).await;
        let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers, [true, false, false].map(DeleteOutcome::from));
    }
}
