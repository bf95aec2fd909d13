//! What goes in, and what counts as the same job.

use std::time::{Duration, UNIX_EPOCH};

use larder_queue::{Enqueued, JobId, NewJob, PayloadError, Priority, Settled, State, Until};
use larder_store::lease::Fence;
use larder_store::{ErrorKind, Refusal, Ttl};
use larder_worlds::on_every_store;
use serde::{Deserialize, Serialize};

use crate::support::{Mail, add, ids, job, mail, one, queue_of, secs, take};

#[derive(Debug, Serialize, Deserialize)]
struct Parcel {
    weight: u32,
}

impl larder_queue::Job for Parcel {
    const NAME: &'static str = "mail";
}

on_every_store! { memory, redis;
    async fn a_job_is_taken_with_what_it_was_enqueued_with(world: World) {
        let queue = queue_of(&world);
        let new = job("ada").with_header("traceparent", "00-1").with_group("cinema");
        add(&queue, new).await;
        let taken = one(&queue).await;
        assert_eq!(taken.job::<Mail>().unwrap(), mail("ada"));
        assert_eq!((taken.name(), taken.attempt(), taken.group()), ("mail", 1, Some("cinema")));
        assert_eq!(taken.headers().get("traceparent").map(String::as_str), Some("00-1"));
        assert_eq!(taken.enqueued_at(), taken.due_at());
        assert_eq!(taken.lease_ends().since(taken.taken_at()), secs(30));
        assert_eq!(taken.receipt().fence(), Fence::after(None, taken.taken_at()));
        assert!(!format!("{taken:?}").contains("00-1"));
    }

    async fn jobs_are_taken_by_priority_and_then_in_their_order(world: World) {
        let queue = queue_of(&world);
        let priorities = [Priority::Low, Priority::Normal, Priority::Urgent, Priority::High];
        for (number, priority) in priorities.into_iter().cycle().take(8).enumerate() {
            add(&queue, job(&number.to_string()).with_priority(priority)).await;
        }
        assert_eq!(ids(&queue, 3).await, ["2", "6", "3"]);
        assert_eq!(ids(&queue, 9).await, ["7", "1", "5", "0", "4"]);
    }

    async fn a_delayed_job_is_taken_from_its_time_on_and_not_a_microsecond_before(world: World) {
        let queue = queue_of(&world);
        let reply = queue.enqueue_in(&mail("ada"), secs(60)).await.unwrap();
        assert_eq!(queue.counts().await.unwrap().scheduled, 1);
        world.clock.advance_micros(59_999_999);
        assert!(take(&queue, 1).await.is_empty());
        world.clock.advance_micros(1);
        let taken = one(&queue).await;
        assert_eq!(taken.id(), reply.id());
        assert_eq!(taken.due_at().since(taken.enqueued_at()), secs(60));
    }

    async fn a_job_can_be_enqueued_for_a_time_of_day(world: World) {
        let queue = queue_of(&world);
        add(&queue, job("now")).await;
        let now = one(&queue).await.taken_at().as_micros();
        let now = UNIX_EPOCH + Duration::from_micros(now.unsigned_abs());
        for time in [now + secs(5), now - secs(5)] {
            queue.enqueue_at(&mail("ada"), time).await.unwrap();
        }
        assert_eq!(take(&queue, 9).await.len(), 1);
        world.advance(secs(5));
        assert_eq!(take(&queue, 9).await.len(), 1);
    }

    async fn an_enqueue_that_is_sent_again_is_a_duplicate_of_itself(world: World) {
        let queue = queue_of(&world).with_retention(Ttl::from_secs(10));
        let new = NewJob::new(&mail("ada"));
        let itself = Enqueued::Duplicate(new.id().clone());
        assert!(matches!(queue.enqueue(new.clone()).await.unwrap(), Enqueued::New(_)));
        assert_eq!(queue.enqueue(new.clone()).await.unwrap(), itself);
        let taken = one(&queue).await;
        assert_eq!(queue.enqueue(new.clone()).await.unwrap(), itself);
        assert!(queue.ack(taken.receipt()).await.unwrap().is_accepted());
        // A reply may be lost for longer than the job takes.
        world.clock.advance_micros(9_999_999);
        assert_eq!(queue.enqueue(new.clone()).await.unwrap(), itself);
        world.clock.advance_micros(1);
        assert!(matches!(queue.enqueue(new).await.unwrap(), Enqueued::New(_)));
    }

    async fn an_id_is_remembered_for_longer_than_an_idle_queue_would_live(world: World) {
        let queue = queue_of(&world).with_ttl(Ttl::from_secs(60)).with_retention(Ttl::from_secs(600));
        add(&queue, job("once")).await;
        let taken = one(&queue).await;
        assert!(queue.ack(taken.receipt()).await.unwrap().is_accepted());
        world.advance(secs(599));
        let again = queue.enqueue(job("once")).await.unwrap();
        assert_eq!(again, Enqueued::Duplicate(JobId::new("once").unwrap()));
    }

    async fn a_unique_key_belongs_to_its_job_until_it_is_done(world: World) {
        let queue = queue_of(&world);
        let new = |id: &str| job(id).with_unique("report", Until::Done);
        add(&queue, new("first")).await;
        let first = Enqueued::Duplicate(JobId::new("first").unwrap());
        let taken = one(&queue).await;
        assert_eq!(queue.enqueue(new("second")).await.unwrap(), first);
        // A crash of the holder changes nothing: the key belongs to the job.
        world.advance(secs(31));
        assert_eq!(queue.enqueue(new("second")).await.unwrap(), first);
        let again = one(&queue).await;
        assert!(!queue.ack(taken.receipt()).await.unwrap().is_accepted());
        assert!(queue.ack(again.receipt()).await.unwrap().is_accepted());
        add(&queue, new("second")).await;
    }

    async fn a_unique_key_can_be_free_again_when_its_job_starts(world: World) {
        let queue = queue_of(&world);
        let new = |id: &str| job(id).with_unique("report", Until::Started);
        add(&queue, new("first")).await;
        assert!(matches!(queue.enqueue(new("second")).await.unwrap(), Enqueued::Duplicate(_)));
        let taken = one(&queue).await;
        add(&queue, new("second")).await;
        assert!(queue.ack(taken.receipt()).await.unwrap().is_accepted());
        let second = Enqueued::Duplicate(JobId::new("second").unwrap());
        assert_eq!(queue.enqueue(new("third")).await.unwrap(), second);
    }

    async fn a_unique_key_can_last_for_a_time_whatever_becomes_of_its_job(world: World) {
        let queue = queue_of(&world);
        let new = |id: &str| job(id).with_unique("report", Until::Ttl(Ttl::from_secs(60)));
        add(&queue, new("first")).await;
        assert!(queue.ack(one(&queue).await.receipt()).await.unwrap().is_accepted());
        world.clock.advance_micros(59_999_999);
        let first = Enqueued::Duplicate(JobId::new("first").unwrap());
        assert_eq!(queue.enqueue(new("second")).await.unwrap(), first);
        world.clock.advance_micros(1);
        add(&queue, new("second")).await;
    }

    async fn a_debounced_job_runs_once_with_the_newest_payload(world: World) {
        let queue = queue_of(&world);
        let new = |to: &str| NewJob::new(&mail(to)).with_debounce("index", secs(10));
        let first = queue.enqueue(new("a")).await.unwrap();
        for to in ["b", "c"] {
            world.advance(secs(9));
            let reply = queue.enqueue(new(to)).await.unwrap();
            assert_eq!(reply, Enqueued::Duplicate(first.id().clone()));
        }
        world.clock.advance_micros(9_999_999);
        assert!(take(&queue, 9).await.is_empty());
        world.clock.advance_micros(1);
        let taken = one(&queue).await;
        assert_eq!(taken.job::<Mail>().unwrap(), mail("c"));
        // A job that is added while it runs is separate.
        assert!(matches!(queue.enqueue(new("d")).await.unwrap(), Enqueued::New(_)));
    }

    async fn a_debounced_job_that_is_due_and_not_taken_yet_gets_the_newest_payload(world: World) {
        let queue = queue_of(&world).with_ordered_groups();
        for group in [None, Some("g")] {
            let new = |to: &str| {
                let new = NewJob::new(&mail(to)).with_debounce("index", secs(10));
                group.iter().fold(new, |new, group| new.with_group(group))
            };
            // All workers are at work: this job is taken in its place, and the other one comes due behind it.
            for id in ["one", "two"] {
                add(&queue, job(id).with_priority(Priority::Urgent)).await;
            }
            let first = queue.enqueue(new("a")).await.unwrap();
            world.advance(secs(10));
            assert_eq!(ids(&queue, 1).await, ["one"]);
            let reply = queue.enqueue(new("b")).await.unwrap();
            assert_eq!(reply, Enqueued::Duplicate(first.id().clone()));
            assert_eq!(ids(&queue, 9).await, ["two"]);
            world.advance(secs(10));
            let taken = one(&queue).await;
            assert_eq!(taken.job::<Mail>().unwrap(), mail("b"));
            assert_eq!((taken.id(), taken.attempt()), (first.id(), 1));
            for state in [State::Running, State::Waiting, State::Scheduled] {
                queue.purge(state).await.unwrap();
            }
        }
    }

    async fn many_jobs_are_enqueued_in_order_with_a_result_each(world: World) {
        let queue = queue_of(&world);
        let mut jobs: Vec<_> = (0..300).map(|number| job(&format!("{number:03}"))).collect();
        jobs[7] = job("006");
        jobs[200] = NewJob::raw("", "no name");
        let results = queue.enqueue_many(jobs).await;
        assert_eq!(results.len(), 300);
        let duplicate = Enqueued::Duplicate(JobId::new("006").unwrap());
        assert_eq!(results[7].as_ref().unwrap(), &duplicate);
        assert_eq!(results[200].as_ref().unwrap_err().kind(), ErrorKind::Invalid);
        let mut taken = ids(&queue, 1_000).await;
        assert_eq!(taken.len(), 128, "the most of a step");
        taken.extend(ids(&queue, 1_000).await);
        taken.extend(ids(&queue, 1_000).await);
        assert_eq!(taken.len(), 298);
        assert!(taken.is_sorted());
    }

    async fn a_full_queue_refuses_and_has_room_again_when_jobs_leave(world: World) {
        let queue = queue_of(&world).with_max_jobs(2);
        add(&queue, job("a")).await;
        add(&queue, job("b")).await;
        let full = queue.enqueue(job("c")).await.unwrap_err();
        assert_eq!(full.kind(), ErrorKind::Refused(Refusal::Full));
        let taken = one(&queue).await;
        assert!(queue.enqueue(job("c")).await.is_err(), "it still runs");
        assert!(queue.reject(taken.receipt(), "no").await.unwrap().is_accepted());
        add(&queue, job("c")).await;
    }

    async fn keys_and_ids_that_have_ended_are_forgotten_as_fast_as_new_ones_come(world: World) {
        let queue = queue_of(&world).with_max_jobs(256).with_retention(Ttl::from_secs(10));
        let new = |round: usize, number: usize| {
            let name = format!("{round}-{number}");
            job(&name).with_unique(&name, Until::Ttl(Ttl::from_secs(10)))
        };
        // Three keyed jobs forget a part of what a full step has left.
        for (round, many) in [128, 128, 128, 128, 128, 3, 128].into_iter().enumerate() {
            for added in queue.enqueue_many((0..many).map(|number| new(round, number))).await {
                assert!(matches!(added, Ok(Enqueued::New(_))), "{added:?} in round {round}");
            }
            let taken = take(&queue, 128).await;
            let receipts: Vec<_> = taken.iter().map(|it| it.receipt().clone()).collect();
            assert_eq!(queue.ack_many(&receipts).await.unwrap(), vec![Settled::Accepted; many]);
            if many == 128 {
                assert_eq!(queue.counts().await.unwrap().done, 128, "round {round}");
            }
            let shown = queue.inspect().await.unwrap();
            let unique = shown.fields().iter().find(|(name, _)| name == "unique").unwrap();
            assert_eq!(unique.1, if many == 3 { "64" } else { "128" }, "round {round}");
            world.advance(secs(10));
        }
    }

    async fn what_is_out_of_bounds_is_refused_before_it_is_sent(world: World) {
        let queue = queue_of(&world).with_max_payload(100);
        let large = NewJob::raw("mail", vec![0; 101]);
        assert_eq!(queue.enqueue(large).await.unwrap_err().kind(), ErrorKind::TooLarge);
        let header = NewJob::raw("mail", vec![0; 60]).with_header("a", &"x".repeat(40));
        assert_eq!(queue.enqueue(header).await.unwrap_err().kind(), ErrorKind::TooLarge);
        let long = "x".repeat(257);
        let years = Duration::from_secs(11 * 365 * 86_400);
        for bad in [
            job("a").with_group(""),
            job("a").with_group(&long),
            job("a").with_group("nul\0"),
            job("a").with_unique(&long, Until::Done),
            job("a").with_delay(years),
            NewJob::raw("", "no name"),
        ] {
            assert_eq!(queue.enqueue(bad).await.unwrap_err().kind(), ErrorKind::Invalid);
        }
        assert!(take(&queue, 9).await.is_empty());
    }

    async fn a_payload_that_is_not_the_job_is_a_typed_error(world: World) {
        let queue = queue_of(&world);
        add(&queue, job("ada")).await;
        add(&queue, NewJob::raw("other", "x").with_id(JobId::new("raw").unwrap())).await;
        let taken = take(&queue, 2).await;
        assert!(matches!(taken[0].job::<Parcel>(), Err(PayloadError::Undecodable { .. })));
        assert!(matches!(taken[1].job::<Mail>(), Err(PayloadError::WrongName { .. })));
        assert_eq!(taken[1].payload().unwrap(), b"x");
    }
}
