//! Bytes on the server that nobody here has written: they count as absent, and hold up no other job.

use std::num::NonZeroU16;
use std::time::Duration;

use larder_queue::{Partitioned, Queue, State};
use larder_redis::RedisStore;
use larder_store::ManualClock;
use larder_test::server::RedisServer;
use larder_worlds::patient;

use crate::support::{add, ids, job, secs, take};

struct OnRedis {
    server: RedisServer,
    clock: ManualClock,
    store: std::sync::Arc<RedisStore>,
}

impl OnRedis {
    async fn start() -> Self {
        let (server, clock) = (RedisServer::start().unwrap(), ManualClock::default());
        let store = patient(&server.url()).with_virtual_time(clock.clone());
        let store = std::sync::Arc::new(store.connect().await.unwrap());
        Self {
            server,
            clock,
            store,
        }
    }

    fn queue(&self) -> Queue {
        Queue::new(self.store.clone(), "test").unwrap()
    }

    fn set(&self, words: &[&[u8]]) {
        self.server.command(words).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_of_the_line_without_a_job_is_not_counted() {
    let redis = OnRedis::start().await;
    let queue = redis.queue();
    add(&queue, job("a")).await;
    for score in ["-9007199254740000", "5", "4503599627370497"] {
        redis.set(&[
            b"ZADD",
            b"queue:{test}:order",
            score.as_bytes(),
            score.as_bytes(),
        ]);
    }
    redis.set(&[b"ZADD", b"queue:{test}:dead", b"1", b"stray"]);
    let counts = queue.counts().await.unwrap();
    assert!(counts.waiting <= 1, "{counts:?}");
    queue.inspect().await.unwrap();
    assert_eq!(ids(&queue, 9).await, ["a"]);
    for state in [
        State::Waiting,
        State::Scheduled,
        State::Running,
        State::Dead,
        State::Done,
    ] {
        queue.list(state, None).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_cannot_be_read_holds_up_no_other() {
    let redis = OnRedis::start().await;
    let queue = redis.queue().with_max_attempts(2);
    for id in ["a", "bad", "c"] {
        add(&queue, job(id).group("g")).await;
    }
    let state = redis
        .server
        .command(&["HGET", "queue:{test}:jobs", "bad"])
        .unwrap();
    let state = state.text().unwrap().into_owned();
    // The same, but its reason is not text.
    let mut bytes = state.into_bytes();
    bytes.extend(b"\xff\xfe");
    redis.set(&[b"HSET", b"queue:{test}:jobs", b"bad", &bytes]);
    let mut taken = Vec::new();
    for _ in 0..3 {
        taken.extend(take(&queue, 9).await);
    }
    let seen: Vec<_> = taken.iter().map(|it| it.id().to_string()).collect();
    assert_eq!(seen, ["a", "c"]);
    for delivery in &taken {
        assert_eq!(delivery.attempt(), 1);
        assert!(queue.ack(delivery.receipt()).await.unwrap().is_accepted());
    }
    // It dies as those do whose holders crash, and can be looked at and purged.
    for _ in 0..3 {
        redis.clock.advance(Duration::from_secs(60));
        assert!(take(&queue, 9).await.is_empty());
    }
    let page = queue.list(State::Dead, None).await.unwrap();
    assert_eq!(page.jobs.len(), 1);
    assert_eq!(queue.purge(State::Dead).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_of_the_queue_that_are_garbage_are_begun_anew() {
    let redis = OnRedis::start().await;
    let queue = redis.queue();
    for (number, field) in ["seq", "fence", "ends", "tat"].iter().enumerate() {
        for garbage in ["", "x", "99999999999999999999999999"] {
            let id = format!("{number}{}", garbage.len());
            redis.set(&[
                b"HSET",
                b"queue:{test}",
                field.as_bytes(),
                garbage.as_bytes(),
            ]);
            redis.set(&[b"PEXPIRE", b"queue:{test}", b"99999999"]);
            queue
                .enqueue(job(&id))
                .await
                .unwrap_or_else(|error| panic!("{field}={garbage}: {error}"));
            let taken = take(&queue, 9).await;
            assert!(
                taken.iter().any(|it| it.id().as_str() == id),
                "{field}={garbage}"
            );
            for delivery in taken {
                assert!(queue.ack(delivery.receipt()).await.unwrap().is_accepted());
            }
            queue.counts().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_fails_does_not_hold_up_a_wait_for_the_others() {
    let redis = OnRedis::start().await;
    let three = NonZeroU16::new(3).unwrap();
    let wide = Partitioned::new(redis.store.clone(), "wide", three).unwrap();
    let broken = job("0");
    let number = wide
        .queues()
        .iter()
        .position(|it| std::ptr::eq(it, wide.queue_for(&broken)));
    let number = number.unwrap();
    let jobs: Vec<_> = (1..)
        .map(|n| job(&n.to_string()))
        .filter(|job| !std::ptr::eq(wide.queue_for(job), wide.queue_for(&broken)))
        .take(6)
        .collect();
    // As if its shard was down: every step of it is refused.
    wide.enqueue(broken).await.unwrap();
    let keys = redis.server.command(&["KEYS", "queue:*wide*}"]).unwrap();
    let keys: Vec<_> = keys
        .array()
        .unwrap()
        .iter()
        .map(|key| key.text().unwrap().into_owned())
        .collect();
    let [key] = &keys[..] else {
        panic!("{keys:?} for partition {number}")
    };
    redis.set(&[b"DEL", key.as_bytes()]);
    redis.set(&[b"SET", key.as_bytes(), b"garbage"]);
    for job in jobs {
        let waiting = wide.clone();
        let waiting = tokio::spawn(async move { waiting.dequeue_wait(1, secs(20)).await });
        tokio::time::sleep(Duration::from_millis(20)).await;
        wide.enqueue(job).await.unwrap();
        let taken = waiting.await.unwrap().expect("others have a job");
        assert_eq!(taken.len(), 1);
    }
    // If no partition has a job, the failure is told.
    assert!(
        wide.dequeue_wait(1, Duration::from_millis(50))
            .await
            .is_err()
    );
}
