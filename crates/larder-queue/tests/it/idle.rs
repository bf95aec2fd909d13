//! Waiting for jobs, by the clock of the store: what wakes, and what a call that is dropped leaves.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use larder_moka::MokaStore;
use larder_queue::{Queue, Settled, Verdict};
use larder_store::{Store, Ttl};
use larder_test::server::RedisServer;
use larder_worlds::{patient, until};

use crate::support::{add, job, one, secs, take};

/// Far more than any of this takes.
const LONG: Duration = secs(20);

/// Less than any pause between two looks.
const SHORT: Duration = Duration::from_millis(900);

/// Stores of two processes that share a queue; in this process, one store twice.
struct Two {
    stores: [Arc<dyn Store>; 2],
    _server: Option<RedisServer>,
}

impl Two {
    fn memory() -> Self {
        let store: Arc<dyn Store> = Arc::new(MokaStore::new());
        Self {
            stores: [store.clone(), store],
            _server: None,
        }
    }

    async fn redis() -> Self {
        let server = RedisServer::start().unwrap();
        let one = patient(&server.url()).connect().await.unwrap();
        let other = patient(&server.url()).connect().await.unwrap();
        Self {
            stores: [Arc::new(one), Arc::new(other)],
            _server: Some(server),
        }
    }

    fn queues(&self) -> [Queue; 2] {
        let queue = |store: &Arc<dyn Store>| Queue::new(store.clone(), "idle").unwrap();
        [queue(&self.stores[0]), queue(&self.stores[1])]
    }
}

macro_rules! on_both {
    ($($name:ident)*) => {
        mod memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Two::memory()).await;
            })*
        }

        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::Two::redis().await).await;
            })*
        }
    };
}

on_both! {
    an_idle_queue_is_woken_by_an_enqueue
    a_job_that_becomes_due_is_taken_without_a_wake
    a_job_of_a_crashed_holder_is_taken_when_its_lease_ends
    a_wait_ends_with_nothing_when_its_time_is_over
    each_waiting_task_of_two_processes_gets_a_job
    a_dropped_dequeue_gives_back_what_it_has_taken
    a_dropped_call_that_settles_and_takes_gives_back_what_it_has_taken
    a_resumed_queue_and_a_freed_limit_wake
}

async fn waiting(queue: &Queue, n: usize) -> tokio::task::JoinHandle<Vec<String>> {
    let queue = queue.clone();
    let waiting = tokio::spawn(async move {
        let taken = queue.dequeue_wait(n, LONG).await.unwrap();
        for delivery in &taken {
            assert_eq!(
                queue.ack(delivery.receipt()).await.unwrap(),
                Settled::Accepted
            );
        }
        taken.iter().map(|it| it.id().to_string()).collect()
    });
    // It gets the job whether or not it is already waiting; mostly it is.
    tokio::time::sleep(Duration::from_millis(50)).await;
    waiting
}

async fn an_idle_queue_is_woken_by_an_enqueue(two: Two) {
    let [here, there] = two.queues();
    let mut quickest = LONG;
    for round in 0..5 {
        let waiting = waiting(&there, 1).await;
        let started = Instant::now();
        let id = round.to_string();
        add(&here, job(&id)).await;
        assert_eq!(waiting.await.unwrap(), [id]);
        quickest = quickest.min(started.elapsed());
    }
    assert!(
        quickest < SHORT,
        "it was woken, and did not look by itself: {quickest:?}"
    );
}

async fn a_job_that_becomes_due_is_taken_without_a_wake(two: Two) {
    let [here, there] = two.queues();
    let waiting = waiting(&there, 1).await;
    let started = Instant::now();
    add(&here, job("late").with_delay(secs(3_600))).await;
    add(&here, job("soon").with_delay(Duration::from_millis(300))).await;
    assert_eq!(waiting.await.unwrap(), ["soon"]);
    assert!(started.elapsed() >= Duration::from_millis(300));
}

async fn a_job_of_a_crashed_holder_is_taken_when_its_lease_ends(two: Two) {
    let [here, there] = two.queues();
    let here = here.with_lease(Ttl::from_millis(300));
    add(&here, job("a")).await;
    drop(one(&here).await);
    assert_eq!(waiting(&there, 1).await.await.unwrap(), ["a"]);
}

async fn a_wait_ends_with_nothing_when_its_time_is_over(two: Two) {
    let [here, _] = two.queues();
    let nothing = here
        .dequeue_wait(1, Duration::from_millis(30))
        .await
        .unwrap();
    assert!(nothing.is_empty());
    assert!(here.dequeue_wait(0, LONG).await.unwrap().is_empty());
}

async fn each_waiting_task_of_two_processes_gets_a_job(two: Two) {
    let queues = two.queues();
    let mut waiters = Vec::new();
    for number in 0..12 {
        waiters.push(waiting(&queues[number % 2], 1).await);
    }
    let jobs = (0..12).map(|number| job(&format!("{number:02}")));
    for result in queues[0].enqueue_many(jobs).await {
        result.unwrap();
    }
    let mut taken = BTreeSet::new();
    for waiter in waiters {
        taken.extend(waiter.await.unwrap());
    }
    assert_eq!(taken.len(), 12);
}

async fn a_dropped_dequeue_gives_back_what_it_has_taken(two: Two) {
    let [here, there] = two.queues();
    add(&here, job("a")).await;
    {
        let mut call = Box::pin(there.dequeue(1));
        let polled = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
        if let Poll::Ready(taken) = polled {
            // Within one process there is nothing to drop.
            let taken = taken.unwrap();
            assert_eq!(
                there.release(taken[0].receipt()).await.unwrap(),
                Settled::Accepted
            );
        }
    }
    // That is less than a lease.
    let again = here.dequeue_wait(1, LONG).await.unwrap();
    assert_eq!((again[0].id().as_str(), again[0].attempt()), ("a", 1));
}

async fn a_dropped_call_that_settles_and_takes_gives_back_what_it_has_taken(two: Two) {
    let [here, there] = two.queues();
    add(&here, job("a")).await;
    add(&here, job("b")).await;
    let first = one(&there).await;
    let acks = [(first.receipt().clone(), Verdict::Ack)];
    {
        let mut call = Box::pin(there.settle_and_dequeue(&acks, 1));
        let polled = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
        if let Poll::Ready(exchanged) = polled {
            let (_, taken) = exchanged.unwrap();
            let released = there.release(taken[0].receipt()).await.unwrap();
            assert_eq!(released, Settled::Accepted);
        }
    }
    until("the verdict is carried out", || async {
        here.counts().await.unwrap().done == 1
    })
    .await;
    let next = here.dequeue_wait(1, LONG).await.unwrap();
    assert_eq!((next[0].id().as_str(), next[0].attempt()), ("b", 1));
    let again = here.ack(first.receipt()).await.unwrap();
    assert_eq!(again, Settled::AlreadyDone, "the verdict was carried out");
}

async fn a_resumed_queue_and_a_freed_limit_wake(two: Two) {
    let [here, there] = two.queues();
    here.pause().await.unwrap();
    add(&here, job("a")).await;
    let first = waiting(&there, 1).await;
    here.resume().await.unwrap();
    assert_eq!(first.await.unwrap(), ["a"]);

    let one_at_once = std::num::NonZeroU32::MIN;
    let (here, there) = (
        here.with_max_running(one_at_once),
        there.with_max_running(one_at_once),
    );
    add(&here, job("b")).await;
    add(&here, job("c")).await;
    let b = one(&here).await;
    let second = waiting(&there, 1).await;
    assert!(take(&here, 1).await.is_empty());
    assert_eq!(here.ack(b.receipt()).await.unwrap(), Settled::Accepted);
    assert_eq!(second.await.unwrap(), ["c"]);
}
