//! Periodic jobs, by a clock that the test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use larder_moka::MokaStore;
use larder_queue::periodic::{Missed, Periodic, Schedule};
use larder_queue::{Job, NewJob, Queue, Until};
use larder_store::{Clock, ErrorKind, ManualClock, Refusal, Timestamp};
use larder_test::faulty::Trouble;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::worker::support::World;

const MINUTE: Duration = Duration::from_secs(60);

#[derive(Serialize, Deserialize)]
struct Reminder {
    due: i64,
}

impl Job for Reminder {
    const NAME: &'static str = "reminder";
}

fn every(interval: Duration) -> Schedule {
    Schedule::every(interval).unwrap()
}

/// A process that enqueues a reminder each minute.
fn each_minute(queue: &Queue) -> Periodic {
    Periodic::new(queue.clone())
        .on("reminder", every(MINUTE), |tick| {
            NewJob::new(&Reminder {
                due: tick.due().as_micros() / 1_000_000,
            })
        })
        .unwrap()
}

/// How many were enqueued by a look.
async fn new(periodic: &Periodic) -> u64 {
    periodic.run_due().await.unwrap().enqueued
}

/// Takes and acknowledges all jobs, and returns for which second each was due and its id.
async fn taken(queue: &Queue) -> Vec<(i64, String)> {
    let mut all = Vec::new();
    for delivery in queue.dequeue(200).await.unwrap() {
        let due = delivery.job::<Reminder>().unwrap().due;
        all.push((due, delivery.id().to_string()));
        let _ = queue.ack(delivery.receipt()).await.unwrap();
    }
    all
}

fn now(clock: &ManualClock) -> i64 {
    clock.now().as_micros() / 1_000_000
}

/// Runs each test on both stores, with time that the test moves. It begins on a full minute.
macro_rules! on_both_stores {
    ($(async fn $name:ident($world:ident: World, $clock:ident: ManualClock) $body:block)*) => {
        $(async fn $name($world: World, $clock: ManualClock) $body)*

        mod memory {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                let clock = ManualClock::default();
                super::$name(World::memory_at(&clock).await, clock).await;
            })*
        }

        mod redis {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                let clock = ManualClock::default();
                super::$name(World::redis_at(&clock).await, clock).await;
            })*
        }
    };
}

on_both_stores! {
    async fn each_tick_is_enqueued_once_over_all_processes(world: World, clock: ManualClock) {
        // Not even the id of a done job is remembered.
        let queue = world.queue().with_max_done(0);
        let processes = [each_minute(&queue), each_minute(&queue), each_minute(&queue)];
        for periodic in &processes {
            assert_eq!(new(periodic).await, 0);
        }
        let begun = now(&clock);
        for minute in 1..4 {
            clock.advance(MINUTE);
            let [one, other, third] = &processes;
            let (one, other) = tokio::join!(new(one), new(other));
            let due = begun + minute * 60;
            assert_eq!(taken(&queue).await, [(due, format!("reminder@{due}"))]);
            // A process that is late finds it done.
            assert_eq!((one + other, new(third).await), (1, 0));
        }
    }

    async fn a_process_that_looked_before_another_enqueued_enqueues_nothing(world: World, clock: ManualClock) {
        let queue = world.queue().with_max_done(0);
        let (fast, slow) = (each_minute(&queue), each_minute(&queue));
        new(&fast).await;
        clock.advance(MINUTE);
        // It enqueues, but cannot record that it has: so the other one finds the tick due.
        let made = taken_while_noting_fails(&world, &queue, &fast).await;
        assert_eq!(made, 1);
        assert_eq!(new(&slow).await, 0);
        assert_eq!(taken(&queue).await, []);
    }

    async fn missed_ticks_are_skipped_or_the_last_is_enqueued_or_all_up_to_a_cap(world: World, clock: ManualClock) {
        // Down for ten and a half minutes: the last tick is late by half a minute, which is in
        // time.
        let policies = [
            (Missed::Skip, 630, vec![600]),
            (Missed::Last, 630, vec![600]),
            (Missed::All(3), 630, vec![480, 540, 600]),
            (Missed::All(100), 630, (1..=10).map(|minute| minute * 60).collect()),
        ];
        for (missed, down, expected) in policies {
            let queue = world.queue();
            let begun = now(&clock);
            let periodic = each_minute(&queue).with_missed(missed);
            new(&periodic).await;
            clock.advance(Duration::from_secs(down));
            new(&periodic).await;
            let found: Vec<_> = taken(&queue).await.iter().map(|(due, _)| due - begun).collect();
            assert_eq!(found, expected, "{missed:?}");
            // What was missed is decided once.
            assert_eq!(new(&periodic).await, 0);
            clock.advance(Duration::from_secs(60 - down % 60));
        }
    }

    async fn a_tick_that_is_more_than_a_minute_late_is_skipped_if_it_is_to_be(world: World, clock: ManualClock) {
        for (late, expected) in [(60, 1), (61, 0)] {
            let queue = world.queue();
            let hourly = Periodic::new(queue.clone()).with_missed(Missed::Skip);
            let hourly = hourly
                .on("hourly", every(60 * MINUTE), |_| NewJob::new(&Reminder { due: 0 }))
                .unwrap();
            let next = hourly.run_due().await.unwrap().next_in.unwrap();
            clock.advance(next + Duration::from_secs(late));
            assert_eq!(new(&hourly).await, expected, "{late} s late");
        }
    }

    async fn a_function_that_panics_leaves_out_its_tick_and_no_other(world: World, clock: ManualClock) {
        let queue = world.queue();
        let periodic = Periodic::new(queue.clone());
        let periodic = periodic.on("broken", every(MINUTE), |_| panic!("a bug of the application"));
        let periodic = periodic.unwrap().on("reminder", every(MINUTE), |_| NewJob::new(&Reminder { due: 0 }));
        let periodic = periodic.unwrap();
        assert_eq!(new(&periodic).await, 0);
        for _ in 0..2 {
            clock.advance(MINUTE);
            assert_eq!(new(&periodic).await, 1);
        }
    }

    async fn a_schedule_that_is_changed_goes_on_from_its_last_tick(world: World, clock: ManualClock) {
        let queue = world.queue();
        new(&each_minute(&queue)).await;
        clock.advance(MINUTE);
        assert_eq!(new(&each_minute(&queue)).await, 1);
        let seldom = Periodic::new(queue.clone());
        let seldom = seldom
            .on("reminder", every(5 * MINUTE), |_| NewJob::new(&Reminder { due: 0 }))
            .unwrap();
        assert_eq!(new(&seldom).await, 0);
        clock.advance(5 * MINUTE);
        assert_eq!(new(&seldom).await, 1);
        let other = Periodic::new(queue.clone());
        let other = other
            .on("renamed", every(MINUTE), |_| NewJob::new(&Reminder { due: 0 }))
            .unwrap();
        // It begins at the present.
        assert_eq!(new(&other).await, 0);
    }

    async fn a_tick_that_could_not_be_enqueued_is_enqueued_later(world: World, clock: ManualClock) {
        let queue = world.queue();
        let periodic = each_minute(&queue);
        new(&periodic).await;
        clock.advance(MINUTE);
        let due = now(&clock);
        world.switch.set(Trouble::Fail(ErrorKind::NotSent));
        assert!(periodic.run_due().await.is_err());
        world.switch.clear();
        world.switch.set_next(1, Trouble::LoseAnswer);
        assert!(periodic.run_due().await.is_err());
        assert_eq!(new(&periodic).await, 1);
        assert_eq!(taken(&queue).await, [(due, format!("reminder@{due}"))]);
    }

    async fn ticks_that_a_full_queue_took_are_not_enqueued_again_with_those_that_it_refused(
        world: World,
        clock: ManualClock
    ) {
        let queue = world.queue().with_max_jobs(2).with_max_done(0);
        let of = |queue: &Queue| each_minute(queue).with_missed(Missed::All(100));
        let begun = now(&clock);
        new(&of(&queue)).await;
        clock.advance(5 * MINUTE);
        let minutes = async || {
            let taken = taken(&queue).await.into_iter();
            taken.map(|(due, _)| (due - begun) / 60).collect::<Vec<_>>()
        };
        let error = of(&queue).run_due().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused(Refusal::Full));
        assert_eq!(minutes().await, [1, 2]);
        // By then no id and no key of the first two is remembered.
        clock.advance(60 * MINUTE);
        new(&of(&queue.clone().with_max_jobs(1_000))).await;
        assert_eq!(minutes().await, (3..=65).collect::<Vec<_>>());
    }

    async fn ticks_whose_jobs_are_done_do_not_fill_a_small_queue(world: World, clock: ManualClock) {
        let queue = world.queue().with_max_jobs(3);
        let periodic = each_minute(&queue);
        new(&periodic).await;
        for _ in 0..7 {
            clock.advance(MINUTE);
            assert_eq!(new(&periodic).await, 1);
            assert_eq!(taken(&queue).await.len(), 1);
        }
    }

    async fn a_job_that_cannot_be_enqueued_does_not_hold_up_the_others(world: World, clock: ManualClock) {
        let queue = world.queue();
        let periodic = each_minute(&queue);
        let unfit = NewJob::raw("unfit", "").with_unique("", Until::Done);
        let periodic = periodic.on("unfit", every(MINUTE), move |_| unfit.clone()).unwrap();
        new(&periodic).await;
        clock.advance(MINUTE);
        assert_eq!(new(&periodic).await, 1);
        let ticked = periodic.run_due().await.unwrap();
        assert_eq!((ticked.enqueued, ticked.next_in), (0, Some(MINUTE)));
    }
}

/// Enqueues what is due, with the step afterwards failing, and returns how many jobs that made.
async fn taken_while_noting_fails(world: &World, queue: &Queue, periodic: &Periodic) -> usize {
    // The look and the enqueue succeed, and then nothing does.
    let noting = async {
        let before = world.switch.operations();
        while world.switch.operations() < before + 2 {
            tokio::task::yield_now().await;
        }
        world.switch.set(Trouble::Fail(ErrorKind::NotSent));
    };
    world.switch.set(Trouble::Delay(Duration::from_millis(1)));
    let (_, done) = tokio::join!(noting, periodic.run_due());
    assert!(done.is_err());
    world.switch.clear();
    taken(queue).await.len()
}

/// A clock that a test also sets back.
#[derive(Clone)]
struct SetClock(Arc<AtomicI64>);

impl SetClock {
    fn move_by(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

#[tokio::test]
async fn a_clock_that_was_far_ahead_does_not_stop_a_schedule() {
    let clock = SetClock(Arc::new(AtomicI64::new(1_767_225_600_000_000)));
    let store = MokaStore::builder().with_clock(clock.clone()).build();
    let queue = Queue::new(Arc::new(store), "mail").unwrap();
    let periodic = each_minute(&queue);
    assert_eq!(new(&periodic).await, 0);
    clock.move_by(60);
    assert_eq!(new(&periodic).await, 1);
    // A clock that is set back by an hour repeats nothing.
    clock.move_by(-3_600);
    for _ in 0..60 {
        assert_eq!(new(&periodic).await, 0);
        clock.move_by(60);
    }
    clock.move_by(60);
    assert_eq!(new(&periodic).await, 1);
    let days = 300 * 86_400;
    clock.move_by(days);
    assert_eq!(new(&periodic).await, 1);
    clock.move_by(-days);
    assert_eq!(new(&periodic).await, 0, "it begins at the present");
    clock.move_by(60);
    assert_eq!(new(&periodic).await, 1);
}

#[tokio::test(start_paused = true)]
async fn ticks_are_enqueued_when_they_are_due_until_it_is_told_to_stop() {
    let world = World::paused();
    let queue = world.queue();
    let stop = CancellationToken::new();
    let processes = [each_minute(&queue), each_minute(&queue)];
    let running = processes.map(|it| tokio::spawn(it.run_until(stop.clone().cancelled_owned())));
    tokio::time::sleep(Duration::from_secs(630)).await;
    assert_eq!(queue.counts().await.unwrap().waiting, 10);
    // A store that is down for a while costs nothing but time.
    world.switch.set(Trouble::Fail(ErrorKind::NotSent));
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.switch.clear();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(queue.counts().await.unwrap().waiting, 12);
    stop.cancel();
    for one in running {
        one.await.unwrap();
    }
    tokio::time::sleep(MINUTE).await;
    assert_eq!(queue.counts().await.unwrap().waiting, 12);
}

#[cfg(feature = "cron")]
#[tokio::test]
async fn a_cron_expression_is_due_by_the_clocks_of_its_zone() {
    // The first second of 2026 is one o'clock at night in Stockholm.
    let clock = ManualClock::default();
    let world = World::memory_at(&clock).await;
    let queue = world.queue();
    let nightly = Schedule::cron_in("Europe/Stockholm", "30 2 * * *").unwrap();
    let periodic = Periodic::new(queue.clone());
    let periodic = periodic
        .on("nightly", nightly, |_| NewJob::new(&Reminder { due: 0 }))
        .unwrap();
    let ticked = periodic.run_due().await.unwrap();
    assert_eq!(ticked.next_in, Some(90 * MINUTE));
    clock.advance(90 * MINUTE);
    assert_eq!(new(&periodic).await, 1);
}

#[tokio::test]
async fn a_name_is_plain_and_given_once() {
    let world = World::paused();
    let job = |_: &_| NewJob::new(&Reminder { due: 0 });
    for name in ["", "a b", "a@b", &"x".repeat(65)] {
        let periodic = Periodic::new(world.queue()).on(name, every(MINUTE), job);
        let error = periodic.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("expected 1 to 64"), "{error}");
    }
    let twice = each_minute(&world.queue()).on("reminder", every(MINUTE), job);
    assert_eq!(twice.unwrap_err().kind(), ErrorKind::Invalid);
}
