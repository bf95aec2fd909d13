//! What a job costs beside the commands of asynq, and beside lists without leases.

use std::sync::Arc;
use std::time::Instant;

use larder_queue::{NewJob, Queue, Verdict};
use larder_store::Store;
use redis::aio::MultiplexedConnection;
use tokio::runtime::Runtime;

use crate::harness::{Bar, Row, compare, per_operation};
use crate::load::{raw_connection, runtime, store};

/// How many jobs a round has.
pub(super) const JOBS: usize = 1_600;
/// How many of them are in a batch.
const BATCH: usize = 16;
/// A payload of a usual size.
pub(crate) const PAYLOAD: [u8; 100] = [b'x'; 100];

/// The three commands by which asynq enqueues: a hash for each task, and the list of those that wait.
const ENQUEUE: &str = "if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'msg', ARGV[1], 'state', 'pending', 'pending_since', ARGV[2])
redis.call('LPUSH', KEYS[2], ARGV[3])
return 1";

/// The six by which it dequeues: to the list of the active, and into the set of leases.
const DEQUEUE: &str = "if redis.call('EXISTS', KEYS[2]) == 1 then return nil end
local id = redis.call('RPOPLPUSH', KEYS[1], KEYS[3])
if not id then return nil end
local key = ARGV[2] .. id
redis.call('HSET', key, 'state', 'active')
redis.call('HDEL', key, 'pending_since')
redis.call('ZADD', KEYS[4], ARGV[1], id)
return {id, redis.call('HGET', key, 'msg')}";

/// The seven by which a task is done, with the counters of the day and of all time.
const DONE: &str = "if redis.call('LREM', KEYS[1], 0, ARGV[1]) == 0 then return 0 end
if redis.call('ZREM', KEYS[2], ARGV[1]) == 0 then return 0 end
if redis.call('DEL', KEYS[3]) == 0 then return 0 end
if redis.call('INCR', KEYS[4]) == 1 then redis.call('EXPIRE', KEYS[4], 7776000) end
local total = redis.call('GET', KEYS[5])
if tonumber(total) == 9223372036854775807 then
  redis.call('SET', KEYS[5], 1)
else
  redis.call('INCR', KEYS[5])
end
return 1";

pub(crate) fn run(url: &str) -> Vec<Row> {
    let runtime = runtime();
    let store = runtime.block_on(store(url));
    let raw = runtime.block_on(raw_connection(url));
    let aof = runtime.block_on(has_aof(&raw));
    let mut rows = Vec::new();
    for many in [1, BATCH] {
        rows.push(enqueue(&runtime, &store, &raw, many));
        rows.push(work(&runtime, &store, &raw, many));
    }
    rows.push(beside_lists(&runtime, &store, &raw));
    rows.into_iter().map(|row| row.with_note(aof)).collect()
}

pub(super) async fn has_aof(raw: &MultiplexedConnection) -> &'static str {
    let mut config = redis::cmd("CONFIG");
    config.arg("GET").arg("appendonly");
    let config: Vec<String> = config
        .query_async(&mut raw.clone())
        .await
        .expect("an answer");
    match config.get(1).map(String::as_str) {
        Some("yes") => "AOF on",
        _ => "AOF off",
    }
}

fn queue(store: &Arc<dyn Store>, name: &str) -> Queue {
    Queue::new(store.clone(), name).expect("a queue")
}

async fn fill(queue: &Queue, many: usize) {
    for _ in 0..JOBS / many {
        let jobs = (0..many).map(|_| NewJob::raw("bench", &PAYLOAD[..]));
        for added in queue.enqueue_many(jobs).await {
            added.expect("an answer");
        }
    }
}

async fn drain(queue: &Queue, many: usize) {
    let mut taken = queue.dequeue(many).await.expect("an answer");
    let mut done = 0;
    while done < JOBS {
        let acks: Vec<_> = taken
            .iter()
            .map(|it| (it.receipt().clone(), Verdict::Ack))
            .collect();
        let (settled, next) = queue
            .settle_and_dequeue(&acks, many)
            .await
            .expect("an answer");
        assert!(settled.iter().all(|settled| settled.is_accepted()));
        done += settled.len();
        taken = next;
    }
}

fn what(step: &str, many: usize) -> String {
    match many {
        1 => format!("Redis, {step}, one at a time, for each job"),
        many => format!("Redis, {step}, {many} at a time, for each job"),
    }
}

fn enqueue(
    runtime: &Runtime,
    store: &Arc<dyn Store>,
    raw: &MultiplexedConnection,
    many: usize,
) -> Row {
    let queue = queue(store, "enqueue");
    compare(
        what("enqueue", many),
        9,
        (
            "Queue",
            Box::new(|| {
                runtime.block_on(async {
                    let started = Instant::now();
                    fill(&queue, many).await;
                    let took = per_operation(started.elapsed(), JOBS);
                    drain(&queue, BATCH).await;
                    took
                })
            }),
        ),
        (
            "asynq's commands",
            Box::new(|| {
                runtime.block_on(async {
                    let started = Instant::now();
                    asynq_fill(raw, many).await;
                    let took = per_operation(started.elapsed(), JOBS);
                    asynq_drain(raw, many).await;
                    took
                })
            }),
        ),
        Bar::None,
    )
}

fn work(
    runtime: &Runtime,
    store: &Arc<dyn Store>,
    raw: &MultiplexedConnection,
    many: usize,
) -> Row {
    let queue = queue(store, "work");
    compare(
        what("dequeue and ack", many),
        9,
        (
            "Queue",
            Box::new(|| {
                runtime.block_on(async {
                    fill(&queue, BATCH).await;
                    let started = Instant::now();
                    drain(&queue, many).await;
                    per_operation(started.elapsed(), JOBS)
                })
            }),
        ),
        (
            "asynq's commands",
            Box::new(|| {
                runtime.block_on(async {
                    asynq_fill(raw, BATCH).await;
                    let started = Instant::now();
                    asynq_drain(raw, many).await;
                    per_operation(started.elapsed(), JOBS)
                })
            }),
        ),
        Bar::None,
    )
}

/// Enqueue, dequeue and ack, beside the three commands of a list that nobody watches over.
fn beside_lists(runtime: &Runtime, store: &Arc<dyn Store>, raw: &MultiplexedConnection) -> Row {
    let queue = queue(store, "lists");
    compare(
        "Redis, enqueue, dequeue and ack, one at a time, for each job",
        9,
        (
            "Queue",
            Box::new(|| {
                runtime.block_on(async {
                    let started = Instant::now();
                    fill(&queue, 1).await;
                    drain(&queue, 1).await;
                    per_operation(started.elapsed(), JOBS)
                })
            }),
        ),
        (
            "LPUSH, LMOVE and LREM",
            Box::new(|| {
                runtime.block_on(async {
                    let mut raw = raw.clone();
                    let started = Instant::now();
                    for _ in 0..JOBS {
                        command(
                            &mut raw,
                            redis::cmd("LPUSH").arg("{plain}:wait").arg(&PAYLOAD[..]),
                        )
                        .await;
                    }
                    for _ in 0..JOBS {
                        let mut take = redis::cmd("LMOVE");
                        take.arg("{plain}:wait").arg("{plain}:active");
                        command(&mut raw, take.arg("RIGHT").arg("LEFT")).await;
                        let mut done = redis::cmd("LREM");
                        command(
                            &mut raw,
                            done.arg("{plain}:active").arg(1).arg(&PAYLOAD[..]),
                        )
                        .await;
                    }
                    per_operation(started.elapsed(), JOBS)
                })
            }),
        ),
        Bar::None,
    )
}

async fn command(raw: &mut MultiplexedConnection, command: &redis::Cmd) {
    let _: redis::Value = command.query_async(raw).await.expect("an answer");
}

/// Its client sends each task by itself; those of a batch are sent concurrently here.
pub(super) async fn asynq_fill(raw: &MultiplexedConnection, many: usize) {
    let script = redis::Script::new(ENQUEUE);
    for batch in 0..JOBS / many {
        let sent = (0..many).map(|at| {
            let (script, mut raw) = (script.clone(), raw.clone());
            let id = format!("{:032}", batch * many + at);
            async move {
                let mut call = script.key(format!("asynq:{{bench}}:t:{id}"));
                call.key("asynq:{bench}:pending");
                call.arg(&PAYLOAD[..]).arg(1).arg(id);
                let added: i64 = call.invoke_async(&mut raw).await.expect("an answer");
                assert_eq!(added, 1);
            }
        });
        futures_util::future::join_all(sent).await;
    }
}

async fn asynq_drain(raw: &MultiplexedConnection, many: usize) {
    let (take, done) = (redis::Script::new(DEQUEUE), redis::Script::new(DONE));
    for _ in 0..JOBS / many {
        let worked = (0..many).map(|_| {
            let (take, done, mut raw) = (take.clone(), done.clone(), raw.clone());
            async move {
                let mut call = take.key("asynq:{bench}:pending");
                call.key("asynq:{bench}:paused");
                call.key("asynq:{bench}:active").key("asynq:{bench}:lease");
                call.arg(1).arg("asynq:{bench}:t:");
                let taken: (String, Vec<u8>) = call.invoke_async(&mut raw).await.expect("a task");
                let mut call = done.key("asynq:{bench}:active");
                call.key("asynq:{bench}:lease");
                call.key(format!("asynq:{{bench}}:t:{}", taken.0));
                call.key("asynq:{bench}:processed:today");
                call.key("asynq:{bench}:processed");
                let ended: i64 = call
                    .arg(taken.0)
                    .invoke_async(&mut raw)
                    .await
                    .expect("an answer");
                assert_eq!(ended, 1);
            }
        });
        futures_util::future::join_all(worked).await;
    }
}
