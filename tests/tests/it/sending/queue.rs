//! The queue.

use std::time::{Duration, SystemTime};

use larder::queue::periodic::Periodic;
use larder::queue::worker::{JobContext, JobRequest, Worker};
use larder::queue::{
    Cursor, Delivery, Job, JobId, NewJob, Partitioned, Queue, Receipt, State, Verdict,
};
use larder_store::Ttl;

use super::{assert_send, send_and_sync};

fn jobs<J: Job + Sync>(queue: &Queue, job: &J, (new, time): (&NewJob, SystemTime)) {
    sent! {
        queue.enqueue(new.clone());
        queue.enqueue_in(job, Duration::ZERO);
        queue.enqueue_at(job, time);
        queue.enqueue_many(vec![new.clone()]);
        queue.dequeue(1);
        queue.dequeue_wait(1, Duration::ZERO);
    }
}

fn holders(queue: &Queue, receipt: &Receipt, verdict: Verdict, lease: Ttl) {
    let receipts = std::slice::from_ref(receipt);
    sent! {
        queue.ack(receipt);
        queue.ack_many(receipts);
        queue.nack(receipt, Duration::ZERO);
        queue.reject(receipt, "no");
        queue.release(receipt);
        queue.release_many(receipts);
        queue.extend(receipt, lease);
        queue.extend_many(receipts, lease);
        queue.settle(receipt, verdict);
        queue.settle_many(&[]);
        queue.settle_and_dequeue(&[], 1);
    }
}

fn partitions(queue: &Partitioned, new: &NewJob, receipt: &Receipt) {
    sent! {
        queue.enqueue(new.clone());
        queue.enqueue_many(vec![new.clone()]);
        queue.dequeue(1);
        queue.dequeue_wait(1, Duration::ZERO);
        queue.settle_many(&[(receipt.clone(), Verdict::Ack)]);
    }
}

fn people(queue: &Queue, id: &JobId, from: Cursor) {
    sent! {
        queue.cancel(id);
        queue.pause();
        queue.resume();
        queue.redrive(1);
        queue.purge(State::Dead);
        queue.counts();
        queue.list(State::Dead, Some(from));
        queue.inspect();
    }
}

fn workers(worker: &Worker, job: NewJob, context: &JobContext) {
    sent! {
        worker.clone().drain();
        worker.run_inline(job);
        context.cancelled();
        context.lease_lost();
        context.extend(Ttl::MAX);
    }
    assert_send(worker.clone().run_until(std::future::pending()));
}

fn schedules(periodic: &Periodic) {
    sent! {
        periodic.run_due();
    }
    assert_send(periodic.clone().run_until(std::future::pending()));
}

#[test]
fn the_futures_of_a_queue_can_be_sent() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Mail;

    impl Job for Mail {
        const NAME: &'static str = "mail";
    }

    let _ = jobs::<Mail>;
    let _ = holders;
    let _ = partitions;
    let _ = people;
    let _ = workers;
    let _ = schedules;
    send_and_sync::<(Worker, JobContext, JobRequest, Periodic)>();
    send_and_sync::<(Queue, Delivery, Receipt, NewJob)>();
}
