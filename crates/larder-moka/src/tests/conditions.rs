use larder_store::{Key, Put, Store};
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
