use larder_store::program::Record;
use larder_store::{Delete, Key, Kind, Store};
use tokio::task::JoinSet;

use super::support::*;

const TASKS: u32 = 64;

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_of_values_is_exact_under_64_tasks_and_nothing_acknowledged_is_lost() {
    let (store, _) = store_with(|store| store.with_max_keys_of(SEAT, 1000));
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let store = store.clone();
        tasks.spawn(async move {
            let mut held = Vec::new();
            for at in 0..50_u32 {
                let put = put(SEAT, (task, at), HOUR);
                match store.put(&put).await {
                    Ok(written) => {
                        assert!(written.is_stored());
                        held.push(put);
                    }
                    Err(error) => assert!(is_full(&error), "{error}"),
                }
            }
            held
        });
    }
    let held = tasks.join_all().await.concat();
    assert_eq!(held.len(), 1000);
    assert_eq!(store.pinned.held(SEAT), 1000);
    for put in held {
        let entry = store.get(put.key()).await.unwrap().unwrap();
        assert_eq!(entry.version, put.version());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_of_records_is_exact_under_64_tasks_and_nothing_acknowledged_is_lost() {
    let (store, _) = store_with(|store| store.with_max_keys_of(Tally::KIND, 1000));
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let store = store.clone();
        tasks.spawn(async move {
            let mut held = Vec::new();
            for at in 0..50_u32 {
                let key = Tally::key((task, at));
                match run(&store, &key, Step::Add(1, HOUR)).await {
                    Ok(before) => {
                        assert_eq!(before, None);
                        held.push(key);
                    }
                    Err(error) => assert!(is_full(&error), "{error}"),
                }
            }
            held
        });
    }
    let held = tasks.join_all().await.concat();
    assert_eq!(held.len(), 1000);
    assert_eq!(store.pinned.held(Tally::KIND), 1000);
    for key in held {
        assert_eq!(run(&store, &key, Step::Read).await.unwrap(), Some(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_tasks_as_the_cap_that_hold_one_key_each_are_never_refused() {
    let cap = TASKS as usize;
    let (store, _) = store_with(|store| store.with_max_keys_per_kind(cap));
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let store = store.clone();
        tasks.spawn(async move {
            for at in 0..200_u32 {
                let put = put(SEAT, (task, at), HOUR);
                assert!(store.put(&put).await.unwrap().is_stored());
                let delete = Delete::new(put.key().clone());
                assert!(store.delete(&delete).await.unwrap().is_deleted());

                let key = Tally::key((task, at));
                run(&store, &key, Step::Add(1, HOUR)).await.unwrap();
                assert_eq!(run(&store, &key, Step::Remove).await.unwrap(), Some(1));
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(store.pinned.held(SEAT), 0);
    assert_eq!(store.pinned.held(Tally::KIND), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn full_is_never_answered_under_64_tasks_while_anything_expired_is_held() {
    let cap = 2 * TASKS as usize;
    let (store, clock) = store_with(|store| store.with_max_keys_per_kind(cap));
    for round in 0..40_u32 {
        let mut tasks = JoinSet::new();
        for task in 0..TASKS {
            let store = store.clone();
            tasks.spawn(async move {
                for at in 0..2_u32 {
                    let id = (round, task, at);
                    assert!(store.put(&put(SEAT, id, SECOND)).await.unwrap().is_stored());
                    let step = Step::Add(1, SECOND);
                    run(&store, &Tally::key(id), step).await.unwrap();
                }
            });
        }
        tasks.join_all().await;
        for kind in [SEAT, Tally::KIND] {
            assert_eq!(store.pinned.held(kind), cap);
        }
        let more = put(SEAT, (round, "more"), HOUR);
        assert!(is_full(&store.put(&more).await.unwrap_err()));
        let more = Tally::key((round, "more"));
        let refused = run(&store, &more, Step::Add(1, HOUR)).await;
        assert!(is_full(&refused.unwrap_err()));
        clock.advance(SECOND.into());
    }
}

#[tokio::test]
async fn the_one_expired_key_of_a_full_kind_gives_way_whatever_moved_its_deadline() {
    const CAP: u32 = 500;
    let (store, clock) = store_with(|store| store.with_max_keys_of(SEAT, CAP as usize));
    for at in 0..CAP {
        let _ = store.put(&put(SEAT, at, HOUR)).await.unwrap();
    }
    for at in 0..CAP {
        let (old, new) = (Key::new(SEAT, at), put(SEAT, ("new", at), HOUR));
        assert!(is_full(&store.put(&new).await.unwrap_err()));
        // Postponed, brought forward, postponed, and brought forward again.
        for seconds in [7200, 2, 9000, 1] {
            let ttl = std::time::Duration::from_secs(seconds);
            let _ = store.expire(&old, ttl.try_into().unwrap()).await.unwrap();
        }
        assert!(is_full(&store.put(&new).await.unwrap_err()));
        clock.advance(SECOND.into());
        assert!(store.put(&new).await.unwrap().is_stored(), "key {at}");
        assert_eq!(store.get(&old).await.unwrap(), None);
    }
}

#[tokio::test]
async fn one_full_kind_does_not_block_another() {
    const HOLD: Kind = Kind::pinned("hold");
    let (store, _) = store_with(|store| store.with_max_keys_of(SEAT, 1).with_max_keys_of(HOLD, 2));
    assert!(store.put(&put(SEAT, "a", HOUR)).await.unwrap().is_stored());
    assert!(store.put(&put(SEAT, "b", HOUR)).await.is_err());
    for id in ["a", "b"] {
        assert!(store.put(&put(HOLD, id, HOUR)).await.unwrap().is_stored());
        assert!(store.put(&put(PAGE, id, HOUR)).await.unwrap().is_stored());
        run(&store, &Tally::key(id), Step::Add(1, HOUR))
            .await
            .unwrap();
    }
    assert!(store.put(&put(HOLD, "c", HOUR)).await.is_err());
}

#[tokio::test]
async fn a_full_kind_is_named_with_the_setting_that_raises_its_cap() {
    let (store, _) = store_with(|store| store.with_max_keys_per_kind(0));
    let error = store.put(&put(SEAT, "a", HOUR)).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("'seat'") && text.contains("with_max_keys_of"),
        "{text}"
    );
    let error = run(&store, &Tally::key("a"), Step::Add(1, HOUR)).await;
    let text = error.unwrap_err().to_string();
    assert!(
        text.contains("'tally'") && text.contains("with_max_keys_of"),
        "{text}"
    );
}

#[tokio::test]
async fn a_full_kind_accepts_writes_that_need_no_room() {
    let (store, _) = store_with(|store| store.with_max_keys_per_kind(1));
    assert!(store.put(&put(SEAT, "a", HOUR)).await.unwrap().is_stored());
    assert!(store.put(&put(SEAT, "a", HOUR)).await.unwrap().is_stored());
    assert!(
        !store
            .put(&put(SEAT, "a", HOUR).if_absent())
            .await
            .unwrap()
            .is_stored()
    );
    assert!(
        !store
            .put(&put(SEAT, "b", HOUR).if_present())
            .await
            .unwrap()
            .is_stored()
    );

    let (held, other) = (Tally::key("a"), Tally::key("b"));
    run(&store, &held, Step::Add(1, HOUR)).await.unwrap();
    run(&store, &held, Step::Add(1, HOUR)).await.unwrap();
    for step in [Step::Read, Step::Remove] {
        assert_eq!(run(&store, &other, step).await.unwrap(), None);
    }
    assert!(run(&store, &other, Step::Add(1, HOUR)).await.is_err());
    assert_eq!(run(&store, &other, Step::Read).await.unwrap(), None);
    assert_eq!(run(&store, &held, Step::Read).await.unwrap(), Some(2));
}

#[tokio::test]
async fn each_partition_of_a_kind_has_a_cap_of_its_own() {
    const GATE: Kind = Kind::pinned("gate").partitioned();
    let (store, clock) = store_with(|store| store.with_max_keys_of(GATE, 100));
    for id in 0..1_000_u32 {
        let written = store.put(&put(GATE, ("flooded", id), SECOND)).await;
        assert_eq!(written.is_ok(), id < 100);
    }
    let refused = store.put(&put(GATE, ("flooded", "more"), HOUR)).await;
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("a partition of kind 'gate'"), "{text}");
    for id in 0..100_u32 {
        assert!(
            store
                .put(&put(GATE, ("quiet", id), HOUR))
                .await
                .unwrap()
                .is_stored()
        );
    }
    // Long ids, which are hashed, are in the right partition too.
    let long = "a".repeat(1_000);
    let refused = store.put(&put(GATE, ("quiet", &*long), HOUR)).await;
    assert!(is_full(&refused.unwrap_err()));
    clock.advance(SECOND.into());
    assert!(
        store
            .put(&put(GATE, ("flooded", &*long), HOUR))
            .await
            .unwrap()
            .is_stored()
    );
    assert_eq!(store.pinned.partitions(GATE), 2);
}

#[tokio::test]
async fn partitions_past_the_maximum_share_one() {
    const GATE: Kind = Kind::pinned("gate").partitioned();
    let (store, _) = store_with(|store| store.with_max_keys_of(GATE, 2));
    let most = crate::MAX_PARTITIONS as u32;
    for partition in 0..most {
        for id in 0..2_u8 {
            let _ = store.put(&put(GATE, (partition, id), HOUR)).await.unwrap();
        }
    }
    for partition in most..10 * most {
        let written = store.put(&put(GATE, (partition, 0_u8), HOUR)).await;
        assert_eq!(written.is_ok(), partition < most + 2, "{partition}");
    }
    assert_eq!(store.pinned.partitions(GATE), crate::MAX_PARTITIONS + 1);
    let shared = Key::new(GATE, (most + 1, 0_u8));
    assert!(store.get(&shared).await.unwrap().is_some());
}
