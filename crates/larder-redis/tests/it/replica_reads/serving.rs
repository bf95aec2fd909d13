use larder_store::lease::Claim;
use larder_store::{Key, Kind, Put, Store, Ttl};
use larder_test::server::{RedisCluster, RedisNode, RedisSentinels, slot_of};

use super::{LONG, Pair, reader, until_read_there, value};
use crate::support::{Add, calls, key, patient, programs, put, tally, until};

#[tokio::test]
async fn values_are_read_from_a_replica_and_everything_else_from_the_master() {
    let pair = Pair::start().await;
    let writer = patient(&pair.master.url()).connect().await.unwrap();
    let _ = writer.put(&put(1, "one")).await.unwrap();
    let store = reader(&pair.master.url(), LONG).await;
    until_read_there(&store, &key(1), || calls(&pair.replica, "get")).await;

    let reads = || [&pair.master, &pair.replica].map(|it| calls(it, "get") + calls(it, "pttl"));
    let [master, replica] = reads();
    for _ in 0..20 {
        assert_eq!(value(&store, 1).await, "one");
        assert!(store.ttl(&key(1)).await.unwrap().is_some());
    }
    assert_eq!(reads(), [master, replica + 40]);

    let scripts = calls(&pair.replica, "evalsha") + calls(&pair.replica, "eval");
    let add = Add { by: 1, ms: 60_000 };
    assert_eq!(programs(&store).run(&tally(1), &add).await.unwrap(), 1);
    let leases = store.clone().leases().unwrap();
    let claim = Claim::new(key(2), Ttl::from_secs(1));
    leases.claim(&claim).await.unwrap();
    let now = calls(&pair.replica, "evalsha") + calls(&pair.replica, "eval");
    assert_eq!(now, scripts);
}

#[tokio::test]
async fn a_kind_with_consistent_reads_is_read_from_the_master() {
    const EXACT: Kind = Kind::evictable("test").with_consistent_reads();
    let pair = Pair::start().await;
    let writer = patient(&pair.master.url()).connect().await.unwrap();
    let _ = writer.put(&put(1, "one")).await.unwrap();
    let store = reader(&pair.master.url(), LONG).await;
    until_read_there(&store, &key(1), || calls(&pair.replica, "get")).await;

    let reads = || calls(&pair.replica, "get") + calls(&pair.replica, "pttl");
    let before = reads();
    pair.part();
    let exact = Key::new(EXACT, 1_u32);
    let written = Put::new(exact.clone(), "new", Ttl::from_secs(60));
    let _ = writer.put(&written).await.unwrap();
    for _ in 0..20 {
        let entry = store.get(&exact).await.unwrap().unwrap();
        assert_eq!(&entry.value[..], b"new");
        let entries = store.get_many(std::slice::from_ref(&exact)).await;
        assert!(entries[0].as_ref().unwrap().is_some());
        assert!(store.ttl(&exact).await.unwrap().is_some());
    }
    assert_eq!(reads(), before);
}

#[tokio::test]
async fn of_many_keys_those_just_written_are_read_of_the_master_and_the_others_of_one_replica() {
    let trio = RedisSentinels::start().unwrap();
    let writer = patient(&trio.url()).connect().await.unwrap();
    for id in 0..20 {
        let _ = writer.put(&put(id, "old")).await.unwrap();
    }
    let store = reader(&trio.url(), LONG).await;
    let master = trio.master().unwrap().port();
    let (masters, replicas): (Vec<_>, Vec<_>) =
        trio.servers().iter().partition(|it| it.port() == master);
    until_read_there(&store, &key(1), || gets(&replicas)).await;

    let _ = store.put(&put(3, "new")).await.unwrap();
    let before = [gets(&masters), gets(&replicas)];
    let keys: Vec<_> = (0..20).map(key).collect();
    let entries = store.get_many(&keys).await;
    for (id, entry) in entries.into_iter().enumerate() {
        let expected = if id == 3 { "new" } else { "old" };
        assert_eq!(&entry.unwrap().unwrap().value[..], expected.as_bytes());
    }
    assert_eq!(
        [gets(&masters), gets(&replicas)],
        [before[0] + 1, before[1] + 19]
    );
}

#[tokio::test]
async fn the_replicas_of_a_cluster_are_read_and_its_masters_are_left_alone() {
    let cluster = RedisCluster::start().unwrap();
    let writer = patient(&cluster.url()).connect().await.unwrap();
    for id in 0..60 {
        let _ = writer.put(&put(id, "one")).await.unwrap();
    }
    let store = reader(&cluster.url(), LONG).await;
    let masters = cluster.masters();
    let replicas: Vec<_> = masters
        .iter()
        .flat_map(|it| cluster.replicas_of(it))
        .collect();
    for id in 0..60 {
        until_read_there(&store, &key(id), || gets(&replicas)).await;
    }
    let before = [gets(&masters), gets(&replicas)];
    let keys: Vec<_> = (0..60).map(key).collect();
    for (id, entry) in (0..60).zip(store.get_many(&keys).await) {
        assert_eq!(&entry.unwrap().unwrap().value[..], b"one", "{id}");
        assert_eq!(value(&store, id).await, "one");
    }
    assert_eq!(
        [gets(&masters), gets(&replicas)],
        [before[0], before[1] + 120]
    );
}

/// Returns the number of GETs on these servers.
fn gets(nodes: &[&RedisNode]) -> u64 {
    nodes.iter().map(|node| calls(node, "get")).sum()
}

#[tokio::test]
async fn a_value_missing_on_a_replica_of_a_moving_slot_is_found_on_its_new_master() {
    let cluster = RedisCluster::start().unwrap();
    let writer = patient(&cluster.url()).connect().await.unwrap();
    let _ = writer.put(&put(1, "one")).await.unwrap();
    let store = reader(&cluster.url(), LONG).await;
    let key = key(1);
    let from = cluster.master_of(key.as_str()).unwrap();
    let replica = cluster.replicas_of(from)[0];
    until_read_there(&store, &key, || calls(replica, "get")).await;

    let masters = cluster.masters();
    let to = masters.iter().find(|it| it.port() != from.port()).unwrap();
    let moving = cluster.begin_move(slot_of(key.as_str()), to).unwrap();
    moving.migrate(&[key.as_str()]).unwrap();
    until("gone from the replica", || async {
        replica.command(&["DBSIZE"]).unwrap().int() == Some(0)
    })
    .await;
    let before = calls(replica, "get");
    assert_eq!(value(&store, 1).await, "one");
    assert!(store.ttl(&key).await.unwrap().is_some());
    let many = store.get_many(std::slice::from_ref(&key)).await.remove(0);
    assert_eq!(&many.unwrap().unwrap().value[..], b"one");
    assert_eq!(calls(replica, "get"), before + 2);
    moving.finish().unwrap();
    assert_eq!(value(&store, 1).await, "one");
}
