use larder_store::{Delete, PutOutcome, Store};
use larder_test::server::RedisCluster;

use super::{Frozen, LONG, SHORT, confirmed, has, replicas, trio, unconfirmed};
use crate::cluster::{one_on_each, slot};
use crate::support::{Add, Look, calls, key, programs, put, tally};

const ADD: Add = Add { by: 1, ms: 60_000 };

#[tokio::test]
async fn a_batch_waits_once_and_has_an_error_for_each_of_its_writes() {
    let (trio, _turn) = trio().await;
    let patient = confirmed(&trio.url(), 1, LONG).await;
    let store = confirmed(&trio.url(), 1, SHORT).await;
    let master = trio.master().unwrap();
    let puts: Vec<_> = (200..220_u64).map(|id| put(id, "x")).collect();
    let deletes: Vec<_> = (200..220_u64).map(|id| Delete::new(key(id))).collect();
    let steps: Vec<_> = (200..220_u64).map(|id| (tally(id), ADD)).collect();
    let keys: Vec<_> = (200..220_u64).map(key).collect();
    programs(&patient).run(&tally(1), &ADD).await.unwrap();
    let leases = store.clone().leases().unwrap();
    let known = patient.clone().leases().unwrap();
    let _ = known.invalidate(&key(1)).await.unwrap();

    let before = calls(master, "wait");
    let outcomes = patient.put_many(&puts).await.into_iter();
    assert!(outcomes.map(Result::unwrap).all(PutOutcome::is_stored));
    assert_eq!(calls(master, "wait"), before + 1);

    let frozen = Frozen::new(replicas(trio));
    let before = calls(master, "wait");
    for result in store.put_many(&puts).await {
        unconfirmed(result);
    }
    assert_eq!(calls(master, "wait"), before + 1);
    for result in programs(&store).run_many(&steps).await {
        unconfirmed(result);
    }
    let looks = [(tally(200), Look::default())];
    for result in programs(&store).run_many(&looks).await {
        result.unwrap();
    }
    assert!(
        store
            .get_many(&keys)
            .await
            .into_iter()
            .all(|it| it.unwrap().is_some())
    );
    for result in leases.invalidate_many(&keys[..10]).await {
        unconfirmed(result);
    }
    for result in store.delete_many(&deletes[10..]).await {
        unconfirmed(result);
    }
    assert!(
        store
            .get_many(&keys)
            .await
            .into_iter()
            .all(|it| it.unwrap().is_none())
    );
    drop(frozen);
    // It ran once, although no replica confirmed it.
    let again = programs(&patient).run(&tally(200), &ADD).await;
    assert_eq!(again.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_cluster_each_shard_waits_for_its_own_replicas() {
    let cluster = RedisCluster::start().unwrap();
    let ids = one_on_each(&cluster);
    let masters: Vec<_> = ids
        .iter()
        .map(|id| cluster.master_of_slot(slot(*id)).unwrap())
        .collect();
    let replicas: Vec<_> = masters
        .iter()
        .map(|it| cluster.replicas_of(it)[0])
        .collect();
    let store = confirmed(&cluster.url(), 1, LONG).await;
    let puts: Vec<_> = ids.iter().map(|id| put(*id, "x")).collect();

    for result in store.put_many(&puts).await {
        assert!(result.unwrap().is_stored());
    }
    for (id, replica) in ids.iter().zip(&replicas) {
        // A replica of a cluster serves reads only after READONLY.
        let mut connection = replica.connect().unwrap();
        connection.call(&["READONLY"]).unwrap();
        let held = connection.call(&["EXISTS", key(*id).as_str()]).unwrap();
        assert_eq!(held.int(), Some(1));
        assert!(
            store
                .delete(&Delete::new(key(*id)))
                .await
                .unwrap()
                .is_deleted()
        );
        let held = connection.call(&["EXISTS", key(*id).as_str()]).unwrap();
        assert_eq!(held.int(), Some(0));
    }

    // The other replicas have enough time to confirm theirs.
    let store = confirmed(&cluster.url(), 1, 8 * SHORT).await;
    let frozen = Frozen::new(vec![replicas[0]]);
    let mut results = store.put_many(&puts).await.into_iter();
    unconfirmed(results.next().unwrap());
    assert!(results.map(Result::unwrap).all(PutOutcome::is_stored));
    unconfirmed(store.put(&puts[0]).await);
    assert!(store.put(&puts[1]).await.unwrap().is_stored());
    let steps: Vec<_> = ids.iter().map(|id| (tally(*id), ADD)).collect();
    let ran = programs(&store).run_many(&steps).await;
    for (id, result) in ids.iter().zip(ran) {
        let on = cluster.master_of(tally(*id).as_str()).unwrap();
        match on.port() == masters[0].port() {
            true => assert!(unconfirmed(result).to_string().contains("0 of 1")),
            false => assert_eq!(result.unwrap(), 1),
        }
        assert!(has(on, &tally(*id)));
    }
    drop(frozen);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redirected_writes_of_a_moving_slot_are_confirmed_where_they_ran() {
    let cluster = RedisCluster::start().unwrap();
    let ids = one_on_each(&cluster);
    let there = cluster.master_of_slot(slot(ids[1])).unwrap();
    let patient = confirmed(&cluster.url(), 1, LONG).await;
    let store = confirmed(&cluster.url(), 1, SHORT).await;
    let value = put(ids[0], "x");
    let moving = cluster.begin_move(slot(ids[0]), there).unwrap();
    // The key does not exist, so its old node answers ASK.
    assert!(patient.put(&value).await.unwrap().is_stored());
    assert!(
        patient
            .put_many(std::slice::from_ref(&value))
            .await
            .remove(0)
            .unwrap()
            .is_stored()
    );
    let frozen = Frozen::new(cluster.replicas_of(there));
    unconfirmed(store.put(&value).await);
    unconfirmed(store.put_many(std::slice::from_ref(&value)).await.remove(0));
    drop(frozen);
    moving.finish().unwrap();
    assert!(patient.put(&value).await.unwrap().is_stored());
    let frozen = Frozen::new(cluster.replicas_of(there));
    unconfirmed(store.put(&value).await);
    unconfirmed(store.put_many(&[value]).await.remove(0));
    assert_eq!(store.get(&key(ids[0])).await.unwrap().unwrap().value, "x");
    drop(frozen);
}
