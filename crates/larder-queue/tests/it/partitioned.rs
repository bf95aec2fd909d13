//! A queue in several partitions.

use std::collections::BTreeSet;
use std::num::NonZeroU16;

use larder_queue::{Enqueued, Partitioned, Settled, Until, Verdict};
use larder_store::Ttl;
use larder_worlds::{World, on_every_store};

use crate::support::{job, secs};

fn partitioned(world: &World) -> Partitioned {
    let three = NonZeroU16::new(3).unwrap();
    Partitioned::new(world.store.clone(), "wide", three).unwrap()
}

on_every_store! { memory, redis;
    async fn jobs_are_spread_and_each_is_settled_where_it_came_from(world: World) {
        let queue = partitioned(&world);
        let jobs = (0..60).map(|number| job(&format!("{number:02}")));
        let added = queue.enqueue_many(jobs).await;
        for (number, added) in added.into_iter().enumerate() {
            let Ok(Enqueued::New(id)) = added else { panic!("{added:?}") };
            assert_eq!(id.as_str(), format!("{number:02}"), "results are in order");
        }
        for queue in queue.queues() {
            assert!(queue.counts().await.unwrap().waiting > 5);
        }
        let mut seen = BTreeSet::new();
        loop {
            let taken = queue.dequeue(7).await.unwrap();
            assert!(taken.len() <= 7);
            if taken.is_empty() {
                break;
            }
            seen.extend(taken.iter().map(|it| it.id().to_string()));
            let verdicts = taken.iter().map(|it| (it.receipt().clone(), Verdict::Ack));
            let verdicts: Vec<_> = verdicts.collect();
            let settled = queue.settle_many(&verdicts).await.unwrap();
            assert!(settled.iter().all(|settled| *settled == Settled::Accepted));
        }
        assert_eq!(seen.len(), 60);
    }

    async fn what_is_unique_or_in_a_group_shares_a_partition(world: World) {
        let queue = partitioned(&world).with(|queue| queue.with_ordered_groups());
        for number in 0..9 {
            let unique = job(&format!("u{number}")).with_unique("key", Until::Done);
            let added = queue.enqueue(unique).await.unwrap();
            assert_eq!(matches!(added, Enqueued::New(_)), number == 0);
            queue.enqueue(job(&format!("g{number}")).with_group("g")).await.unwrap();
        }
        let taken = queue.dequeue(9).await.unwrap();
        let ids: BTreeSet<_> = taken.iter().map(|it| it.id().as_str()).collect();
        assert_eq!(ids, BTreeSet::from(["u0", "g0"]));
    }

    async fn a_wait_is_for_all_partitions(world: World) {
        let queue = partitioned(&world).with(|queue| queue.with_lease(Ttl::from_secs(3_600)));
        for number in 0..6 {
            let waiting = queue.clone();
            let waiting = tokio::spawn(async move { waiting.dequeue_wait(1, secs(20)).await });
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            let id = number.to_string();
            queue.enqueue(job(&id)).await.unwrap();
            let taken = waiting.await.unwrap().unwrap();
            assert_eq!(taken[0].id().as_str(), id);
            let receipt = taken[0].receipt();
            let settled = queue.queue_of(receipt).unwrap().ack(receipt).await.unwrap();
            assert_eq!(settled, Settled::Accepted);
        }
    }
}
