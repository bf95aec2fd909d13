//! How a worker stops.

use std::time::Duration;

use larder_queue::Queue;
use larder_worlds::until;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::support::{Act, HOUR, Probe, World, on_both_stores, task, worker};

/// Takes the only job, and returns its attempt.
async fn attempt(queue: &Queue) -> u32 {
    let taken = queue.dequeue(9).await.unwrap();
    assert_eq!(taken.len(), 1);
    taken[0].attempt()
}

on_both_stores! {
    async fn a_worker_that_stops_takes_nothing_more_and_waits_for_what_runs(world: World) {
        let (one, other, probe) = (world.queue(), world.queue(), Probe::new());
        let stop = CancellationToken::new();
        let worker = worker(&one, &probe).with_queue(other.clone()).run_until(stop.clone().cancelled_owned());
        let worker = tokio::spawn(worker);
        for queue in [&one, &other] {
            queue.enqueue(task(1, Act::Wait)).await.unwrap();
            probe.arrived().await;
        }
        stop.cancel();
        for queue in [&one, &other] {
            queue.enqueue(task(2, Act::Return)).await.unwrap();
        }
        probe.open(2);
        let report = worker.await.unwrap().unwrap();
        // A request that was sent before the stop may still take a job, which is given back.
        assert_eq!((report.done, report.abandoned), (2, 0));
        for queue in [&one, &other] {
            let counts = queue.counts().await.unwrap();
            assert_eq!((counts.waiting, counts.running, counts.done), (1, 0, 1));
        }
        assert_eq!(probe.ran(), [(1, 1), (1, 1)]);
    }

    async fn after_the_grace_period_jobs_are_released_and_their_attempt_is_not_counted(world: World) {
        let (queue, probe) = (world.queue(), Probe::new());
        queue.enqueue(task(1, Act::Wait)).await.unwrap();
        let stop = CancellationToken::new();
        let worker = worker(&queue, &probe).with_grace(Duration::from_millis(50));
        let worker = tokio::spawn(worker.run_until(stop.clone().cancelled_owned()));
        probe.arrived().await;
        stop.cancel();
        let report = worker.await.unwrap().unwrap();
        assert_eq!((report.done, report.released, report.abandoned), (0, 1, 0));
        assert_eq!(attempt(&queue).await, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_heeds_its_context_is_done_or_released_uncounted() {
    for (act, done) in [(Act::Heed, 1), (Act::HeedAndFail, 0)] {
        let world = World::paused();
        let (queue, probe) = (world.queue(), Probe::new());
        queue.enqueue(task(1, act)).await.unwrap();
        let stop = CancellationToken::new();
        let worker = tokio::spawn(worker(&queue, &probe).run_until(stop.clone().cancelled_owned()));
        probe.arrived().await;
        let told = Instant::now();
        stop.cancel();
        let report = worker.await.unwrap().unwrap();
        assert_eq!(
            (report.done, report.released, report.abandoned),
            (done, 1 - done, 0)
        );
        let grace = told.elapsed();
        assert!(
            grace >= Duration::from_secs(25) && grace < Duration::from_secs(26),
            "{grace:?}"
        );
        if done == 0 {
            assert_eq!(attempt(&queue).await, 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_report_tells_outcomes_apart() {
    let world = World::paused();
    let (queue, probe) = (world.queue(), Probe::new());
    let acts = [Act::Return, Act::Return, Act::Fail, Act::Die, Act::Snooze];
    for act in acts {
        let job = task(1, Act::WaitThen(Box::new(act)));
        queue.enqueue(job).await.unwrap();
    }
    let stop = CancellationToken::new();
    let worker = tokio::spawn(worker(&queue, &probe).run_until(stop.clone().cancelled_owned()));
    for _ in 0..5 {
        probe.arrived().await;
    }
    stop.cancel();
    probe.open(5);
    let report = worker.await.unwrap().unwrap();
    assert_eq!((report.done, report.failed), (2, 1));
    assert_eq!((report.dead, report.snoozed), (1, 1));
    assert_eq!((report.released, report.abandoned), (0, 0));
    assert_eq!(
        report.to_string(),
        "2 done, 1 failed, 1 dead, 1 snoozed, 0 released, 0 abandoned"
    );
}

#[tokio::test(start_paused = true)]
async fn leases_are_renewed_through_the_grace_period() {
    let world = World::paused();
    let (queue, probe) = (world.queue(), Probe::new());
    queue.enqueue(task(1, Act::Wait)).await.unwrap();
    let stop = CancellationToken::new();
    let worker = worker(&queue, &probe).with_grace(HOUR);
    let worker = tokio::spawn(worker.run_until(stop.clone().cancelled_owned()));
    probe.arrived().await;
    stop.cancel();
    tokio::time::sleep(HOUR / 2).await;
    assert_eq!(queue.dequeue(1).await.unwrap().len(), 0);
    probe.open(1);
    assert_eq!(worker.await.unwrap().unwrap().done, 1);
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_ends_it_at_once() {
    let world = World::paused();
    let (queue, probe) = (world.queue(), Probe::new());
    queue.enqueue(task(1, Act::Wait)).await.unwrap();
    let (stop, force) = (CancellationToken::new(), CancellationToken::new());
    let worker = worker(&queue, &probe)
        .with_grace(HOUR)
        .with_force(force.clone().cancelled_owned());
    let worker = tokio::spawn(worker.run_until(stop.clone().cancelled_owned()));
    probe.arrived().await;
    stop.cancel();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!worker.is_finished());
    let told = Instant::now();
    force.cancel();
    let report = worker.await.unwrap().unwrap();
    assert_eq!((report.done, report.released, report.abandoned), (0, 1, 0));
    assert!(
        told.elapsed() < Duration::from_millis(100),
        "{:?}",
        told.elapsed()
    );
    assert_eq!(attempt(&queue).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_handler_that_blocks_its_thread_is_abandoned() {
    let world = World::memory().await;
    let (queue, probe) = (world.queue(), Probe::new());
    queue.enqueue(task(1, Act::Block)).await.unwrap();
    let (stop, force) = (CancellationToken::new(), CancellationToken::new());
    let worker = worker(&queue, &probe).with_force(force.clone().cancelled_owned());
    let worker = tokio::spawn(worker.run_until(stop.clone().cancelled_owned()));
    probe.arrived().await;
    stop.cancel();
    force.cancel();
    let report = worker.await.unwrap().unwrap();
    assert_eq!((report.done, report.released, report.abandoned), (0, 0, 1));
    // It is not given to anybody else while it may still run.
    assert_eq!(queue.counts().await.unwrap().running, 1);
    probe.open(1);
    let probe = &probe;
    until("it ends", || async { probe.ran().len() == 1 }).await;
}
