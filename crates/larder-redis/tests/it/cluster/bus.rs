//! Subscriptions on the nodes of a cluster.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use larder_redis::RedisStore;
use larder_store::bus::{Bus, Channel, Event, SubscribeRequest, Subscription, Topic};
use larder_store::{ErrorKind, Refusal};
use larder_test::server::{ClusterOptions, RedisCluster, RedisNode, RedisOptions, Reply, slot_of};
use tokio::time::timeout;

use super::{SHARED, fresh, store};
use crate::bus::{bus, listen, next, text};
use crate::support::{ok, until};

const SEAT: Topic = Topic::sharded("seat");
pub(super) const NEWS: Topic = Topic::broadcast("news");

/// Returns a sharded channel for each master, in the order of the masters.
pub(crate) fn one_on_each(cluster: &RedisCluster) -> Vec<Channel> {
    let start = fresh();
    let on = |master: &&RedisNode| {
        let mut channels = (start..).map(|id| Channel::new(SEAT, id));
        let is_there = |channel: &Channel| master_of(cluster, channel).port() == master.port();
        channels.find(is_there).unwrap()
    };
    cluster.masters().iter().map(on).collect()
}

fn master_of<'a>(cluster: &'a RedisCluster, channel: &Channel) -> &'a RedisNode {
    cluster.master_of_slot(slot_of(channel.as_str())).unwrap()
}

pub(crate) fn sharded(node: &RedisNode) -> usize {
    match ok(node, &["PUBSUB", "SHARDCHANNELS", "seat:*"]) {
        Reply::Array(channels) => channels.len(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn sharded_channels_are_heard_on_the_nodes_that_serve_them() {
    let store = store(&SHARED).await;
    let (bus, channels) = (bus(&store), one_on_each(&SHARED));
    let before: Vec<_> = SHARED.masters().into_iter().map(sharded).collect();
    let all = channels.iter().cloned();
    let all = all.fold(SubscribeRequest::default(), SubscribeRequest::and_channel);
    let mut subscription = bus.subscribe(all).await.unwrap();
    for (master, before) in SHARED.masters().into_iter().zip(&before) {
        assert_eq!(sharded(master), before + 1);
    }
    for channel in &channels {
        bus.publish(channel, channel.as_str().to_owned().into())
            .await
            .unwrap();
        assert_eq!(text(&mut subscription).await, channel.as_str());
    }
    drop(subscription);
    for (master, before) in SHARED.masters().into_iter().zip(before) {
        until("forgotten", || async { sharded(master) == before }).await;
    }
}

/// Publishes until a message arrives, and returns how many gaps came before it.
pub(crate) async fn heard_again(
    bus: &Arc<dyn Bus>,
    channel: &Channel,
    heard: &mut Subscription,
) -> usize {
    let mut gaps = 0;
    for _ in 0..200 {
        // It fails while no node serves the slot.
        let _ = bus.publish(channel, "again".into()).await;
        match timeout(Duration::from_millis(100), heard.next()).await {
            Ok(Some(Event::Message(_))) => return gaps,
            Ok(Some(Event::Gap)) => gaps += 1,
            Ok(None) => panic!("the store is there"),
            Err(_) => {}
        }
    }
    panic!("never heard again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_follow_a_slot_and_a_failover_with_a_gap() {
    let cluster = RedisCluster::start().unwrap();
    let store: Arc<RedisStore> = store(&cluster).await;
    let (bus, channels) = (bus(&store), one_on_each(&cluster));
    let room = NonZeroUsize::new(1_000).unwrap();
    let listen =
        async |request: SubscribeRequest| bus.subscribe(request.with_buffer(room)).await.unwrap();
    let mut heard = Vec::new();
    for channel in &channels {
        heard.push(listen(SubscribeRequest::to_channel(channel.clone())).await);
    }
    let mut news = listen(SubscribeRequest::to_topic(NEWS)).await;

    let masters = cluster.masters();
    tokio::task::block_in_place(|| cluster.move_slot(slot_of(channels[0].as_str()), masters[1]))
        .unwrap();
    assert!(heard_again(&bus, &channels[0], &mut heard[0]).await > 0);
    assert_eq!(sharded(masters[1]), 2);

    let old = master_of(&cluster, &channels[2]);
    old.kill();
    let key = channels[2].as_str();
    tokio::task::block_in_place(|| cluster.wait_for_failover(key, old)).unwrap();
    assert!(heard_again(&bus, &channels[2], &mut heard[2]).await > 0);

    // The topology has changed, so messages between the nodes may have been lost.
    assert_eq!(next(&mut news).await, Some(Event::Gap));
    let some = Channel::new(NEWS, 1_u32);
    heard_again(&bus, &some, &mut news).await;
}

#[tokio::test]
async fn a_slot_that_nobody_serves_fails_its_subscribers_and_disturbs_no_other() {
    let nodes = RedisOptions::new().with_setting("cluster-require-full-coverage", "no");
    let cluster = ClusterOptions::new().with_nodes(nodes).start().unwrap();
    let on_each = one_on_each(&cluster);
    let slot = |channel: &Channel| slot_of(channel.as_str()).to_string();
    let unserved = Channel::new(NEWS, 2_u32);
    for node in cluster.nodes() {
        ok(node, &["CLUSTER", "DELSLOTS", &slot(&on_each[0])]);
        ok(node, &["CLUSTER", "DELSLOTS", &slot(&unserved)]);
    }
    let store = store(&cluster).await;
    let (bus, some) = (bus(&store), Channel::new(NEWS, 1_u32));
    // Any node can send what is not sharded.
    let mut heard = listen(&bus, unserved.clone()).await;
    is_heard(&bus, &unserved, &mut heard).await;
    let mut news = listen(&bus, some.clone()).await;
    is_refused(&bus, &on_each[0]).await;
    is_heard(&bus, &some, &mut news).await;

    // A node loses one slot, while there are subscriptions to channels of its other slots.
    let (lost, owner) = (&on_each[1], cluster.masters()[1]);
    let mut more = (fresh()..).map(|id| Channel::new(SEAT, id));
    let is_beside =
        |it: &Channel| slot(it) != slot(lost) && master_of(&cluster, it).port() == owner.port();
    let beside = more.find(is_beside).unwrap();
    let _of_lost = listen(&bus, lost.clone()).await;
    let mut others = listen(&bus, beside.clone()).await;
    ok(owner, &["CLUSTER", "DELSLOTS", &slot(lost)]);
    assert_eq!(next(&mut others).await, Some(Event::Gap));
    is_refused(&bus, lost).await;
    is_heard(&bus, &beside, &mut others).await;
}

async fn is_refused(bus: &Arc<dyn Bus>, channel: &Channel) {
    let refused = bus.subscribe(SubscribeRequest::to_channel(channel.clone()));
    let error = refused.await.expect_err("a slot without a node");
    let not_ready = ErrorKind::Refused(Refusal::Unavailable);
    assert_eq!(error.kind(), not_ready, "{error}");
}

/// Publishes a message, and checks that it is the next event, and that none follows.
async fn is_heard(bus: &Arc<dyn Bus>, channel: &Channel, subscription: &mut Subscription) {
    bus.publish(channel, "heard".into()).await.unwrap();
    assert_eq!(text(subscription).await, "heard");
    let quiet = timeout(Duration::from_secs(1), subscription.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
}

/// Returns the node with the subscription to a broadcast.
fn listens<'a>(cluster: &'a RedisCluster, pattern: &str) -> Option<&'a RedisNode> {
    let mut nodes = cluster.nodes().iter();
    nodes.find(|node| match ok(*node, &["PUBSUB", "CHANNELS", pattern]) {
        Reply::Array(channels) => !channels.is_empty(),
        other => panic!("{other:?}"),
    })
}

/// Publishes numbers on `node` until the last one arrives, and checks the law of gaps: between two numbers
/// that are not consecutive there is a gap.
async fn no_loss_without_a_gap(node: &RedisNode, heard: &mut Subscription) {
    let (mut last, mut has_gap) = (0_u32, false);
    for number in 1..=600_u32 {
        ok(node, &["PUBLISH", "news:{1}", &number.to_string()]);
        while let Ok(event) = timeout(Duration::from_millis(50), heard.next()).await {
            match event.unwrap() {
                Event::Gap => has_gap = true,
                Event::Message(message) => {
                    let heard = str::from_utf8(&message.payload).unwrap();
                    let heard: u32 = heard.parse().unwrap();
                    assert!(
                        has_gap || heard == last + 1,
                        "{heard} after {last}, and no gap"
                    );
                    (last, has_gap) = (heard, false);
                    if heard == number && number > 20 {
                        return;
                    }
                }
            }
        }
    }
    panic!("never heard again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broadcast_is_heard_again_with_a_gap_after_its_node_left_the_cluster() {
    let cluster = RedisCluster::start().unwrap();
    let store: Arc<RedisStore> = store(&cluster).await;
    let bus = bus(&store);
    let room = NonZeroUsize::new(1_000).unwrap();
    let request = SubscribeRequest::to_channel(Channel::new(NEWS, 1_u32)).with_buffer(room);
    let mut heard = bus.subscribe(request).await.unwrap();
    let left = listens(&cluster, "news:*").unwrap();
    let heir = cluster.replicas_of(left)[0];
    no_loss_without_a_gap(heir, &mut heard).await;

    // Its replica takes over, and then it is removed, as by `redis-cli --cluster del-node`.
    let id = ok(left, &["CLUSTER", "MYID"]).text().unwrap().into_owned();
    ok(heir, &["CLUSTER", "FAILOVER"]);
    until("a replica", || async {
        let role = ok(left, &["ROLE"]);
        role.array().unwrap()[0].text().unwrap() == "slave"
    })
    .await;
    let others = || cluster.nodes().iter().filter(|it| it.port() != left.port());
    until("forgotten", || async {
        others().all(|node| {
            let known = ok(node, &["CLUSTER", "NODES"]).text().unwrap().into_owned();
            let forgotten = !known.contains(&id);
            // It refuses to forget its own master.
            forgotten || node.command(&["CLUSTER", "FORGET", &id]).is_err()
        })
    })
    .await;
    ok(left, &["CLUSTER", "RESET", "SOFT"]);
    no_loss_without_a_gap(heir, &mut heard).await;
    let now = listens(&cluster, "news:*").unwrap();
    assert_ne!(now.port(), left.port());
}
