//! The page about a cluster, and about a server behind sentinels.

use std::sync::Arc;

use larder_queue::Queue;
use larder_store::{Namespace, Prefixed};
use larder_test::server::{RedisCluster, RedisSentinels, slot_of};

use super::views::{check, examined};
use super::world::Stores;
use crate::support::connect;

/// A store in a namespace, on servers that the test keeps.
async fn on(url: &str) -> Stores {
    let redis = connect(url).await;
    let namespace = Namespace::new("prod", "app").unwrap();
    let store = Arc::new(Prefixed::new(namespace, redis.clone()));
    (store, Some(redis), None)
}

#[tokio::test]
async fn every_view_shows_what_is_on_a_cluster_and_who_has_which_slots() {
    let cluster = RedisCluster::start().unwrap();
    for node in cluster.masters() {
        let answer_for_the_rest = ["CONFIG", "SET", "cluster-require-full-coverage", "no"];
        node.command(&answer_for_the_rest).unwrap();
    }
    let world = examined(on(&cluster.url()).await).await;
    check(&world).await;
    let store = world.open("store").await;
    assert_eq!(store.body.matches("> 16384 assigned<").count(), 3);

    let owner = cluster.master_of("nobody's").unwrap();
    let slot = slot_of("nobody's").to_string();
    owner.command(&["CLUSTER", "DELSLOTS", &slot]).unwrap();
    let store = world.open("store").await;
    assert_eq!(store.body.matches("16383 of 16384 assigned").count(), 1);
    assert_eq!(store.body.matches("> 16384 assigned<").count(), 2);
    owner.command(&["CLUSTER", "ADDSLOTS", &slot]).unwrap();

    // One shard hangs: what the others hold is shown.
    let queues: Vec<_> = (0..12).map(|number| format!("q{number}")).collect();
    for name in &queues {
        let queue = Queue::new(world.store.clone(), name).unwrap();
        queue.pause().await.unwrap();
    }
    let lost = cluster.master_of("q0").unwrap();
    let shards: Vec<_> = queues
        .iter()
        .map(|name| (name, cluster.master_of(name).unwrap().port() == lost.port()))
        .collect();
    world
        .ask(&[("action", "pause-queue"), ("subject", "queue:{mail}")])
        .await;
    world.open("queues").await.has(&["q11"]);
    lost.freeze().unwrap();
    let page = world.open("queues").await;
    for (name, is_lost) in shards {
        let row = format!("<code><bdi>{name}</bdi></code>");
        assert_eq!(page.body.contains(&row), !is_lost, "{name}: {page:?}");
    }
    page.has(&["did not answer", "no answer in time"]);
    let store = world.open("store").await;
    store.has(&["does not answer"]);
    assert_eq!(
        store.body.matches("</span> answers<").count(),
        2,
        "{store:?}"
    );
    lost.thaw().unwrap();
}

#[tokio::test]
async fn every_view_shows_what_is_on_a_master_behind_sentinels() {
    let servers = RedisSentinels::start().unwrap();
    let world = examined(on(&servers.url()).await).await;
    check(&world).await;
    let store = world.open("store").await;
    store.has(&["</span> answers<"]);
    store.lacks(&["assigned"]);
}
