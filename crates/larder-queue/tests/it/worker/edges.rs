//! Workers at the edges: settings without an end, stores that hang in one place, errors that panic.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use larder_queue::{Cancelled, Queue};
use larder_store::Ttl;
use larder_test::faulty::Trouble;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::support::{Act, Probe, World, task, worker};

#[tokio::test(start_paused = true)]
async fn a_run_may_last_for_ever() {
    let world = World::paused();
    let (queue, probe) = (world.queue(), Probe::new());
    queue.enqueue(task(1, Act::Return)).await.unwrap();
    let worker = worker(&queue, &probe).with_max_run(Duration::MAX);
    assert_eq!(worker.drain().await.unwrap().done, 1);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_dequeue_gives_back_what_its_answer_held() {
    let world = World::paused();
    let queue = world.queue();
    queue.enqueue(task(1, Act::Return)).await.unwrap();
    world.switch.set(Trouble::Delay(Duration::from_millis(10)));
    let mut call = Box::pin(queue.dequeue(1));
    let polled = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
    assert!(polled.is_pending());
    // The answer is there, and nobody looks at it.
    sleep(Duration::from_secs(1)).await;
    drop(call);
    world.switch.clear();
    sleep(Duration::from_secs(1)).await;
    let again = queue.dequeue(1).await.unwrap();
    assert_eq!(again.len(), 1, "it is leased to nobody");
    assert_eq!(again[0].attempt(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_a_waiter_does_not_end_the_worker() {
    let world = World::paused();
    let (queue, probe) = (world.queue(), Probe::new());
    // The look is on its way when the store begins to hang, so it is the registration that hangs.
    world.switch.set(Trouble::Delay(Duration::from_secs(1)));
    let stop = CancellationToken::new();
    let running = tokio::spawn(worker(&queue, &probe).run_until(stop.clone().cancelled_owned()));
    sleep(Duration::from_millis(500)).await;
    world.switch.set(Trouble::Hang);
    sleep(Duration::from_secs(5)).await;
    world.switch.clear();
    queue.enqueue(task(1, Act::Return)).await.unwrap();
    probe.arrived_within(Duration::from_secs(60)).await;
    stop.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_lease_was_lost_is_not_reported_as_done() {
    let world = World::paused();
    let (queue, probe) = (world.queue(), Probe::new());
    let id = queue
        .enqueue(task(1, Act::Wait))
        .await
        .unwrap()
        .id()
        .clone();
    let stop = CancellationToken::new();
    let running = tokio::spawn(worker(&queue, &probe).run_until(stop.clone().cancelled_owned()));
    probe.arrived().await;
    assert_eq!(queue.cancel(&id).await.unwrap(), Cancelled::Running);
    stop.cancel();
    probe.open(1);
    let report = running.await.unwrap().unwrap();
    assert_eq!((report.done, report.released, report.abandoned), (0, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_a_count_does_not_end_the_gauges() {
    let world = World::paused();
    let (queue, probe) = (world.queue(), Probe::new());
    let stop = CancellationToken::new();
    let running = tokio::spawn(worker(&queue, &probe).run_until(stop.clone().cancelled_owned()));
    sleep(Duration::from_secs(1)).await;
    world.switch.set(Trouble::Hang);
    sleep(Duration::from_secs(40)).await;
    world.switch.clear();
    let before = world.switch.operations();
    sleep(Duration::from_secs(60)).await;
    // The worker looks each 30 s, as long as its lease lasts; the gauges each 15 s.
    let looks = world.switch.operations() - before;
    assert!(looks >= 5, "{looks}");
    stop.cancel();
    running.await.unwrap().unwrap();
}

async fn a_lease_outlives_the_queue(queue: Queue) {
    let queue = queue
        .with_ttl(Ttl::from_millis(1_000))
        .with_lease(Ttl::from_millis(3_000));
    queue.enqueue(task(1, Act::Return)).await.unwrap();
    let taken = queue.dequeue(1).await.unwrap();
    sleep(Duration::from_millis(2_000)).await;
    assert!(queue.ack(taken[0].receipt()).await.unwrap().is_accepted());
}

#[tokio::test(start_paused = true)]
async fn a_queue_lives_as_long_as_its_leases_in_process() {
    a_lease_outlives_the_queue(World::paused().queue()).await;
}

#[tokio::test]
async fn a_queue_lives_as_long_as_its_leases_on_redis() {
    a_lease_outlives_the_queue(World::redis().await.queue()).await;
}
