//! Bytes on the server that nobody here has written: they count as absent, and hold up no other job.

use std::collections::BTreeSet;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use larder_queue::periodic::{Periodic, Schedule};
use larder_queue::{NewJob, Partitioned, Queue, State, Until};
use larder_redis::{RedisStore, RedisStoreBuilder};
use larder_store::{ErrorKind, ManualClock, Refusal};
use larder_test::server::{RedisServer, Reply};
use larder_worlds::patient;

use crate::support::{add, ids, job, one, secs, take};

struct OnRedis {
    server: RedisServer,
    clock: ManualClock,
    store: Arc<RedisStore>,
}

impl OnRedis {
    async fn start() -> Self {
        let (server, clock) = (RedisServer::start().unwrap(), ManualClock::default());
        let store = patient(&server.url()).with_virtual_time(clock.clone());
        Self::new(store, server, clock).await
    }

    /// One whose time passes, where a key without a TTL is no error of the test.
    async fn in_real_time() -> Self {
        let server = RedisServer::start().unwrap();
        Self::new(patient(&server.url()), server, ManualClock::default()).await
    }

    async fn new(store: RedisStoreBuilder, server: RedisServer, clock: ManualClock) -> Self {
        let store = Arc::new(store.connect().await.unwrap());
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
    let redis = OnRedis::in_real_time().await;
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
        add(&queue, job(id).with_group("g")).await;
    }
    let state = redis.server.command(&["HGET", "queue:{test}", "bad"]);
    let Reply::Bulk(mut state) = state.unwrap() else {
        panic!("no state of a job")
    };
    // The same, but its progress is not text.
    state.extend(b"\xff\xfe");
    redis.set(&[b"HSET", b"queue:{test}", b"bad", &state]);
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
    // It dies like the jobs of crashed holders, and can be inspected and purged.
    for _ in 0..3 {
        redis.clock.advance(Duration::from_secs(60));
        assert!(take(&queue, 9).await.is_empty());
    }
    let page = queue.list(State::Dead, None).await.unwrap();
    assert_eq!(page.jobs.len(), 1);
    assert_eq!(queue.purge(State::Dead).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_state_is_garbage_leaves_no_id_and_no_key_behind() {
    let redis = OnRedis::start().await;
    let queue = redis.queue();
    let new = |group: &str| {
        let job = job("a").with_unique("report", Until::Done);
        match group {
            "" => job,
            group => job.with_group(group),
        }
    };
    for group in ["", "g"] {
        add(&queue, new(group)).await;
        redis.set(&[b"HSET", b"queue:{test}", b"a", b"x"]);
        assert!(take(&queue, 9).await.is_empty());
        assert_eq!(queue.counts().await.unwrap().waiting, 0);
        // Its lease ends, or it becomes due.
        add(&queue, new(group)).await;
        assert_eq!(ids(&queue, 9).await, ["a"]);
        redis.set(&[b"HSET", b"queue:{test}", b"a", b"x"]);
        redis.clock.advance(secs(30));
        assert!(take(&queue, 9).await.is_empty());
        add(&queue, new(group).with_delay(secs(5))).await;
        redis.set(&[b"HSET", b"queue:{test}", b"a", b"x"]);
        redis.clock.advance(secs(5));
        assert!(take(&queue, 9).await.is_empty());
        add(&queue, new(group)).await;
        let taken = one(&queue).await;
        assert!(queue.ack(taken.receipt()).await.unwrap().is_accepted());
        redis.clock.advance(secs(3_600));
    }
    // A dead letter is put back.
    add(&queue, job("b")).await;
    let taken = one(&queue).await;
    assert!(
        queue
            .reject(taken.receipt(), "no")
            .await
            .unwrap()
            .is_accepted()
    );
    redis.set(&[b"HSET", b"queue:{test}", b"b", b"x"]);
    assert_eq!(queue.redrive(9).await.unwrap(), 1);
    assert_eq!(queue.counts().await.unwrap().waiting, 0);
    add(&queue, job("b")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_lets_jobs_be_taken_and_settled() {
    let redis = OnRedis::start().await;
    let queue = redis.queue();
    add(&queue, job("a")).await;
    assert!(take(&queue, 0).await.is_empty());
    redis.set(&[b"CONFIG", b"SET", b"maxmemory", b"1"]);
    let full = queue.enqueue(job("b")).await.unwrap_err();
    assert_eq!(full.kind(), ErrorKind::Refused(Refusal::Full));
    let taken = one(&queue).await;
    assert!(queue.ack(taken.receipt()).await.unwrap().is_accepted());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_groups_that_cannot_be_read_are_purged_like_others() {
    let redis = OnRedis::start().await;
    let queue = redis.queue();
    let ids: Vec<_> = (0..120).map(|number| number.to_string()).collect();
    for added in queue
        .enqueue_many(ids.iter().map(|id| job(id).with_group("g")))
        .await
    {
        added.unwrap();
    }
    for added in queue
        .enqueue_many((0..150).map(|_| NewJob::raw("a", "")))
        .await
    {
        added.unwrap();
    }
    let mut garbage: Vec<&[u8]> = vec![b"HSET", b"queue:{test}"];
    garbage.extend(ids.iter().flat_map(|id| [id.as_bytes(), b"x"]));
    redis.set(&garbage);
    let purge = tokio::time::timeout(secs(20), queue.purge(State::Waiting));
    assert_eq!(purge.await.expect("it ends").unwrap(), 270);
    assert_eq!(queue.counts().await.unwrap().waiting, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_queue_knows_of_itself_is_begun_anew_if_it_is_garbage() {
    let redis = OnRedis::start().await;
    let queue = redis.queue();
    let garbage: [&[u8]; 6] = [b"", b"x", &[0xff; 49], &[0x7f; 49], &[0; 48], &[1; 500]];
    for (number, garbage) in garbage.iter().enumerate() {
        let (first, second) = (format!("a{number}"), format!("b{number}"));
        add(&queue, job(&first).with_group("g")).await;
        redis.set(&[b"HSET", b"queue:{test}", b"", garbage]);
        queue.counts().await.unwrap();
        queue.inspect().await.unwrap();
        queue.enqueue(job(&second)).await.unwrap();
        redis.set(&[b"HSET", b"queue:{test}", b"", garbage]);
        let taken = take(&queue, 9).await;
        let ids: BTreeSet<_> = taken.iter().map(|it| it.id().as_str()).collect();
        assert_eq!(ids, BTreeSet::from([&*first, &*second]), "{garbage:?}");
        for delivery in taken {
            assert!(queue.ack(delivery.receipt()).await.unwrap().is_accepted());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_last_tick_that_is_far_ahead_or_garbage_is_the_present() {
    let redis = OnRedis::in_real_time().await;
    let queue = redis.queue();
    let each_second = Schedule::every(Duration::from_secs(1)).unwrap();
    let periodic = Periodic::new(queue).on("tick", each_second, |_| NewJob::raw("tick", ""));
    let periodic = periodic.unwrap();
    periodic.run_due().await.unwrap();
    let keys = redis.server.command(&["KEYS", "periodic:*"]).unwrap();
    let key = keys.array().unwrap()[0].text().unwrap().into_owned();
    for garbage in ["9000000000000000", "x", ""] {
        redis.set(&[b"SET", key.as_bytes(), garbage.as_bytes(), b"PX", b"600000"]);
        periodic.run_due().await.unwrap();
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        assert!(periodic.run_due().await.unwrap().enqueued > 0, "{garbage}");
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
