//! Keys over several stores, and what a lost one takes with it.

use std::sync::Arc;
use std::time::Duration;

use larder::connect;
use larder_store::bus::{Channel, Event, SubscribeRequest, Topic};
use larder_store::{
    Delete, DeleteOutcome, Error, ErrorKind, Key, Kind, MAX_SHARDS, ManualClock, Put, Shard,
    Sharded, Store, Ttl,
};
use larder_test::ModelStore;
use larder_test::faulty::{Faulty, Switch, Trouble};
use larder_test::server::RedisServer;
use tokio::net::TcpListener;

const FILM: Kind = Kind::evictable("film");
const SEAT: Kind = Kind::pinned("seat");
const HOUR: Ttl = Ttl::from_secs(3600);

/// Three stores, the first of which has a switch.
fn sharded() -> (Arc<Sharded>, Switch) {
    let first = Faulty::new(Arc::new(ModelStore::with_clock(ManualClock::default())));
    let switch = first.switch();
    let sharded = Sharded::new([
        Shard::new("first", Arc::new(first)),
        Shard::new("second", Arc::new(ModelStore::new())),
        Shard::new("third", Arc::new(ModelStore::new())),
    ]);
    (Arc::new(sharded.expect("three shards")), switch)
}

/// A key of each kind with one id, which is on the first shard or on another.
fn keys(store: &Sharded, on_first: bool) -> [Key; 2] {
    let mut ids = 0_u32..1_000;
    let id = ids.find(|id| (store.shard_of(&Key::new(FILM, *id)) == "first") == on_first);
    let id = id.expect("some id is there");
    [Key::new(FILM, id), Key::new(SEAT, id)]
}

fn lost(error: &Error) -> bool {
    error.kind() == ErrorKind::NotSent
}

#[tokio::test]
async fn a_lost_shard_fails_its_pinned_keys_and_makes_its_evictable_keys_misses() {
    let (store, switch) = sharded();
    let [film, seat] = keys(&store, true);
    let others = keys(&store, false);
    for key in [&film, &seat].into_iter().chain(&others) {
        let put = store.put(&Put::new(key.clone(), "x", HOUR)).await;
        assert!(put.unwrap().is_stored());
    }
    switch.set(Trouble::Fail(ErrorKind::NotSent));
    assert!(store.get(&film).await.unwrap().is_none());
    assert!(store.ttl(&film).await.unwrap().is_none());
    assert!(lost(&store.get(&seat).await.unwrap_err()));
    assert!(lost(&store.ttl(&seat).await.unwrap_err()));
    for key in [&film, &seat] {
        // A write is never lost in silence, and never goes to another shard.
        assert!(lost(
            &store
                .put(&Put::new(key.clone(), "y", HOUR))
                .await
                .unwrap_err()
        ));
        assert!(lost(
            &store.delete(&Delete::new(key.clone())).await.unwrap_err()
        ));
        assert!(lost(&store.expire(key, HOUR).await.unwrap_err()));
    }
    for key in &others {
        assert_eq!(store.get(key).await.unwrap().unwrap().value, "x");
    }
    switch.clear();
    assert_eq!(store.get(&seat).await.unwrap().unwrap().value, "x");
}

#[tokio::test]
async fn many_keys_have_a_result_each_though_one_shard_is_lost() {
    let (store, switch) = sharded();
    let [film, seat] = keys(&store, true);
    let [other, other_seat] = keys(&store, false);
    let all = [
        seat.clone(),
        other.clone(),
        film.clone(),
        other_seat.clone(),
        seat.clone(),
    ];
    let puts: Vec<_> = all
        .iter()
        .map(|key| Put::new(key.clone(), key.as_str().to_owned(), HOUR))
        .collect();
    assert!(
        store
            .put_many(&puts)
            .await
            .into_iter()
            .all(|put| put.unwrap().is_stored())
    );
    let read = store.get_many(&all).await;
    for (entry, key) in read.into_iter().zip(&all) {
        assert_eq!(entry.unwrap().unwrap().value, key.as_str());
    }
    switch.set(Trouble::Fail(ErrorKind::NotSent));
    let read = store.get_many(&all).await;
    assert!(lost(read[0].as_ref().unwrap_err()) && lost(read[4].as_ref().unwrap_err()));
    assert!(read[1].as_ref().unwrap().is_some() && read[3].as_ref().unwrap().is_some());
    assert!(read[2].as_ref().unwrap().is_none());
    let deletes: Vec<_> = all.iter().map(|key| Delete::new(key.clone())).collect();
    let deleted: Vec<_> = store
        .delete_many(&deletes)
        .await
        .into_iter()
        .map(|it| it.ok())
        .collect();
    assert_eq!(
        deleted,
        [
            None,
            Some(DeleteOutcome::Deleted),
            None,
            Some(DeleteOutcome::Deleted),
            None
        ]
    );
}

#[tokio::test]
async fn processes_that_name_the_shards_in_another_order_share_the_bus_and_the_scan() {
    const NEWS: Topic = Topic::broadcast("news");
    let stores = [(); 3].map(|()| Arc::new(ModelStore::new()) as Arc<dyn Store>);
    let sharded = |order: [usize; 3]| {
        let shards =
            order.map(|number| Shard::new(format!("shard-{number}"), stores[number].clone()));
        Arc::new(Sharded::new(shards).expect("three shards"))
    };
    let (one, other) = (sharded([0, 1, 2]), sharded([2, 0, 1]));

    let channel = Channel::new(NEWS, "all");
    let request = SubscribeRequest::to_channel(channel.clone());
    let mut heard = other
        .clone()
        .bus()
        .unwrap()
        .subscribe(request)
        .await
        .unwrap();
    let bus = one.clone().bus().unwrap();
    bus.publish(&channel, "hello".into()).await.unwrap();
    let event = tokio::time::timeout(Duration::from_secs(20), heard.next()).await;
    assert!(matches!(event, Ok(Some(Event::Message(_)))), "{event:?}");

    for id in 0..30_u32 {
        let put = Put::new(Key::new(SEAT, id), "x", HOUR);
        assert!(one.put(&put).await.unwrap().is_stored());
    }
    let scans = [one.scan().unwrap(), other.scan().unwrap()];
    let (mut keys, mut after) = (std::collections::BTreeSet::new(), None);
    for scan in scans.iter().cycle() {
        let page = scan.page("seat", after.as_ref(), 2).await.unwrap();
        keys.extend(page.keys);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(
        keys.len(),
        30,
        "a scan that goes on elsewhere left keys out"
    );
}

#[test]
fn shards_that_cannot_be_told_apart_are_refused() {
    let model = || -> Arc<dyn Store> { Arc::new(ModelStore::new()) };
    for shards in [
        vec![],
        vec![Shard::new("a", model()), Shard::new("a", model())],
    ] {
        let error = Sharded::new(shards).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}

#[tokio::test]
async fn a_url_of_shards_opens_each_of_its_servers_and_outlives_one_of_them() {
    let mut servers: Vec<_> = (0..3)
        .map(|_| RedisServer::start().expect("a redis-server"))
        .collect();
    let hosts: Vec<_> = servers
        .iter()
        .map(|it| format!("127.0.0.1:{}", it.port()))
        .collect();
    let url = format!("redis+shards://{}?timeout_ms=5000", hosts.join(","));
    let store = connect(&url).await.expect("connected");
    for host in &hosts {
        assert!(
            store.location().contains(host.as_str()),
            "{}",
            store.location()
        );
    }
    let seats: Vec<_> = (0..60_u32).map(|id| Key::new(SEAT, id)).collect();
    let puts: Vec<_> = seats
        .iter()
        .map(|key| Put::new(key.clone(), "x", HOUR))
        .collect();
    assert!(
        store
            .put_many(&puts)
            .await
            .into_iter()
            .all(|put| put.unwrap().is_stored())
    );
    let held = |server: &RedisServer| server.command(&["DBSIZE"]).expect("an answer").int();
    let counts: Vec<_> = servers
        .iter()
        .map(|it| held(it).expect("a number"))
        .collect();
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    assert_eq!(counts.iter().sum::<i64>(), 60);

    servers[0].kill();
    let patience = Duration::from_secs(20);
    let answers = tokio::time::timeout(patience, store.get_many(&seats)).await;
    let failed = answers
        .expect("an answer in time")
        .iter()
        .filter(|it| it.is_err())
        .count();
    assert_eq!(failed as i64, counts[0]);
    let films: Vec<_> = (0..60_u32).map(|id| Key::new(FILM, id)).collect();
    let read = tokio::time::timeout(patience, store.get_many(&films)).await;
    assert!(
        read.expect("an answer in time")
            .into_iter()
            .all(|it| it.unwrap().is_none())
    );
}

#[tokio::test]
async fn a_url_of_shards_that_is_not_of_its_form_says_what_was_expected() {
    for url in [
        "redis+shards://",
        "redis+shards://a,,b",
        "memory+shards://a",
        "unix+shards://a",
    ] {
        let error = connect(url).await.err().expect("refused");
        assert_eq!(error.kind(), ErrorKind::Invalid, "{url}");
        assert!(error.to_string().contains("redis+shards://"), "{error}");
    }
}

/// Nothing listens at these addresses, so an attempt to connect would have another error.
#[tokio::test]
async fn a_url_that_names_a_shard_twice_or_too_many_is_refused_before_any_is_asked() {
    let many = vec!["127.0.0.1:1"; MAX_SHARDS + 1].join(",");
    for (hosts, says) in [
        ("127.0.0.1:1,127.0.0.2,127.0.0.2:6379", "named twice"),
        (&*many, "129 shards are named: expected at most 128"),
    ] {
        let url = format!("redis+shards://:hunter2@{hosts}");
        let error = connect(&url).await.err().expect("refused");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(says), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn a_shard_that_answers_late_does_not_keep_the_others_waiting() {
    let silent =
        [(); 3].map(|()| async { TcpListener::bind("127.0.0.1:0").await.expect("a port") });
    let silent = futures_util::future::join_all(silent).await;
    let hosts = silent
        .iter()
        .map(|it| it.local_addr().expect("an address").to_string());
    let hosts = hosts.collect::<Vec<_>>().join(",");
    let url = format!("redis+shards://{hosts}?connect_timeout_ms=60000");
    let opening = tokio::spawn(async move { connect(&url).await.is_ok() });
    let mut connected = Vec::new();
    for server in &silent {
        let accepted = tokio::time::timeout(Duration::from_secs(20), server.accept()).await;
        connected.push(
            accepted
                .expect("while no other has answered")
                .expect("a connection"),
        );
    }
    opening.abort();
}
