//! A queue of many jobs: a step costs as many commands as in a small one, and no script is long.

use std::sync::Arc;

use larder_queue::{MAX_BATCH, NewJob, Queue, Settled, Verdict};
use larder_redis::RedisStore;
use larder_test::server::RedisServer;

use larder_worlds::patient;

const FEW: usize = 300;
const MANY: usize = 20_000;

/// How many commands each script may call, whatever the number of jobs in the queue.
const COMMANDS: u64 = 14;

/// The most of the server's time for one step, in seconds: what a busy machine takes from it does not count.
const LONGEST: f64 = 0.005;

fn info(server: &RedisServer, section: &str) -> String {
    let info = server.command(&["INFO", section]).unwrap();
    info.text().unwrap().into_owned()
}

/// The calls of all commands.
fn calls(server: &RedisServer) -> u64 {
    let info = info(server, "commandstats");
    let calls = info.lines().filter_map(|line| line.split_once(":calls="));
    let calls = calls.filter_map(|(_, rest)| rest.split(',').next()?.parse::<u64>().ok());
    calls.sum()
}

/// The seconds that the server has worked so far.
fn worked(server: &RedisServer) -> f64 {
    let info = info(server, "cpu");
    let seconds = info.lines().filter_map(|line| {
        let (name, seconds) = line.split_once(':')?;
        name.ends_with("main_thread")
            .then(|| seconds.trim().parse::<f64>().unwrap())
    });
    seconds.sum()
}

/// Takes and settles jobs so many times, and returns the commands of each step.
async fn work(queue: &Queue, server: &RedisServer, many: usize, rounds: u64) -> u64 {
    let mut taken = queue.dequeue(many).await.unwrap();
    server.command(&["CONFIG", "RESETSTAT"]).unwrap();
    for _ in 0..rounds {
        assert_eq!(taken.len(), many);
        let acks = taken.iter().map(|it| (it.receipt().clone(), Verdict::Ack));
        let acks: Vec<_> = acks.collect();
        let (settled, next) = queue.settle_and_dequeue(&acks, many).await.unwrap();
        assert!(settled.iter().all(|it| *it == Settled::Accepted));
        taken = next;
    }
    let commands = calls(server) / rounds;
    let receipts: Vec<_> = taken.iter().map(|it| it.receipt().clone()).collect();
    queue.release_many(&receipts).await.unwrap();
    commands
}

async fn fill(queue: &Queue, jobs: usize) {
    for added in queue
        .enqueue_many((0..jobs).map(|_| NewJob::raw("large", &[7; 100][..])))
        .await
    {
        added.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_queue_costs_as_many_commands_as_a_small_one_and_no_script_is_long() {
    let server = RedisServer::start().unwrap();
    let store: RedisStore = patient(&server.url()).connect().await.unwrap();
    let queue = Queue::new(Arc::new(store), "large").unwrap();
    fill(&queue, FEW).await;
    // The script is known from now on, and what is due was looked for.
    work(&queue, &server, 1, 20).await;
    let few = work(&queue, &server, 1, 20).await;
    let before = worked(&server);
    fill(&queue, MANY).await;
    let mean = (worked(&server) - before) / (MANY / 128) as f64;
    assert!(mean < LONGEST, "{mean} s to add 128");
    let many = work(&queue, &server, 1, 20).await;
    assert!(few <= COMMANDS, "{few} commands");
    assert!(
        many <= few + 1,
        "{many} commands, and {few} in a small queue"
    );
    // Each command is for all jobs of a batch; only their bodies are read in parts.
    let before = worked(&server);
    let batch = work(&queue, &server, MAX_BATCH, 20).await;
    let mean = (worked(&server) - before) / 20.0;
    assert!(
        batch <= few + 6,
        "{batch} commands for a batch, and {few} for one job"
    );
    assert!(mean < LONGEST, "{mean} s to settle and take {MAX_BATCH}");
}
