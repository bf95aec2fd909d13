use larder_store::{Delete, Store};

use super::{SHARED, fresh, one_on_each, slot, store};
use crate::support::{Add, Look, calls, key, ok, programs, put, tally};

#[tokio::test]
async fn each_key_is_at_the_master_of_its_slot() {
    let store = store(&SHARED).await;
    for id in one_on_each(&SHARED) {
        assert!(store.put(&put(id, "x")).await.unwrap().is_stored());
        let master = SHARED.master_of_slot(slot(id)).unwrap();
        let there = ok(master, &["EXISTS", key(id).as_str()]);
        assert_eq!(there.int(), Some(1));
    }
}

#[tokio::test]
async fn many_keys_are_one_round_trip_to_each_node_and_come_back_in_order() {
    let store = store(&SHARED).await;
    let start = fresh();
    let puts: Vec<_> = (start..start + 300).map(|id| put(id, "x")).collect();
    let keys: Vec<_> = puts.iter().map(|put| put.key().clone()).collect();
    for result in store.put_many(&puts).await {
        assert!(result.unwrap().is_stored());
    }
    let read = store.get_many(&keys).await;
    for (put, entry) in puts.iter().zip(read) {
        assert_eq!(entry.unwrap().unwrap().version, put.version());
    }
    let masters = SHARED.masters();
    let found = masters.iter().map(|master| calls(master, "get"));
    assert!(found.min() >= Some(50), "three masters share 300 keys");
    let deletes: Vec<_> = keys.iter().cloned().map(Delete::new).collect();
    for result in store.delete_many(&deletes).await {
        assert!(result.unwrap().is_deleted());
    }
    for entry in store.get_many(&keys).await {
        assert_eq!(entry.unwrap(), None);
    }
}

#[tokio::test]
async fn programs_run_where_their_records_are_also_after_the_scripts_were_forgotten() {
    let store = store(&SHARED).await;
    let programs = programs(&store);
    let ids = one_on_each(&SHARED);
    let start = fresh();
    for round in 1..=3 {
        for master in SHARED.masters() {
            ok(master, &["SCRIPT", "FLUSH"]);
        }
        let steps: Vec<_> = (start..start + 60)
            .map(|id| (tally(id), Add { by: 1, ms: 60_000 }))
            .collect();
        for result in programs.run_many(&steps).await {
            assert_eq!(result.unwrap(), round);
        }
        for id in &ids {
            let add = Add { by: 1, ms: 60_000 };
            assert_eq!(programs.run(&tally(*id), &add).await.unwrap(), round);
        }
    }
    let seen = programs.run(&tally(start), &Look::default()).await.unwrap();
    assert_eq!(seen.fields()[0].1, "3");
}
