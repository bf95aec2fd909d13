//! Limits of what runs, and of how many are taken in a time.

use std::num::NonZeroU32;

use larder_queue::{JobId, NewJob, State, Verdict};
use larder_store::Ttl;
use larder_worlds::{World, on_every_store};

use crate::support::{add, ids, job, queue_of, secs, take};

const TWO: NonZeroU32 = NonZeroU32::new(2).unwrap();

/// A number of the server's report, behind a text. It is 0 without a server.
fn reported(world: &World, section: &str, behind: &str) -> u64 {
    let Some(server) = &world.server else {
        return 0;
    };
    let info = server.command(&["INFO", section]).unwrap();
    let info = info.text().unwrap();
    let found = info.lines().find_map(|line| line.strip_prefix(behind));
    let digits = found.unwrap().split(',').next().unwrap();
    digits.parse().unwrap()
}

/// The number of bytes that the server has sent.
fn sent(world: &World) -> u64 {
    reported(world, "stats", "total_net_output_bytes:")
}

on_every_store! { memory, redis;
    async fn a_queue_runs_no_more_jobs_than_it_may(world: World) {
        let queue = queue_of(&world).with_max_running(TWO);
        for number in 0..6 {
            add(&queue, job(&number.to_string())).await;
        }
        let taken = take(&queue, 9).await;
        assert_eq!(taken.len(), 2);
        assert!(take(&queue, 9).await.is_empty());
        assert!(queue.ack(taken[0].receipt()).await.unwrap().is_accepted());
        // A late finish makes room once.
        let late = queue.ack(taken[0].receipt()).await.unwrap();
        assert!(!late.is_accepted());
        assert_eq!(ids(&queue, 9).await, ["2"]);
        world.advance(secs(30));
        assert_eq!(ids(&queue, 9).await, ["1", "2"], "holders that have crashed make room");
    }

    async fn a_rate_lets_a_burst_be_taken_and_then_one_by_one(world: World) {
        let rate = NonZeroU32::new(5).unwrap();
        let queue = queue_of(&world).with_rate(rate, Ttl::from_secs(10));
        for number in 0..20 {
            add(&queue, job(&format!("{number:02}"))).await;
        }
        assert_eq!(take(&queue, 16).await.len(), 5);
        world.clock.advance_micros(1_999_999);
        assert!(take(&queue, 16).await.is_empty());
        world.clock.advance_micros(1);
        assert_eq!(take(&queue, 16).await.len(), 1);
        world.advance(secs(4));
        assert_eq!(take(&queue, 16).await.len(), 2);
        world.advance(secs(100));
        assert_eq!(take(&queue, 4).await.len(), 4);
        assert_eq!(take(&queue, 4).await.len(), 1);
    }

    async fn a_rate_that_is_raised_holds_from_the_next_step_on(world: World) {
        let slow = queue_of(&world).with_rate(NonZeroU32::MIN, Ttl::from_secs(86_400));
        for number in 0..20 {
            add(&slow, job(&format!("{number:02}"))).await;
        }
        assert_eq!(take(&slow, 9).await.len(), 1);
        assert!(take(&slow, 9).await.is_empty());
        let quick = queue_of(&world).with_rate(NonZeroU32::new(10).unwrap(), Ttl::from_secs(1));
        assert_eq!(take(&quick, 99).await.len(), 1);
        world.advance(secs(1));
        assert_eq!(take(&quick, 99).await.len(), 10);
    }

    async fn large_jobs_are_taken_and_listed_a_megabyte_at_a_time(world: World) {
        let queue = queue_of(&world);
        for (groups, prefix) in [(0, "alone"), (1, "one"), (2, "two")] {
            let ids: Vec<_> = (0..24).map(|number| format!("{prefix}-{number:02}")).collect();
            let large = ids.iter().enumerate().map(|(number, id)| {
                let job = NewJob::raw("large", vec![0; 100 * 1024]).with_id(JobId::new(id).unwrap());
                match groups {
                    0 => job,
                    groups => job.with_group(&(number % groups).to_string()),
                }
            });
            for added in queue.enqueue_many(large).await {
                added.unwrap();
            }
            let (mut listed, mut from) = (Vec::new(), None);
            loop {
                let page = queue.list(State::Waiting, from).await.unwrap();
                assert!(page.jobs.len() <= 10, "{}", page.jobs.len());
                listed.extend(page.jobs.iter().map(|it| it.id().to_string()));
                from = page.next;
                if from.is_none() {
                    break;
                }
            }
            listed.sort();
            assert_eq!(listed, ids);
            let mut seen = Vec::new();
            for expected in [10, 10, 4] {
                let taken = take(&queue, 128).await;
                assert_eq!(taken.len(), expected);
                assert!(taken.iter().all(|it| it.attempt() == 1));
                assert_eq!(queue.counts().await.unwrap().running, taken.len() as u64);
                let acks: Vec<_> = taken.iter().map(|it| it.receipt().clone()).collect();
                queue.ack_many(&acks).await.unwrap();
                seen.extend(taken.iter().map(|it| it.id().to_string()));
            }
            assert_eq!(seen, ids);
            assert!(take(&queue, 128).await.is_empty());
        }
    }

    async fn a_listing_sends_the_body_of_each_job_once(world: World) {
        let queue = queue_of(&world);
        let large = (0..24).map(|number| {
            let id = format!("{number:02}");
            let job = NewJob::raw("large", vec![0; 100 * 1024]);
            job.with_group(&id).with_id(JobId::new(&id).unwrap())
        });
        for added in queue.enqueue_many(large).await {
            added.unwrap();
        }
        let before = sent(&world);
        let (mut listed, mut from) = (0, None);
        loop {
            let page = queue.list(State::Waiting, from).await.unwrap();
            listed += page.jobs.len();
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        assert_eq!(listed, 24);
        let sent = sent(&world) - before;
        assert!(sent < 30 * 100 * 1024, "{sent}");
    }

    async fn a_job_of_more_than_a_megabyte_is_taken_alone(world: World) {
        let queue = queue_of(&world).with_max_payload(4 * 1024 * 1024);
        for number in 0..3 {
            let id = JobId::new(&number.to_string()).unwrap();
            add(&queue, NewJob::raw("huge", vec![0; 2 * 1024 * 1024]).with_id(id)).await;
        }
        assert_eq!(queue.list(State::Waiting, None).await.unwrap().jobs.len(), 1);
        for number in 0..3 {
            assert_eq!(ids(&queue, 9).await, [number.to_string()]);
        }
    }

    async fn short_jobs_are_taken_without_the_long_ones_behind_them(world: World) {
        let queue = queue_of(&world).with_max_payload(2 * 1024 * 1024);
        for id in ["one", "two"] {
            add(&queue, NewJob::raw("short", vec![0; 100]).with_id(JobId::new(id).unwrap())).await;
        }
        for _ in 0..32 {
            add(&queue, NewJob::raw("long", vec![0; 1024 * 1024])).await;
        }
        if let Some(server) = &world.server {
            server.command(&["CONFIG", "RESETSTAT"]).unwrap();
        }
        let taken = take(&queue, 128).await;
        let taken: Vec<_> = taken.iter().map(|it| (it.id().as_str(), it.attempt())).collect();
        assert_eq!(taken, [("one", 1), ("two", 1)]);
        // Each is read alone, and one of the long ones.
        let reads = reported(&world, "commandstats", "cmdstat_hmget:calls=");
        assert_eq!(reads, if world.server.is_some() { 3 } else { 0 });
        assert_eq!(take(&queue, 128).await.len(), 1);
    }

    async fn what_leaves_in_a_batch_makes_room_for_as_many(world: World) {
        let queue = queue_of(&world).with_max_running(TWO);
        for number in 0..6 {
            add(&queue, job(&number.to_string())).await;
        }
        let taken = take(&queue, 9).await;
        let verdicts = [
            (taken[0].receipt().clone(), Verdict::Ack),
            (taken[1].receipt().clone(), Verdict::Release { delay: secs(9) }),
        ];
        let settled = queue.settle_many(&verdicts).await.unwrap();
        assert!(settled.iter().all(|it| it.is_accepted()));
        assert_eq!(ids(&queue, 9).await, ["2", "3"]);
    }
}
