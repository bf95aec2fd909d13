//! The same on a Redis Cluster, in short: what a queue means, who is woken, and partitions on several nodes.

use std::collections::BTreeSet;
use std::num::NonZeroU16;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use larder_queue::worker::{State, Worker};
use larder_queue::{Enqueued, Partitioned, Queue, Settled, Until, Verdict};
use larder_store::{ManualClock, Store};
use larder_test::server::RedisCluster;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use larder_worlds::patient;

use crate::support::{Mail, add, ids, job, one, secs, take};

static CLUSTER: LazyLock<RedisCluster> = LazyLock::new(|| RedisCluster::start().unwrap());

async fn store() -> Arc<dyn Store> {
    Arc::new(patient(&CLUSTER.url()).connect().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_means_the_same_on_a_cluster() {
    let clock = ManualClock::default();
    let store = patient(&CLUSTER.url()).with_virtual_time(clock.clone());
    let store = Arc::new(store.connect().await.unwrap());
    let queue = Queue::new(store, "means").unwrap();
    add(&queue, job("a").with_unique("key", Until::Done)).await;
    let other = queue
        .enqueue(job("b").with_unique("key", Until::Done))
        .await;
    assert!(matches!(other.unwrap(), Enqueued::Duplicate(id) if id.as_str() == "a"));
    add(&queue, job("later").with_delay(secs(5))).await;
    add(&queue, job("g1").with_group("g")).await;
    add(&queue, job("g2").with_group("g")).await;
    let stale = one(&queue).await;
    assert_eq!(ids(&queue, 9).await, ["g1", "g2"]);
    clock.advance(secs(30));
    let taken = take(&queue, 9).await;
    let again: Vec<_> = taken
        .iter()
        .map(|it| (it.id().as_str(), it.attempt()))
        .collect();
    assert_eq!(again, [("a", 2), ("g1", 2), ("later", 1), ("g2", 2)]);
    assert_eq!(
        queue.ack(stale.receipt()).await.unwrap(),
        Settled::LeaseLost
    );
    let acks = taken.iter().map(|it| (it.receipt().clone(), Verdict::Ack));
    let acks: Vec<_> = acks.collect();
    let (settled, next) = queue.settle_and_dequeue(&acks, 1).await.unwrap();
    assert_eq!((settled, next.len()), (vec![Settled::Accepted; 4], 0));
    add(&queue, job("c").with_unique("key", Until::Done)).await;
    let counts = queue.counts().await.unwrap();
    assert_eq!((counts.waiting, counts.running, counts.done), (1, 0, 4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enqueue_wakes_who_waits_on_another_store_of_a_cluster() {
    let queue = async || Queue::new(store().await, "wakes").unwrap();
    let (one, other) = (queue().await, queue().await);
    for number in 0..3 {
        let waiting = one.clone();
        let waiting = tokio::spawn(async move { waiting.dequeue_wait(1, secs(20)).await });
        tokio::time::sleep(Duration::from_millis(20)).await;
        add(&other, job(&number.to_string())).await;
        let taken = waiting.await.unwrap().unwrap();
        assert_eq!(taken[0].id().as_str(), number.to_string());
        let settled = other.ack(taken[0].receipt()).await.unwrap();
        assert_eq!(settled, Settled::Accepted);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_takes_the_jobs_of_partitions_on_several_nodes() {
    let four = NonZeroU16::new(4).unwrap();
    let queue = Partitioned::new(store().await, "spread", four).unwrap();
    let jobs = (0..40).map(|number| job(&format!("{number:02}")));
    for added in queue.enqueue_many(jobs).await {
        added.unwrap();
    }
    let (sender, mut ran) = mpsc::unbounded_channel();
    let handle = |mail: Mail, State(ran): State<mpsc::UnboundedSender<String>>| async move {
        let _ = ran.send(mail.to);
    };
    let stop = CancellationToken::new();
    let [first, rest @ ..] = queue.queues() else {
        panic!("there are four")
    };
    let worker = Worker::new(first.clone()).on(handle).with_state(sender);
    let worker = rest.iter().cloned().fold(worker, Worker::with_queue);
    let worker = tokio::spawn(
        worker
            .with_concurrency(3)
            .run_until(stop.clone().cancelled_owned()),
    );
    let mut seen = BTreeSet::new();
    while seen.len() < 40 {
        seen.insert(ran.recv().await.unwrap());
    }
    stop.cancel();
    worker.await.unwrap().unwrap();
    for queue in queue.queues() {
        let counts = queue.counts().await.unwrap();
        assert_eq!((counts.waiting, counts.running), (0, 0));
        assert!(counts.done > 0);
    }
}
