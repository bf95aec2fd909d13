//! Many holders at once: each job is acknowledged once, and its attempts are counted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use larder_moka::MokaStore;
use larder_queue::{NewJob, Queue, Settled, Verdict};
use larder_store::lease::Fence;
use larder_store::{Store, Ttl};
use larder_test::server::RedisServer;
use larder_worlds::patient;

use crate::support::{job, secs};

const JOBS: usize = 300;
const HOLDERS: u64 = 8;

/// What holders did with a job.
#[derive(Debug, Default)]
struct Seen {
    deliveries: u32,
    released: u32,
    last_attempt: u32,
    accepted: u32,
    last_fence: Option<Fence>,
}

async fn race(stores: [Arc<dyn Store>; 2]) {
    let queues = stores.map(|store| {
        let queue = Queue::new(store, "race").unwrap();
        queue
            .with_lease(Ttl::from_millis(200))
            .with_max_attempts(1_000)
    });
    let jobs = (0..JOBS).map(|number| -> NewJob {
        let group = format!("g{}", number % 7);
        job(&number.to_string()).with_group(&group)
    });
    for result in queues[0].enqueue_many(jobs).await {
        result.unwrap();
    }
    let ledger: Arc<Mutex<HashMap<String, Seen>>> = Arc::default();
    let mut holders = Vec::new();
    for seed in 0..HOLDERS {
        let (queue, ledger) = (queues[seed as usize % 2].clone(), ledger.clone());
        holders.push(tokio::spawn(async move {
            let mut rng = Rng::with_seed(seed);
            let is_done = |ledger: &HashMap<String, Seen>| {
                ledger.len() == JOBS && ledger.values().all(|seen| seen.accepted > 0)
            };
            while !is_done(&ledger.lock().unwrap()) {
                let within = Duration::from_millis(100);
                let taken = queue.dequeue_wait(rng.usize(1..9), within).await.unwrap();
                for delivery in &taken {
                    let mut ledger = ledger.lock().unwrap();
                    let seen = ledger.entry(delivery.id().to_string()).or_default();
                    seen.deliveries += 1;
                    seen.last_attempt = seen.last_attempt.max(delivery.attempt());
                    assert!(Some(delivery.receipt().fence()) != seen.last_fence);
                    seen.last_fence = Some(delivery.receipt().fence());
                }
                for delivery in taken {
                    let verdict = match rng.u8(..10) {
                        // It crashes, and leaves its lease.
                        0 => continue,
                        1 => {
                            tokio::time::sleep(Duration::from_millis(250)).await;
                            Verdict::Ack
                        }
                        2 => Verdict::Release {
                            delay: Duration::ZERO,
                        },
                        3 => Verdict::Nack {
                            delay: Duration::ZERO,
                            reason: "again".into(),
                        },
                        _ => Verdict::Ack,
                    };
                    let settled = queue
                        .settle(delivery.receipt(), verdict.clone())
                        .await
                        .unwrap();
                    let mut ledger = ledger.lock().unwrap();
                    let seen = ledger.entry(delivery.id().to_string()).or_default();
                    match (verdict, settled) {
                        (Verdict::Ack, Settled::Accepted) => seen.accepted += 1,
                        (Verdict::Release { .. }, Settled::Accepted) => seen.released += 1,
                        _ => {}
                    }
                }
            }
        }));
    }
    for holder in holders {
        tokio::time::timeout(secs(60), holder)
            .await
            .unwrap()
            .unwrap();
    }
    for (id, seen) in ledger.lock().unwrap().iter() {
        assert_eq!(seen.accepted, 1, "job {id}: {seen:?}");
        assert!(seen.last_attempt + seen.released <= seen.deliveries + seen.released);
        assert!(
            seen.last_attempt >= seen.deliveries - seen.released,
            "job {id}: {seen:?}"
        );
    }
    let counts = queues[0].counts().await.unwrap();
    assert_eq!(
        (counts.waiting, counts.scheduled, counts.running),
        (0, 0, 0)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_job_is_acknowledged_once_in_process() {
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    race([store.clone(), store]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_job_is_acknowledged_once_on_redis() {
    let server = RedisServer::start().unwrap();
    let one = patient(&server.url()).connect().await.unwrap();
    let other = patient(&server.url()).connect().await.unwrap();
    race([Arc::new(one), Arc::new(other)]).await;
}
