//! A queue of many jobs: a step costs as many commands as in a small one, and no script is long.

use std::sync::Arc;

use larder_queue::{MAX_BATCH, NewJob, Queue, Settled, Verdict};
use larder_redis::RedisStore;
use larder_test::server::RedisServer;

use crate::support::patient;

const FEW: usize = 300;
const MANY: usize = 20_000;

/// How many commands each script may call, whatever the number of jobs in the queue.
const COMMANDS: u64 = 14;

/// The mean of the largest batches, in microseconds. None may take 5 ms; the mean is what a machine that is
/// busy does not blur.
const MEAN: f64 = 5_000.0;

/// The calls, and their mean in microseconds, of one command or of all.
fn calls(server: &RedisServer, command: Option<&str>) -> (u64, f64) {
    let info = server.command(&["INFO", "commandstats"]).unwrap();
    let info = info.text().unwrap();
    let mut calls = (0, 0.0);
    for line in info
        .lines()
        .filter_map(|line| line.strip_prefix("cmdstat_"))
    {
        let (name, figures) = line.split_once(':').unwrap();
        let figure = |named: &str| -> f64 {
            let found = figures.split(',').find_map(|it| it.strip_prefix(named));
            found.unwrap().parse().unwrap()
        };
        if command.is_none_or(|command| command == name) {
            calls.0 += figure("calls=") as u64;
            calls.1 = figure("usec_per_call=");
        }
    }
    calls
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
    let commands = calls(server, None).0 / rounds;
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
    fill(&queue, MANY).await;
    let (chunks, mean) = calls(&server, Some("evalsha"));
    assert!(chunks >= 100 && mean < MEAN, "{chunks} of {mean} µs");
    let many = work(&queue, &server, 1, 20).await;
    assert!(few <= COMMANDS, "{few} commands");
    assert!(
        many <= few + 1,
        "{many} commands, and {few} in a small queue"
    );
    // The largest batch has as many: what is done to each job is done to all in one command.
    let batch = work(&queue, &server, MAX_BATCH, 20).await;
    assert!(
        batch <= few + 2,
        "{batch} commands for a batch, and {few} for one job"
    );
    let (rounds, mean) = calls(&server, Some("evalsha"));
    assert!(rounds >= 20 && mean < MEAN, "{rounds} of {mean} µs");
}
