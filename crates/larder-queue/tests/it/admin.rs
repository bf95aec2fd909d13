//! What people and tools do with a queue.

use std::num::NonZeroU16;

use larder_queue::{Cancelled, JobId, NewJob, Partitioned, PayloadError, Queue, Settled, State};
use larder_store::ErrorKind;
use larder_test::faulty::Trouble;
use larder_worlds::on_every_store;

use crate::support::{Mail, add, ids, job, one, queue_of, secs, take};
use crate::worker::support::World;

on_every_store! { memory, redis;
    async fn a_paused_queue_gives_nothing_until_it_is_resumed(world: World) {
        let queue = queue_of(&world);
        queue.pause().await.unwrap();
        add(&queue, job("a")).await;
        assert!(take(&queue, 1).await.is_empty());
        assert!(queue.counts().await.unwrap().is_paused);
        queue.resume().await.unwrap();
        let taken = one(&queue).await;
        queue.pause().await.unwrap();
        assert_eq!(queue.ack(taken.receipt()).await.unwrap(), Settled::Accepted);
    }

    async fn a_done_job_is_listed_without_its_payload(world: World) {
        let queue = queue_of(&world);
        add(&queue, job("a")).await;
        let taken = one(&queue).await;
        assert_eq!(queue.ack(taken.receipt()).await.unwrap(), Settled::Accepted);
        let page = queue.list(State::Done, None).await.unwrap();
        assert_eq!(page.jobs[0].job::<Mail>(), Err(PayloadError::Absent));
    }

    async fn a_queue_without_a_name_is_refused(world: World) {
        let error = Queue::new(world.store.clone(), "").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let two = NonZeroU16::new(2).unwrap();
        let error = Partitioned::new(world.store.clone(), "", two).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }

    async fn a_job_is_cancelled_in_any_state(world: World) {
        let queue = queue_of(&world);
        add(&queue, job("waiting")).await;
        add(&queue, job("grouped").with_group("g")).await;
        add(&queue, job("later").with_delay(secs(9))).await;
        for id in ["waiting", "grouped", "later"] {
            let id = JobId::new(id).unwrap();
            assert_eq!(queue.cancel(&id).await.unwrap(), Cancelled::Removed);
            assert_eq!(queue.cancel(&id).await.unwrap(), Cancelled::Unknown);
        }
        world.advance(secs(10));
        assert!(take(&queue, 9).await.is_empty());
        add(&queue, job("running")).await;
        let taken = one(&queue).await;
        assert_eq!(queue.cancel(taken.id()).await.unwrap(), Cancelled::Running);
        assert_eq!(queue.ack(taken.receipt()).await.unwrap(), Settled::LeaseLost);
        assert_eq!(queue.counts().await.unwrap().running, 0);
    }

    async fn dead_letters_are_redriven_from_the_oldest_on(world: World) {
        let queue = queue_of(&world);
        for number in 0..5 {
            add(&queue, job(&number.to_string())).await;
            let taken = one(&queue).await;
            assert_eq!(queue.reject(taken.receipt(), "no").await.unwrap(), Settled::Dead);
            world.clock.advance_micros(1);
        }
        assert_eq!(queue.redrive(2).await.unwrap(), 2);
        let again = take(&queue, 9).await;
        assert_eq!(again.iter().map(|it| it.attempt()).collect::<Vec<_>>(), [1, 1]);
        assert_eq!(again[0].id().as_str(), "0");
        assert_eq!(queue.redrive(u64::MAX).await.unwrap(), 3);
        assert_eq!(ids(&queue, 9).await, ["2", "3", "4"]);
    }

    async fn the_oldest_dead_letters_go_first_past_the_cap(world: World) {
        let queue = queue_of(&world).with_max_dead(2);
        for number in 0..4 {
            add(&queue, job(&number.to_string())).await;
            let taken = one(&queue).await;
            assert_eq!(queue.reject(taken.receipt(), "no").await.unwrap(), Settled::Dead);
            world.clock.advance_micros(1);
        }
        let dead = queue.list(State::Dead, None).await.unwrap();
        let ids: Vec<_> = dead.jobs.iter().map(|it| it.id().to_string()).collect();
        assert_eq!(ids, ["2", "3"]);
    }

    async fn counts_and_pages_show_each_job_once(world: World) {
        let queue = queue_of(&world);
        for number in 0..150 {
            add(&queue, job(&format!("w{number:03}"))).await;
        }
        for number in 0..150 {
            let group = format!("g{}", number % 3);
            add(&queue, job(&format!("g{number:03}")).with_group(&group)).await;
        }
        for number in 0..350 {
            // A page of them is due earlier, and more than two pages at once.
            let delay = if number < 100 { secs(50) } else { secs(60) };
            add(&queue, job(&format!("s{number:03}")).with_delay(delay)).await;
        }
        world.advance(secs(3));
        let taken = take(&queue, 120).await;
        for delivery in &taken[..110] {
            assert_eq!(queue.ack(delivery.receipt()).await.unwrap(), Settled::Accepted);
        }
        let dead = taken[110].receipt();
        assert_eq!(queue.reject(dead, "no").await.unwrap(), Settled::Dead);
        let counts = queue.counts().await.unwrap();
        let shown = (counts.waiting, counts.scheduled, counts.running, counts.dead, counts.done);
        assert_eq!(shown, (180, 350, 9, 1, 110));
        assert_eq!(counts.oldest, secs(3));
        for (state, count) in [
            (State::Waiting, 180),
            (State::Scheduled, 350),
            (State::Running, 9),
            (State::Dead, 1),
            (State::Done, 110),
        ] {
            let mut seen = Vec::new();
            let mut from = None;
            loop {
                let page = queue.list(state, from).await.unwrap();
                assert!(page.jobs.len() <= 100);
                seen.extend(page.jobs.iter().map(|it| it.id().to_string()));
                from = page.next;
                if from.is_none() {
                    break;
                }
            }
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), count, "{state:?}");
        }
        for (state, count) in [
            (State::Waiting, 180),
            (State::Scheduled, 350),
            (State::Running, 9),
            (State::Dead, 1),
            (State::Done, 110),
        ] {
            assert_eq!(queue.purge(state).await.unwrap(), count, "{state:?}");
        }
        let none = queue.inspect().await.unwrap();
        for name in ["waiting", "scheduled", "running", "dead", "done"] {
            assert!(none.fields().contains(&(name.into(), "0".into())), "{name}");
        }
        add(&queue, job("w000")).await;
    }

    async fn the_ids_of_done_jobs_are_capped(world: World) {
        let queue = queue_of(&world).with_max_done(3);
        for number in 0..5 {
            add(&queue, job(&number.to_string())).await;
            let taken = one(&queue).await;
            assert_eq!(queue.ack(taken.receipt()).await.unwrap(), Settled::Accepted);
            world.clock.advance_micros(1);
        }
        assert_eq!(queue.counts().await.unwrap().done, 3);
        add(&queue, job("0")).await;
    }
}

/// Workers whose jobs are removed take the next ones.
#[tokio::test(start_paused = true)]
async fn a_purge_of_what_runs_leaves_what_waits() {
    let world = World::paused();
    let queue = world.queue();
    for added in queue
        .enqueue_many((0..1_000).map(|_| NewJob::raw("a", "")))
        .await
    {
        added.unwrap();
    }
    assert_eq!(take(&queue, 128).await.len(), 128);
    world.switch.set(Trouble::Delay(secs(1)));
    let workers = queue.clone();
    let workers = tokio::spawn(async move {
        loop {
            take(&workers, 100).await;
        }
    });
    let removed = queue.purge(State::Running).await.unwrap();
    workers.abort();
    assert!((128..400).contains(&removed), "{removed}");
}
