//! A cluster with TLS: connections, redirects, failovers and subscriptions, for clients with a certificate.

use std::num::NonZeroUsize;
use std::sync::LazyLock;

use larder_store::Store;
use larder_store::bus::{Event, SubscribeRequest, Topic};
use larder_test::server::{ClientAuth, ClusterOptions, RedisCluster, RedisNode, slot_of};
use tokio::task::block_in_place;

use super::{Papers, asks_for_a_certificate_of_ours, error, nodes, reader, store};
use crate::bus::{bus, next, text};
use crate::cluster::bus::{heard_again, one_on_each as channel_on_each, sharded};
use crate::cluster::{fresh, one_on_each, slot};
use crate::replica_reads::until_read_there;
use crate::support::{Add, calls, key, programs, put, tally, until};

/// A cluster with TLS, and the files of its clients.
struct House {
    cluster: RedisCluster,
    papers: Papers,
}

impl House {
    fn open(clients: ClientAuth) -> Self {
        let papers = Papers::new();
        let nodes = nodes(papers.tls().with_client_auth(clients)).with_password("sesame");
        let cluster = ClusterOptions::new().with_nodes(nodes).start().unwrap();
        Self { cluster, papers }
    }
}

/// The cluster that tests share if they do not change it.
static STRICT: LazyLock<House> = LazyLock::new(|| House::open(ClientAuth::Required));

#[tokio::test]
async fn every_master_is_reached_with_a_certificate_of_ours() {
    let House { cluster, papers } = &*STRICT;
    let store = store(&cluster.url(), &papers.app).await;
    assert!(store.location().starts_with("rediss+cluster://127.0.0.1:"));
    let ids = one_on_each(cluster);
    assert_eq!(ids.len(), 3);
    for (id, master) in ids.iter().zip(cluster.masters()) {
        assert!(store.put(&put(*id, "x")).await.unwrap().is_stored());
        let there = master.command(&["EXISTS", key(*id).as_str()]).unwrap();
        assert_eq!(there.int(), Some(1));
    }
    let asked = |master: &RedisNode| calls(master, "get");
    let before: Vec<_> = cluster.masters().into_iter().map(asked).collect();
    let keys: Vec<_> = ids.iter().map(|id| key(*id)).collect();
    for entry in store.get_many(&keys).await {
        assert_eq!(entry.unwrap().unwrap().value, "x");
    }
    for (master, before) in cluster.masters().into_iter().zip(before) {
        assert!(asked(master) > before, "{master:?} was not asked");
    }
    let start = fresh();
    let steps = (start..start + 30).map(|id| (tally(id), Add { by: 1, ms: 60_000 }));
    let steps: Vec<_> = steps.collect();
    for result in programs(&store).run_many(&steps).await {
        assert_eq!(result.unwrap(), 1);
    }
}

#[tokio::test]
async fn every_replica_is_read_with_a_certificate_of_ours() {
    let House { cluster, papers } = &*STRICT;
    let writer = store(&cluster.url(), &papers.app).await;
    let reader = reader(&cluster.url(), &papers.app).await;
    for (id, master) in one_on_each(cluster).into_iter().zip(cluster.masters()) {
        assert!(writer.put(&put(id, "x")).await.unwrap().is_stored());
        let replica = cluster.replicas_of(master)[0];
        until_read_there(&reader, &key(id), || calls(replica, "get")).await;
    }
}

#[tokio::test]
async fn sharded_channels_are_heard_on_every_master() {
    let House { cluster, papers } = &*STRICT;
    let store = store(&cluster.url(), &papers.app).await;
    let (bus, channels) = (bus(&store), channel_on_each(cluster));
    let all = channels.iter().cloned();
    let all = all.fold(SubscribeRequest::default(), SubscribeRequest::and_channel);
    let mut heard = bus.subscribe(all).await.unwrap();
    for (channel, master) in channels.iter().zip(cluster.masters()) {
        assert_eq!(sharded(master), 1);
        let said = channel.as_str().to_owned();
        bus.publish(channel, said.clone().into()).await.unwrap();
        assert_eq!(text(&mut heard).await, said);
    }
}

#[tokio::test]
async fn a_client_without_a_certificate_gets_the_fix() {
    let House { cluster, papers } = &*STRICT;
    let text = error(&cluster.url(), &papers.ca).await;
    assert!(asks_for_a_certificate_of_ours(&text), "{text}");
}

#[tokio::test]
async fn an_untrusted_cluster_is_refused_with_the_fix() {
    let House { cluster, papers } = &*STRICT;
    let text = error(&cluster.url(), &papers.stranger).await;
    assert!(text.contains("not signed by a trusted CA"), "{text}");
    assert!(text.contains("?ca=/path/to/ca.pem"), "{text}");
}

#[tokio::test]
async fn a_node_and_a_cluster_are_told_apart_with_the_url_to_use() {
    let House { cluster, papers } = &*STRICT;
    let node = cluster.nodes()[0].url();
    let url = format!("{node}?{}", papers.app);
    let refused = larder_redis::RedisStore::connect(&url).await.unwrap_err();
    let address = cluster.nodes()[0].address();
    let fix = format!("use rediss+cluster://{address}");
    assert!(refused.to_string().contains(&fix), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_that_move_and_a_master_that_is_killed_are_followed_and_heard_of() {
    let House { cluster, papers } = House::open(ClientAuth::Off);
    let store = store(&cluster.url(), &papers.ca).await;
    let (bus, channels) = (bus(&store), channel_on_each(&cluster));
    let room = NonZeroUsize::new(1_000).unwrap();
    let mut heard = Vec::new();
    for channel in &channels {
        let request = SubscribeRequest::to_channel(channel.clone()).with_buffer(room);
        heard.push(bus.subscribe(request).await.unwrap());
    }
    let news = SubscribeRequest::to_topic(Topic::broadcast("news")).with_buffer(room);
    let mut news = bus.subscribe(news).await.unwrap();

    // A slot that is moving: for a key that the old master does not have, the store asks the new one.
    let ids = one_on_each(&cluster);
    let masters = cluster.masters();
    let moving = cluster.begin_move(slot(ids[0]), masters[1]).unwrap();
    let asked = calls(masters[1], "asking");
    assert!(store.put(&put(ids[0], "asked")).await.unwrap().is_stored());
    assert_eq!(
        store.get(&key(ids[0])).await.unwrap().unwrap().value,
        "asked"
    );
    assert!(calls(masters[1], "asking") > asked, "nobody was sent on");
    block_in_place(|| moving.finish()).unwrap();
    let moved = store.get(&key(ids[0])).await.unwrap();
    assert_eq!(moved.unwrap().value, "asked");

    // A slot that has moved completely, with a subscription.
    let of_channel = slot_of(channels[0].as_str());
    block_in_place(|| cluster.move_slot(of_channel, masters[1])).unwrap();
    assert!(heard_again(&bus, &channels[0], &mut heard[0]).await > 0);
    assert_eq!(sharded(masters[1]), 2);

    let old = cluster.master_of(channels[2].as_str()).unwrap();
    let lost = ids[2];
    old.kill();
    let new = block_in_place(|| cluster.wait_for_failover(channels[2].as_str(), old)).unwrap();
    until("following the failover", || async {
        store.put(&put(lost, "after")).await.is_ok()
    })
    .await;
    let there = new.command(&["EXISTS", key(lost).as_str()]).unwrap();
    assert_eq!(there.int(), Some(1));
    assert!(heard_again(&bus, &channels[2], &mut heard[2]).await > 0);
    assert_eq!(next(&mut news).await, Some(Event::Gap));
}
