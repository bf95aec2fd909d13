//! Leases, attempts, and what a holder may decide.

use std::time::Duration;

use larder_queue::{Cancelled, Receipt, Settled, State, Verdict};
use larder_store::Ttl;
use larder_store::lease::Fence;
use larder_worlds::on_every_store;

use crate::support::{Mail, add, ids, job, mail, one, queue_of, secs, take};

on_every_store! { memory, redis;
    async fn a_job_leaves_when_it_is_acknowledged(world: World) {
        let queue = queue_of(&world);
        add(&queue, job("a")).await;
        let taken = one(&queue).await;
        assert!(take(&queue, 1).await.is_empty());
        assert_eq!(queue.ack(taken.receipt()).await.unwrap(), Settled::Accepted);
        world.advance(secs(100));
        assert!(take(&queue, 1).await.is_empty());
        // A reply may be lost: a caller that repeats the call learns that it is done.
        assert_eq!(queue.ack(taken.receipt()).await.unwrap(), Settled::AlreadyDone);
    }

    async fn a_lease_that_has_ended_passes_on_and_the_old_receipt_is_refused(world: World) {
        let queue = queue_of(&world);
        add(&queue, job("a")).await;
        let first = one(&queue).await;
        world.clock.advance_micros(29_999_999);
        assert!(take(&queue, 1).await.is_empty(), "a microsecond is left");
        world.clock.advance_micros(1);
        let second = one(&queue).await;
        assert_eq!((second.attempt(), second.job::<Mail>().unwrap()), (2, mail("a")));
        assert!(second.receipt().fence() > first.receipt().fence());
        let stale = first.receipt();
        for settled in [
            queue.ack(stale).await,
            queue.nack(stale, Duration::ZERO).await,
            queue.reject(stale, "no").await,
            queue.release(stale).await,
            queue.extend(stale, Ttl::from_secs(60)).await,
        ] {
            assert_eq!(settled.unwrap(), Settled::LeaseLost);
        }
        assert_eq!(queue.ack(second.receipt()).await.unwrap(), Settled::Accepted);
    }

    async fn a_fence_rises_though_the_clock_stands_still(world: World) {
        let queue = queue_of(&world);
        add(&queue, job("a")).await;
        let mut last = Fence::from_u64(0);
        let mut old = None::<Receipt>;
        for _ in 0..5 {
            let taken = one(&queue).await;
            assert!(taken.receipt().fence() > last);
            if let Some(old) = old.replace(taken.receipt().clone()) {
                assert_eq!(queue.ack(&old).await.unwrap(), Settled::LeaseLost);
            }
            last = taken.receipt().fence();
            assert_eq!(queue.release(taken.receipt()).await.unwrap(), Settled::Accepted);
        }
    }

    async fn a_late_acknowledgement_counts_until_the_job_is_reclaimed(world: World) {
        let queue = queue_of(&world);
        add(&queue, job("a")).await;
        let taken = one(&queue).await;
        world.advance(secs(31));
        assert_eq!(queue.ack(taken.receipt()).await.unwrap(), Settled::Accepted);
        assert!(take(&queue, 1).await.is_empty());
    }

    async fn an_extended_lease_ends_so_long_after_the_extension(world: World) {
        let queue = queue_of(&world);
        add(&queue, job("a")).await;
        let taken = one(&queue).await;
        world.advance(secs(29));
        let extended = queue.extend(taken.receipt(), Ttl::from_secs(10)).await.unwrap();
        assert_eq!(extended, Settled::Accepted);
        world.clock.advance_micros(9_999_999);
        assert!(take(&queue, 1).await.is_empty());
        // The receipt is still the same.
        assert_eq!(queue.ack(taken.receipt()).await.unwrap(), Settled::Accepted);
    }

    async fn a_failed_job_is_taken_again_after_its_delay(world: World) {
        let queue = queue_of(&world);
        add(&queue, job("a")).await;
        let taken = one(&queue).await;
        assert_eq!(queue.nack(taken.receipt(), secs(3)).await.unwrap(), Settled::Accepted);
        world.clock.advance_micros(2_999_999);
        assert!(take(&queue, 1).await.is_empty());
        world.clock.advance_micros(1);
        assert_eq!(one(&queue).await.attempt(), 2);
    }

    async fn a_released_job_keeps_its_place_and_its_attempt(world: World) {
        let queue = queue_of(&world);
        add(&queue, job("a")).await;
        add(&queue, job("b")).await;
        let taken = one(&queue).await;
        assert_eq!(queue.release(taken.receipt()).await.unwrap(), Settled::Accepted);
        let again = one(&queue).await;
        assert_eq!((again.id().as_str(), again.attempt()), ("a", 1));
    }

    async fn a_job_whose_last_attempt_fails_is_a_dead_letter_with_its_reason(world: World) {
        let queue = queue_of(&world).with_max_attempts(2);
        add(&queue, job("a")).await;
        let nack = |reason: &str| Verdict::Nack { delay: Duration::ZERO, reason: reason.into() };
        let first = one(&queue).await;
        let settled = queue.settle(first.receipt(), nack("timeout")).await;
        assert_eq!(settled.unwrap(), Settled::Accepted);
        let waiting = queue.list(State::Waiting, None).await.unwrap();
        assert_eq!((waiting.jobs[0].reason(), waiting.jobs[0].attempts()), ("timeout", 1));
        let second = one(&queue).await;
        let long = format!("{}\0", "ä".repeat(300));
        let settled = queue.settle(second.receipt(), nack(&long)).await;
        assert_eq!(settled.unwrap(), Settled::Dead);
        assert!(take(&queue, 1).await.is_empty());
        let dead = queue.list(State::Dead, None).await.unwrap();
        assert_eq!(dead.jobs[0].reason(), "ä".repeat(128));
        assert_eq!(dead.jobs[0].job::<Mail>().unwrap(), mail("a"));
    }

    async fn a_job_whose_holder_crashes_in_its_last_attempt_is_a_dead_letter(world: World) {
        let queue = queue_of(&world).with_max_attempts(2);
        add(&queue, job("poison")).await;
        for attempt in 1..3 {
            assert_eq!(one(&queue).await.attempt(), attempt);
            world.advance(secs(30));
        }
        assert!(take(&queue, 1).await.is_empty());
        let dead = queue.list(State::Dead, None).await.unwrap();
        assert_eq!(dead.jobs[0].id().as_str(), "poison");
        assert!(dead.jobs[0].reason().contains("lease"));
    }

    async fn a_batch_has_a_result_for_each(world: World) {
        let queue = queue_of(&world);
        for id in ["a", "b", "c", "d"] {
            add(&queue, job(id)).await;
        }
        let taken = take(&queue, 4).await;
        let receipt = |nth: usize| taken[nth].receipt().clone();
        assert_eq!(queue.cancel(taken[1].id()).await.unwrap(), Cancelled::Running);
        let verdicts = [
            (receipt(0), Verdict::Ack),
            (receipt(1), Verdict::Ack),
            (receipt(0), Verdict::Ack),
            (receipt(2), Verdict::Reject { reason: "no".into() }),
            (receipt(3), Verdict::Extend { lease: Ttl::from_secs(90) }),
        ];
        let settled = queue.settle_many(&verdicts).await.unwrap();
        use Settled::{Accepted, AlreadyDone, Dead, LeaseLost};
        assert_eq!(settled, [Accepted, LeaseLost, AlreadyDone, Dead, Accepted]);
        let receipts: Vec<_> = taken.iter().map(|it| it.receipt().clone()).collect();
        let acked = queue.ack_many(&receipts).await.unwrap();
        assert_eq!(acked, [AlreadyDone, LeaseLost, LeaseLost, Accepted]);
    }

    async fn a_lease_of_another_length_is_only_that_delivery(world: World) {
        let (short, long) = (queue_of(&world).with_lease(Ttl::from_secs(5)), queue_of(&world));
        add(&short, job("a")).await;
        let taken = one(&long).await;
        let extended = long.extend(taken.receipt(), Ttl::from_secs(3_600)).await.unwrap();
        assert_eq!(extended, Settled::Accepted);
        assert_eq!(long.release(taken.receipt()).await.unwrap(), Settled::Accepted);
        one(&short).await;
        world.advance(secs(5));
        assert_eq!(ids(&short, 1).await, ["a"]);
    }
}
