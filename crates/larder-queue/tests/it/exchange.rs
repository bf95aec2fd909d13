//! Verdicts and the next jobs in one round trip.

use larder_queue::{Receipt, Settled, Verdict};

use larder_worlds::on_every_store;

use crate::support::{add, ids, job, one, queue_of, secs, take};

fn ack(receipt: &Receipt) -> (Receipt, Verdict) {
    (receipt.clone(), Verdict::Ack)
}

on_every_store! { memory, redis;
    async fn verdicts_are_carried_out_and_the_next_jobs_are_taken_in_one_call(world: World) {
        let queue = queue_of(&world);
        for id in ["a", "b", "c", "d"] {
            add(&queue, job(id)).await;
        }
        let first = take(&queue, 2).await;
        let release = (first[1].receipt().clone(), Verdict::Release { delay: secs(0) });
        let verdicts = [ack(first[0].receipt()), release];
        let (settled, next) = queue.settle_and_dequeue(&verdicts, 2).await.unwrap();
        assert_eq!(settled, [Settled::Accepted; 2]);
        // What was released keeps its place, so it is taken again.
        let next: Vec<_> = next.iter().map(|it| (it.id().as_str(), it.attempt())).collect();
        assert_eq!(next, [("b", 1), ("c", 1)]);
        let counts = queue.counts().await.unwrap();
        assert_eq!((counts.waiting, counts.running, counts.done), (1, 2, 1));
        // Without a verdict it only takes, and without room it only settles.
        let (settled, next) = queue.settle_and_dequeue(&[], 9).await.unwrap();
        assert_eq!((settled.len(), next.len()), (0, 1));
        let last = [ack(next[0].receipt())];
        let (settled, next) = queue.settle_and_dequeue(&last, 0).await.unwrap();
        assert_eq!((settled, next.len()), (vec![Settled::Accepted], 0));
    }

    async fn a_stale_verdict_is_refused_and_the_next_job_is_taken_all_the_same(world: World) {
        let queue = queue_of(&world);
        add(&queue, job("a")).await;
        add(&queue, job("b")).await;
        let stale = one(&queue).await;
        world.advance(secs(30));
        let current = one(&queue).await;
        assert_eq!(current.id(), stale.id());
        let verdicts = [ack(stale.receipt()), ack(current.receipt()), ack(current.receipt())];
        let (settled, next) = queue.settle_and_dequeue(&verdicts, 1).await.unwrap();
        assert_eq!(settled, [Settled::LeaseLost, Settled::Accepted, Settled::AlreadyDone]);
        assert_eq!(next[0].id().as_str(), "b");
    }

    async fn a_job_that_ends_makes_room_for_the_one_that_is_taken_with_it(world: World) {
        let queue = queue_of(&world).with_max_running(1.try_into().unwrap());
        add(&queue, job("a")).await;
        add(&queue, job("b")).await;
        let first = one(&queue).await;
        assert!(ids(&queue, 1).await.is_empty());
        let (_, next) = queue.settle_and_dequeue(&[ack(first.receipt())], 2).await.unwrap();
        assert_eq!((next.len(), next[0].id().as_str()), (1, "b"));
        queue.pause().await.unwrap();
        add(&queue, job("c")).await;
        let verdicts = [ack(next[0].receipt())];
        let (settled, next) = queue.settle_and_dequeue(&verdicts, 1).await.unwrap();
        assert_eq!((settled, next.len()), (vec![Settled::Accepted], 0), "it is paused");
    }

    async fn more_verdicts_than_one_step_takes_are_sent_in_several(world: World) {
        let queue = queue_of(&world);
        let jobs = (0..150).map(|number| job(&format!("{number:03}")));
        for added in queue.enqueue_many(jobs).await {
            added.unwrap();
        }
        let mut taken = take(&queue, 128).await;
        taken.extend(take(&queue, 18).await);
        let verdicts: Vec<_> = taken.iter().map(|it| ack(it.receipt())).collect();
        let (settled, next) = queue.settle_and_dequeue(&verdicts, 9).await.unwrap();
        assert_eq!(settled, vec![Settled::Accepted; 146]);
        assert_eq!(next.len(), 4);
        assert_eq!(queue.counts().await.unwrap().done, 146);
    }

    async fn ids_of_done_jobs_are_capped_though_they_come_in_large_batches(world: World) {
        let queue = queue_of(&world).with_max_done(50);
        for round in 0..4 {
            let jobs = (0..100).map(|number| job(&format!("{round}-{number}")));
            for added in queue.enqueue_many(jobs).await {
                added.unwrap();
            }
            let taken = take(&queue, 100).await;
            let receipts: Vec<_> = taken.iter().map(|it| it.receipt().clone()).collect();
            queue.ack_many(&receipts).await.unwrap();
            assert_eq!(queue.counts().await.unwrap().done, 50);
        }
    }

    async fn the_progress_of_a_job_is_shown_and_a_stale_one_refused(world: World) {
        let queue = queue_of(&world);
        add(&queue, job("a").with_group("g")).await;
        let stale = one(&queue).await;
        let report = |receipt: &Receipt, text: &str| {
            let text = text.to_owned();
            (receipt.clone(), Verdict::Progress { text })
        };
        let settled = queue.settle_many(&[report(stale.receipt(), "1 of 3")]).await.unwrap();
        assert_eq!(settled, [Settled::Accepted]);
        let nack = Verdict::Nack { delay: secs(0), reason: "away".to_owned() };
        let settled = queue.settle(stale.receipt(), nack).await.unwrap();
        assert_eq!(settled, Settled::Accepted);
        let current = one(&queue).await;
        let reports = [report(stale.receipt(), "stale"), report(current.receipt(), "2 of 3")];
        let settled = queue.settle_many(&reports).await.unwrap();
        assert_eq!(settled, [Settled::LeaseLost, Settled::Accepted]);
        let shown = queue.list(larder_queue::State::Running, None).await.unwrap().jobs;
        assert_eq!((shown[0].progress(), shown[0].reason()), ("2 of 3", "away"));
        assert_eq!(shown[0].group(), Some("g"));
        assert_eq!(shown[0].at(), current.lease_ends());
        // The lease has not moved.
        world.advance(secs(30));
        assert_eq!(one(&queue).await.attempt(), 3);
    }
}
