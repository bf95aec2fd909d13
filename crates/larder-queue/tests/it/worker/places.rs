//! Which jobs a worker takes, and when.

use std::time::Duration;

use larder_queue::worker::{JobContext, Report, Worker};
use larder_store::ErrorKind;
use larder_test::faulty::Trouble;
use larder_worlds::until;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::support::{Act, HOUR, Probe, Task, World, on_both_stores, task, worker};

on_both_stores! {
    async fn the_next_job_is_taken_with_the_outcome_of_the_last(world: World) {
        let (queue, probe) = (world.queue(), Probe::new());
        for number in 0..60 {
            queue.enqueue(task(number, Act::Return)).await.unwrap();
        }
        let before = world.switch.operations();
        let drained = worker(&queue, &probe).with_concurrency(1).drain().await.unwrap();
        assert_eq!(drained.done, 60);
        let operations = world.switch.operations() - before;
        // A call for each outcome and one for each job would be twice as many.
        assert!(operations <= 70, "{operations} operations");
    }

    async fn a_queue_that_waits_for_a_place_gets_the_next_one(world: World) {
        let (busy, other, probe) = (world.queue(), world.queue(), Probe::new());
        for number in 0..40 {
            busy.enqueue(task(number, Act::Wait)).await.unwrap();
        }
        let stop = CancellationToken::new();
        let worker = worker(&busy, &probe).with_queue(other.clone()).with_concurrency(1);
        let worker = tokio::spawn(worker.run_until(stop.clone().cancelled_owned()));
        probe.arrived().await;
        other.enqueue(task(99, Act::Return)).await.unwrap();
        // Neither is starved, though each has more than one place can do.
        let ran_other = || probe.ran().iter().any(|(number, _)| *number == 99);
        let mut busy_ran = 1;
        while !ran_other() && busy_ran < 40 {
            probe.open(1);
            probe.arrived().await;
            busy_ran += 1;
        }
        assert!(busy_ran < 20, "{busy_ran} jobs ran before it");
        probe.open(40);
        let all = [&busy, &other];
        until("all are done", || async {
            let mut done = 0;
            for queue in all {
                done += queue.counts().await.unwrap().done;
            }
            done == 41
        }).await;
        stop.cancel();
        worker.await.unwrap().unwrap();
    }

    async fn a_worker_takes_no_more_than_it_has_places_for(world: World) {
        let (queue, probe) = (world.queue(), Probe::new());
        for number in 0..5 {
            queue.enqueue(task(number, Act::Wait)).await.unwrap();
        }
        let stop = CancellationToken::new();
        let worker = worker(&queue, &probe).with_concurrency(2).run_until(stop.clone().cancelled_owned());
        let worker = tokio::spawn(worker);
        for done in 0..3 {
            probe.arrived().await;
            if done == 0 {
                probe.arrived().await;
            }
            let counts = queue.counts().await.unwrap();
            assert_eq!((counts.running, counts.waiting), (2, 3 - done));
            probe.open(1);
        }
        probe.open(2);
        let queue = &queue;
        until("all are done", || async { queue.counts().await.unwrap().done == 5 }).await;
        stop.cancel();
        assert_eq!(worker.await.unwrap().unwrap(), Report::default());
    }

    async fn an_idle_queue_leaves_all_places_to_the_others(world: World) {
        let (one, other, probe) = (world.queue(), world.queue(), Probe::new());
        let stop = CancellationToken::new();
        let worker = worker(&one, &probe).with_queue(other.clone()).with_concurrency(1);
        let worker = tokio::spawn(worker.run_until(stop.clone().cancelled_owned()));
        for number in 0..3 {
            other.enqueue(task(number, Act::Return)).await.unwrap();
            probe.arrived().await;
            one.enqueue(task(number, Act::Return)).await.unwrap();
            probe.arrived().await;
        }
        let all = [&one, &other];
        until("all are done", || async {
            let [one, other] = all.map(|queue| queue.counts());
            one.await.unwrap().done + other.await.unwrap().done == 6
        })
        .await;
        stop.cancel();
        worker.await.unwrap().unwrap();
    }

    async fn an_idle_worker_is_woken_by_an_enqueue(world: World) {
        let (queue, probe) = (world.queue(), Probe::new());
        let stop = CancellationToken::new();
        let worker = tokio::spawn(worker(&queue, &probe).run_until(stop.clone().cancelled_owned()));
        // Long enough for it to wait. If it does not yet, it is quicker.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let enqueued = Instant::now();
        queue.enqueue(task(1, Act::Return)).await.unwrap();
        probe.arrived().await;
        // It would look by itself when a lease might have ended, after 30 s.
        assert!(enqueued.elapsed() < Duration::from_secs(5));
        stop.cancel();
        worker.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_worker_begins_a_job_at_once_and_a_delayed_one_when_it_is_due() {
    let world = World::paused();
    let (queue, probe) = (world.queue(), Probe::new());
    let stop = CancellationToken::new();
    let worker = tokio::spawn(worker(&queue, &probe).run_until(stop.clone().cancelled_owned()));
    tokio::time::sleep(HOUR).await;
    for delay in [Duration::ZERO, HOUR] {
        let enqueued = Instant::now();
        queue
            .enqueue(task(1, Act::Return).with_delay(delay))
            .await
            .unwrap();
        probe.arrived_within(2 * HOUR).await;
        let late = enqueued.elapsed() - delay;
        assert!(late <= Duration::from_millis(3), "it was {late:?} late");
    }
    stop.cancel();
    worker.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_future_is_dropped_takes_no_more() {
    let world = World::paused();
    let (queue, probe) = (world.queue(), Probe::new());
    let worker = tokio::spawn(worker(&queue, &probe).run_until(std::future::pending()));
    queue.enqueue(task(1, Act::Wait)).await.unwrap();
    probe.arrived().await;
    worker.abort();
    assert!(worker.await.unwrap_err().is_cancelled());
    queue.enqueue(task(2, Act::Wait)).await.unwrap();
    tokio::time::sleep(HOUR).await;
    let counts = queue.counts().await.unwrap();
    assert_eq!((counts.waiting, counts.running), (1, 1));
    // The lease of the first has ended, so both can be taken.
    let taken = queue.dequeue(9).await.unwrap();
    assert_eq!(
        taken.iter().map(|it| it.attempt()).collect::<Vec<_>>(),
        [2, 1]
    );
    assert_eq!(probe.ran(), [(1, 1)]);
}

#[tokio::test(start_paused = true)]
async fn progress_is_sent_once_a_second_at_most_and_the_newest_of_it() {
    let world = World::paused();
    let queue = world.queue();
    queue.enqueue(task(1, Act::Return)).await.unwrap();
    async fn count(_: Task, context: JobContext) {
        for step in 0..1_000 {
            context.progress(format!("{step} of 1000"));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // Longer than a second after the last report.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        std::future::pending::<()>().await;
    }
    let stop = CancellationToken::new();
    let worker = Worker::new(queue.clone()).on(count);
    let worker = tokio::spawn(worker.run_until(stop.clone().cancelled_owned()));
    let shown = async || {
        let page = queue
            .list(larder_queue::State::Running, None)
            .await
            .unwrap();
        page.jobs.first().map(|job| job.progress().to_owned())
    };
    tokio::time::sleep(Duration::from_millis(505)).await;
    assert_eq!(shown().await.unwrap(), "0 of 1000");
    let before = world.switch.operations();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let operations = world.switch.operations() - before;
    assert!((3..=6).contains(&operations), "{operations} operations");
    // A store that is down for a while costs no more than that.
    world.switch.set(Trouble::Fail(ErrorKind::NotSent));
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.switch.clear();
    tokio::time::sleep(Duration::from_millis(5_600)).await;
    assert_eq!(shown().await.unwrap(), "999 of 1000");
    worker.abort();
}
