//! Workers on a store that fails.

use std::time::Duration;

use larder_queue::{Cancelled, State};
use larder_store::ErrorKind;
use larder_test::faulty::Trouble;
use larder_worlds::until;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::support::{Act, Probe, World, task, worker};

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_ends_nothing_and_outcomes_arrive_when_it_works_again() {
    let world = World::paused();
    let (queue, probe) = (world.queue(), Probe::new());
    let stop = CancellationToken::new();
    let worker = tokio::spawn(worker(&queue, &probe).run_until(stop.clone().cancelled_owned()));
    for trouble in [
        Trouble::Fail(ErrorKind::NotSent),
        Trouble::Fail(ErrorKind::MayHaveRun),
        Trouble::Hang,
    ] {
        let before = queue.counts().await.unwrap().done;
        queue.enqueue(task(1, Act::Wait)).await.unwrap();
        probe.arrived().await;
        world.switch.set(trouble);
        probe.open(1);
        sleep(Duration::from_secs(8)).await;
        world.switch.clear();
        let queue = &queue;
        until("it is done", || async {
            queue.counts().await.unwrap().done == before + 1
        })
        .await;
    }
    assert_eq!(probe.ran(), [(1, 1); 3]);
    stop.cancel();
    worker.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_ack_whose_answer_was_lost_is_sent_again_and_counts_once() {
    let world = World::paused();
    let (queue, probe) = (world.queue(), Probe::new());
    queue.enqueue(task(1, Act::Wait)).await.unwrap();
    let draining = worker(&queue, &probe);
    let draining = tokio::spawn(async move { draining.drain().await.unwrap() });
    probe.arrived().await;
    world.switch.set_next(1, Trouble::LoseAnswer);
    probe.open(1);
    let drained = draining.await.unwrap();
    assert_eq!((drained.done, drained.lost), (1, 0));
    assert_eq!(queue.counts().await.unwrap().done, 1);
}

#[tokio::test(start_paused = true)]
async fn an_outcome_whose_answer_was_lost_counts_as_what_was_asked_for() {
    // Each with the most attempts of a job, and what it counts as: done, failed, dead or snoozed.
    for (act, attempts, counted) in [
        (Act::Return, 9, [1, 0, 0, 0]),
        (Act::Fail, 9, [0, 1, 0, 0]),
        (Act::Fail, 1, [0, 0, 1, 0]),
        (Act::Die, 9, [0, 0, 1, 0]),
        (Act::Snooze, 9, [0, 0, 0, 1]),
    ] {
        let world = World::paused();
        // Not even the id of a done job tells what has become of it.
        let queue = world.queue().with_max_attempts(attempts).with_max_done(0);
        let probe = Probe::new();
        let waiting = Act::WaitThen(Box::new(act.clone()));
        queue.enqueue(task(1, waiting)).await.unwrap();
        let draining = worker(&queue, &probe);
        let draining = tokio::spawn(async move { draining.drain().await.unwrap() });
        probe.arrived().await;
        world.switch.set_next(1, Trouble::LoseAnswer);
        probe.open(1);
        let it = draining.await.unwrap();
        assert_eq!(
            [it.done, it.failed, it.dead, it.snoozed],
            counted,
            "{act:?}"
        );
        assert_eq!(it.lost, 0, "{act:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_never_arrived_before_the_lease_was_lost_counts_as_lost() {
    let world = World::paused();
    let (queue, probe) = (world.queue(), Probe::new());
    queue
        .enqueue(task(1, Act::WaitThen(Box::new(Act::Fail))))
        .await
        .unwrap();
    let draining = worker(&queue, &probe);
    let draining = tokio::spawn(async move { draining.drain().await.unwrap() });
    probe.arrived().await;
    world.switch.set(Trouble::Fail(ErrorKind::NotSent));
    probe.open(1);
    sleep(Duration::from_secs(8)).await;
    world.switch.clear();
    // The job is cancelled before its outcome is sent again.
    let running = queue.list(State::Running, None).await.unwrap().jobs;
    let cancelled = queue.cancel(running[0].id()).await.unwrap();
    assert_eq!(cancelled, Cancelled::Running);
    assert_eq!(draining.await.unwrap().lost, 1);
}

#[tokio::test(start_paused = true)]
async fn outcomes_that_come_while_one_is_sent_are_sent_together() {
    let world = World::paused();
    let (queue, probe) = (world.queue(), Probe::new());
    for number in 0..100 {
        queue.enqueue(task(number, Act::Wait)).await.unwrap();
    }
    let draining = worker(&queue, &probe).with_concurrency(100);
    let draining = tokio::spawn(async move { draining.drain().await.unwrap() });
    for _ in 0..100 {
        probe.arrived().await;
    }
    world.switch.set(Trouble::Delay(Duration::from_secs(1)));
    let before = world.switch.operations();
    probe.open(100);
    assert_eq!(draining.await.unwrap().done, 100);
    let operations = world.switch.operations() - before;
    // An outcome each would be a hundred.
    assert!(operations <= 10, "{operations} operations");
}
