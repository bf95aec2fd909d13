//! Messages that are not sharded, which any node of a cluster can send.

use std::sync::Arc;
use std::time::Duration;

use larder_store::Store;
use larder_store::bus::{Channel, Event, SubscribeRequest};
use larder_test::server::{RedisCluster, slot_of};
use tokio::time::timeout;

use super::bus::{NEWS, heard_again};
use super::fake::Fake;
use super::{fresh, store};
use crate::bus::{bus, listen, next};
use crate::support::{key, patient, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broadcast_is_sent_by_another_node_while_that_of_its_name_is_lost() {
    let cluster = RedisCluster::start().unwrap();
    let store = store(&cluster).await;
    let (bus, some) = (bus(&store), Channel::new(NEWS, 1_u32));
    let mut news = listen(&bus, some.clone()).await;
    let lost = cluster.master_of_slot(slot_of(some.as_str())).unwrap();
    for replica in cluster.replicas_of(lost) {
        replica.kill();
    }
    lost.kill();
    heard_again(&bus, &some, &mut news).await;
}

/// Answers like a node that knows no key, and sends every reader of one to itself.
fn sends_readers_to(port: u16) -> impl Fn(&[Vec<u8>]) -> String {
    move |command| match &command[0][..] {
        b"GET" => format!("-MOVED 0 127.0.0.1:{port}\r\n"),
        b"PING" => "+PONG\r\n".to_owned(),
        b"PSUBSCRIBE" => {
            let pattern = str::from_utf8(&command[1]).unwrap();
            let length = pattern.len();
            format!(">3\r\n+psubscribe\r\n${length}\r\n{pattern}\r\n:1\r\n")
        }
        _ => "$-1\r\n".to_owned(),
    }
}

#[tokio::test]
async fn a_replica_that_comes_leaves_no_gap_in_broadcasts_and_a_slot_that_moves_does() {
    let nodes = [Fake::start(), Fake::start()];
    let say = |middle: u16| {
        for node in &nodes {
            let [one, other] = nodes.each_ref().map(Fake::port);
            node.says(&[(0, middle, one), (middle + 1, 16_383, other)]);
        }
    };
    say(8_000);
    for node in &nodes {
        node.answers(sends_readers_to(node.port()));
    }
    let store = Arc::new(patient(&nodes[0].url()).connect().await.unwrap());
    let news = SubscribeRequest::to_topic(NEWS);
    let mut news = bus(&store).subscribe(news).await.unwrap();

    let (key, reads) = (key(fresh()), || nodes.iter().map(Fake::reads).sum::<u64>());
    let read_again = async || {
        // The first of these reads has been used when the second begins.
        let enough = reads() + 2;
        until("read", || async {
            store.get(&key).await.unwrap_err();
            reads() >= enough
        })
        .await;
    };
    nodes.iter().for_each(|node| node.says_replica(1));
    read_again().await;
    let quiet = timeout(Duration::from_millis(300), news.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    say(9_000);
    read_again().await;
    assert_eq!(next(&mut news).await, Some(Event::Gap));
}
