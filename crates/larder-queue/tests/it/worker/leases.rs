//! Leases while handlers run.

use std::time::Duration;

use larder_queue::worker::{JobContext, JobError, State, Worker};
use larder_store::Ttl;
use larder_test::faulty::Trouble;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::support::{Act, Probe, Task, World, on_both_stores, task, worker};

on_both_stores! {
    async fn leases_are_renewed_while_handlers_run(world: World) {
        let (queue, probe) = (world.queue().with_lease(Ttl::from_secs(2)), Probe::new());
        for number in 0..3 {
            queue.enqueue(task(number, Act::Wait)).await.unwrap();
        }
        let draining = worker(&queue, &probe);
        let draining = tokio::spawn(async move { draining.drain().await.unwrap() });
        for _ in 0..3 {
            probe.arrived().await;
        }
        // Other callers find nothing, although the leases would have ended.
        let until = Instant::now() + Duration::from_millis(2_500);
        while Instant::now() < until {
            assert_eq!(queue.dequeue(1).await.unwrap().len(), 0);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        probe.open(3);
        assert_eq!(draining.await.unwrap().done, 3);
        assert_eq!(probe.ran().len(), 3);
    }

    async fn a_lease_that_is_lost_cancels_the_context_and_the_outcome_is_refused(world: World) {
        let (queue, probe) = (world.queue().with_lease(Ttl::from_millis(900)), Probe::new());
        let lost = queue.enqueue(task(1, Act::LoseLease)).await.unwrap();
        queue.enqueue(task(2, Act::Wait)).await.unwrap();
        let draining = worker(&queue, &probe);
        let draining = tokio::spawn(async move { draining.drain().await.unwrap() });
        probe.arrived().await;
        probe.arrived().await;
        // The renewal says so, and of this one alone.
        let _ = queue.cancel(lost.id()).await.unwrap();
        probe.open(1);
        let drained = draining.await.unwrap();
        assert_eq!((drained.done, drained.lost), (1, 1));
        assert_eq!(queue.counts().await.unwrap().done, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_lost_by_the_workers_own_clock_though_the_store_never_answers() {
    let world = World::paused();
    let (queue, probe) = (world.queue(), Probe::new());
    queue.enqueue(task(1, Act::LoseLease)).await.unwrap();
    let draining = worker(&queue, &probe);
    let began = Instant::now();
    let draining = tokio::spawn(async move { draining.drain().await.unwrap() });
    probe.arrived().await;
    world.switch.set(Trouble::Hang);
    // Renewals hang. The handler returns when its lease has ended, and not a moment later.
    let is_back = || async { probe.ran().len() == 1 && draining.is_finished() };
    tokio::time::sleep_until(began + Duration::from_millis(29_990)).await;
    world.switch.clear();
    larder_worlds::until("the handler returns", is_back).await;
    // Nobody has taken it, so the queue accepts the outcome.
    assert_eq!(draining.await.unwrap().done, 1);
    assert!(
        began.elapsed() < Duration::from_secs(41),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_handler_extends_its_lease_and_the_worker_does_not_shorten_it() {
    let world = World::paused();
    let queue = world.queue();
    queue.enqueue(task(1, Act::Return)).await.unwrap();
    let (sender, mut extended) = mpsc::channel(1);
    async fn extend(
        _: Task,
        context: JobContext,
        State(extended): State<mpsc::Sender<JobContext>>,
    ) -> Result<(), JobError> {
        assert!(context.extend(Ttl::from_secs(600)).await?);
        extended.send(context.clone()).await?;
        context.lease_lost().await;
        Ok(())
    }
    let worker = Worker::new(queue.clone()).on(extend).with_state(sender);
    let began = Instant::now();
    let draining = tokio::spawn(async move { worker.drain().await.unwrap() });
    let context = extended.recv().await.unwrap();
    // As if its process was suspended: nothing is renewed.
    world.switch.set(Trouble::Hang);
    context.lease_lost().await;
    let held = began.elapsed();
    assert!(
        held >= Duration::from_secs(600) && held < Duration::from_secs(601),
        "{held:?}"
    );
    world.switch.clear();
    draining.await.unwrap();
}

async fn extend_by_less(_: Task, context: JobContext) -> Result<(), JobError> {
    // The next renewal is planned by now.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(context.extend(Ttl::from_secs(2)).await?);
    tokio::time::sleep(Duration::from_secs(60)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_extension_by_less_than_is_left_shortens_no_lease() {
    let world = World::paused();
    let queue = world.queue();
    queue.enqueue(task(1, Act::Return)).await.unwrap();
    let worker = Worker::new(queue.clone()).on(extend_by_less);
    let draining = tokio::spawn(async move { worker.drain().await.unwrap() });
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(queue.dequeue(1).await.unwrap().len(), 0);
    }
    let drained = draining.await.unwrap();
    assert_eq!((drained.done, drained.lost), (1, 0));
}

async fn extend_when_told(
    _: Task,
    context: JobContext,
    State(extended): State<mpsc::Sender<JobContext>>,
) -> Result<(), JobError> {
    // A renewal has been on its way for a second.
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert!(context.extend(Ttl::from_secs(600)).await?);
    extended.send(context.clone()).await?;
    context.lease_lost().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_is_on_its_way_does_not_shorten_an_extension() {
    let world = World::paused();
    let queue = world.queue();
    queue.enqueue(task(1, Act::Return)).await.unwrap();
    let (sender, mut extended) = mpsc::channel(1);
    let worker = Worker::new(queue.clone())
        .on(extend_when_told)
        .with_state(sender);
    let began = Instant::now();
    let draining = tokio::spawn(async move { worker.drain().await.unwrap() });
    tokio::time::sleep(Duration::from_secs(9)).await;
    world.switch.set(Trouble::Delay(Duration::from_secs(5)));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    world.switch.clear();
    let context = extended.recv().await.unwrap();
    world.switch.set(Trouble::Hang);
    context.lease_lost().await;
    let held = began.elapsed();
    assert!(held >= Duration::from_secs(600), "{held:?}");
    world.switch.clear();
    draining.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_loses_its_lease_after_the_longest_run() {
    let world = World::paused();
    let (queue, probe) = (world.queue(), Probe::new());
    queue.enqueue(task(1, Act::LoseLease)).await.unwrap();
    let worker = worker(&queue, &probe).with_max_run(Duration::from_secs(300));
    let began = Instant::now();
    let drained = worker.drain().await.unwrap();
    let held = began.elapsed();
    assert!(
        held >= Duration::from_secs(300) && held < Duration::from_secs(331),
        "{held:?}"
    );
    assert_eq!(drained.done + drained.lost, 1);
}

#[tokio::test(start_paused = true)]
async fn a_progress_report_that_hangs_delays_no_renewal() {
    async fn report_late(_: Task, context: JobContext) {
        tokio::time::sleep(Duration::from_secs(9)).await;
        context.progress("half");
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
    let world = World::paused();
    let queue = world.queue();
    queue.enqueue(task(1, Act::Return)).await.unwrap();
    let worker = Worker::new(queue.clone()).on(report_late);
    let draining = tokio::spawn(async move { worker.drain().await.unwrap() });
    let lease_ends = async || {
        let running = queue.list(larder_queue::State::Running, None).await;
        running.unwrap().jobs[0].at()
    };
    tokio::time::sleep(Duration::from_secs(8)).await;
    let before = lease_ends().await;
    world.switch.set_next(1, Trouble::Hang);
    tokio::time::sleep(Duration::from_secs(3)).await;
    // The renewal is due at 10 s, and the report hangs from 9 s to 19 s.
    let renewed = lease_ends().await.since(before);
    assert!(renewed >= Duration::from_secs(9), "{renewed:?}");
    assert_eq!(draining.await.unwrap().done, 1);
}
