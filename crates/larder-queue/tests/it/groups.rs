//! Turns, limits and order of groups.

use std::num::NonZeroU32;

use larder_queue::{Cancelled, JobId, Priority};
use larder_worlds::on_every_store;

use crate::support::{add, ids, job, one, queue_of, secs, take};

const ONE: NonZeroU32 = NonZeroU32::MIN;

on_every_store! { memory, redis;
    async fn groups_take_turns(world: World) {
        let queue = queue_of(&world);
        for number in 0..100 {
            add(&queue, job(&format!("flood-{number:02}")).with_group("flood")).await;
        }
        add(&queue, job("a").with_group("small")).await;
        add(&queue, job("b").with_group("small")).await;
        add(&queue, job("alone")).await;
        let taken = ids(&queue, 6).await;
        assert_eq!(taken, ["flood-00", "a", "alone", "flood-01", "b", "flood-02"]);
        assert_eq!(ids(&queue, 100).await.len(), 97);
    }

    async fn a_group_has_the_priority_of_its_first_job(world: World) {
        let queue = queue_of(&world);
        add(&queue, job("a-low").with_group("a").with_priority(Priority::Low)).await;
        add(&queue, job("normal")).await;
        add(&queue, job("a-urgent").with_group("a").with_priority(Priority::Urgent)).await;
        assert_eq!(ids(&queue, 3).await, ["a-urgent", "normal", "a-low"]);
    }

    async fn a_group_runs_no_more_jobs_than_it_may(world: World) {
        let queue = queue_of(&world).with_max_running_per_group(ONE);
        for number in 0..3 {
            add(&queue, job(&format!("a{number}")).with_group("a")).await;
            add(&queue, job(&format!("b{number}")).with_group("b")).await;
        }
        let taken = take(&queue, 9).await;
        assert_eq!(taken.len(), 2);
        assert!(take(&queue, 9).await.is_empty());
        assert!(queue.ack(taken[0].receipt()).await.unwrap().is_accepted());
        assert_eq!(ids(&queue, 9).await, ["a1"]);
        // A holder that has crashed makes room when its lease ends.
        world.advance(secs(30));
        assert_eq!(ids(&queue, 9).await, ["a1", "b0"]);
    }

    async fn a_job_that_is_to_be_retried_lets_its_group_go_on(world: World) {
        let queue = queue_of(&world).with_max_running_per_group(ONE);
        add(&queue, job("first").with_group("a")).await;
        add(&queue, job("second").with_group("a")).await;
        let first = one(&queue).await;
        assert!(queue.nack(first.receipt(), secs(5)).await.unwrap().is_accepted());
        assert_eq!(ids(&queue, 9).await, ["second"]);
    }

    async fn a_job_that_is_to_be_retried_holds_up_its_ordered_group(world: World) {
        let queue = queue_of(&world).with_ordered_groups();
        for id in ["first", "second", "third"] {
            add(&queue, job(id).with_group("a")).await;
        }
        add(&queue, job("other").with_group("b")).await;
        let taken = take(&queue, 9).await;
        assert_eq!(taken.len(), 2);
        assert!(queue.nack(taken[0].receipt(), secs(5)).await.unwrap().is_accepted());
        assert!(take(&queue, 9).await.is_empty());
        world.advance(secs(5));
        let again = one(&queue).await;
        assert_eq!((again.id().as_str(), again.attempt()), ("first", 2));
        assert!(queue.release(again.receipt()).await.unwrap().is_accepted());
        let again = one(&queue).await;
        assert_eq!(again.id().as_str(), "first", "it keeps its place");
        // A dead letter holds up nobody.
        assert!(queue.reject(again.receipt(), "no").await.unwrap().is_accepted());
        assert_eq!(ids(&queue, 9).await, ["second"]);
    }

    async fn a_group_goes_on_when_the_job_that_held_it_up_is_cancelled(world: World) {
        let queue = queue_of(&world).with_ordered_groups();
        add(&queue, job("first").with_group("a")).await;
        add(&queue, job("second").with_group("a")).await;
        let first = one(&queue).await;
        assert!(queue.nack(first.receipt(), secs(500)).await.unwrap().is_accepted());
        let id = JobId::new("first").unwrap();
        assert_eq!(queue.cancel(&id).await.unwrap(), Cancelled::Removed);
        assert_eq!(ids(&queue, 9).await, ["second"]);
    }

    async fn names_of_groups_that_begin_alike_are_different_groups(world: World) {
        let queue = queue_of(&world).with_max_running_per_group(ONE);
        for group in ["a", "a\u{1}", "ab", "a:b"] {
            let id = format!("{group:?}").replace(' ', "");
            add(&queue, job(&id).with_group(group)).await;
            add(&queue, job(&format!("{id}2")).with_group(group)).await;
        }
        assert_eq!(take(&queue, 9).await.len(), 4);
        assert!(take(&queue, 9).await.is_empty());
    }

    async fn a_lowered_limit_of_groups_holds_for_jobs_that_were_ready_before(world: World) {
        let wide = queue_of(&world);
        for number in 0..3 {
            add(&wide, job(&number.to_string()).with_group("a")).await;
        }
        let first = one(&wide).await;
        let narrow = queue_of(&world).with_max_running_per_group(ONE);
        assert!(take(&narrow, 9).await.is_empty());
        assert!(narrow.ack(first.receipt()).await.unwrap().is_accepted());
        assert_eq!(ids(&narrow, 9).await, ["1"]);
    }

    async fn a_raised_limit_of_groups_holds_from_the_next_step_in_the_group_on(world: World) {
        let narrow = queue_of(&world).with_max_running_per_group(ONE);
        for number in 0..4 {
            add(&narrow, job(&number.to_string()).with_group("a")).await;
        }
        let first = one(&narrow).await;
        assert!(take(&narrow, 9).await.is_empty());
        let wide = queue_of(&world);
        assert!(wide.ack(first.receipt()).await.unwrap().is_accepted());
        assert_eq!(ids(&wide, 9).await, ["1", "2", "3"]);
    }
}
