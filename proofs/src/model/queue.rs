//! Steps on a job queue, by its public calls.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use larder_queue::{JobId, NewJob, Priority, Queue, State, Until, Verdict};
use larder_store::{Result, Store, Ttl};
use proptest::collection::vec;
use proptest::prelude::*;

use super::arguments::Id;
use super::draw::short;
use super::given::{Answer, kind};
use super::remembered::Remembered;
use super::time::Time;

/// One operation on the queue, as it is drawn and printed.
#[derive(Clone, Debug)]
pub(crate) enum QueueOperation {
    Enqueue(Vec<Drawn>),
    /// Takes jobs, and settles some of them at once; the leases of the others end.
    Work(usize, Ttl, Vec<Decision>),
    Cancel(u8),
    Purge(State),
    Redrive(u64),
    Pause(bool),
    List(State),
}

/// A job. The numbers draw its options.
#[derive(Clone, Debug)]
pub(crate) struct Drawn {
    id: u8,
    delay: Option<Ttl>,
    priority: u8,
    unique: u8,
    group: u8,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Decision {
    Ack,
    AckTwice,
    /// Takes another job with the ack, whose lease ends.
    AckAndTake,
    Nack(Ttl),
    Reject,
    Release,
    Extend(Ttl),
    Leave,
}

pub(super) fn operation(time: Time) -> impl Strategy<Value = QueueOperation> {
    let states = [
        State::Waiting,
        State::Scheduled,
        State::Running,
        State::Dead,
        State::Done,
    ];
    let state = prop::sample::select(states.to_vec()).boxed();
    prop_oneof![
        6 => vec(drawn(time), 1..4).prop_map(QueueOperation::Enqueue),
        6 => (1..4_usize, short(time), vec(decision(time), 0..4))
            .prop_map(|(many, lease, decisions)| QueueOperation::Work(many, lease, decisions)),
        1 => (0..12_u8).prop_map(QueueOperation::Cancel),
        1 => state.clone().prop_map(QueueOperation::Purge),
        1 => (0..3_u64).prop_map(QueueOperation::Redrive),
        1 => any::<bool>().prop_map(QueueOperation::Pause),
        2 => state.prop_map(QueueOperation::List),
    ]
}

fn drawn(time: Time) -> impl Strategy<Value = Drawn> {
    let delay = proptest::option::of(short(time));
    (0..12_u8, delay, 0..4_u8, 0..6_u8, 0..4_u8).prop_map(|(id, delay, priority, unique, group)| {
        Drawn {
            id,
            delay,
            priority,
            unique,
            group,
        }
    })
}

fn decision(time: Time) -> impl Strategy<Value = Decision> {
    prop_oneof![
        4 => Just(Decision::Ack),
        1 => Just(Decision::AckTwice),
        2 => Just(Decision::AckAndTake),
        2 => short(time).prop_map(Decision::Nack),
        1 => Just(Decision::Reject),
        1 => Just(Decision::Release),
        1 => short(time).prop_map(Decision::Extend),
        2 => Just(Decision::Leave),
    ]
}

impl Drawn {
    fn job(&self) -> NewJob {
        let priorities = [
            Priority::Urgent,
            Priority::High,
            Priority::Normal,
            Priority::Low,
        ];
        let job = NewJob::raw("model", vec![self.id])
            .with_id(id(self.id))
            .with_priority(priorities[usize::from(self.priority % 4)]);
        let job = match self.delay {
            Some(delay) => job.with_delay(delay.into()),
            None => job,
        };
        let job = match self.group {
            0 | 1 => job,
            group => job.with_group(&group.to_string()),
        };
        match self.unique {
            0 => job.with_unique("key", Until::Done),
            1 => job.with_unique("key", Until::Started),
            2 => job.with_debounce("other", Duration::from_millis(5)),
            _ => job,
        }
    }
}

fn id(id: u8) -> JobId {
    JobId::new(&format!("job{id}")).expect("an id")
}

impl QueueOperation {
    /// Remembers what ends by this operation.
    pub(crate) fn remember(&self, remembered: &mut Remembered) {
        let ends: Vec<Ttl> = match self {
            Self::Enqueue(jobs) => jobs.iter().filter_map(|job| job.delay).collect(),
            Self::Work(_, lease, decisions) => {
                let later = decisions.iter().filter_map(|decision| match decision {
                    Decision::Nack(ttl) | Decision::Extend(ttl) => Some(*ttl),
                    _ => None,
                });
                later.chain([*lease]).collect()
            }
            _ => Vec::new(),
        };
        for ttl in ends {
            remembered.ends_in(Id::Record(0), ttl);
        }
    }

    /// Runs the operation, and returns what it shows.
    pub(crate) async fn run(&self, store: &Arc<dyn Store>) -> Answer<String> {
        kind(self.shown(store).await)
    }

    async fn shown(&self, store: &Arc<dyn Store>) -> Result<String> {
        let queue = Queue::new(store.clone(), "model")?
            .with_max_attempts(2)
            .with_max_jobs(8)
            .with_max_dead(2)
            .with_max_done(3)
            .with_max_running_per_group(NonZeroU32::MIN);
        Ok(match self {
            Self::Enqueue(jobs) => {
                let jobs = jobs.iter().map(|job| job.job());
                let added = queue.enqueue_many(jobs).await.into_iter().map(kind);
                format!("{:?}", added.collect::<Vec<_>>())
            }
            Self::Work(many, lease, decisions) => {
                let queue = queue.with_lease(*lease);
                let mut shown = String::new();
                let taken = queue.dequeue(*many).await?;
                let decisions = decisions.iter().chain(std::iter::repeat(&Decision::Leave));
                for (delivery, decision) in taken.iter().zip(decisions) {
                    let receipt = delivery.receipt();
                    let settled = match *decision {
                        Decision::Ack => Some(queue.ack(receipt).await?),
                        Decision::AckTwice => {
                            let first = queue.ack(receipt).await?;
                            shown += &format!("{first:?} ");
                            Some(queue.ack(receipt).await?)
                        }
                        Decision::AckAndTake => {
                            let ack = [(receipt.clone(), Verdict::Ack)];
                            let (settled, next) = queue.settle_and_dequeue(&ack, 1).await?;
                            for next in next {
                                shown += &format!("{} {} ", next.id(), next.attempt());
                            }
                            settled.first().copied()
                        }
                        Decision::Nack(delay) => Some(queue.nack(receipt, delay.into()).await?),
                        Decision::Reject => {
                            let reason = "no".to_owned();
                            Some(queue.settle(receipt, Verdict::Reject { reason }).await?)
                        }
                        Decision::Release => Some(queue.release(receipt).await?),
                        Decision::Extend(lease) => Some(queue.extend(receipt, lease).await?),
                        Decision::Leave => None,
                    };
                    let (id, attempt) = (delivery.id(), delivery.attempt());
                    let group = delivery.group();
                    shown += &format!("{id} {attempt} {group:?} {settled:?}; ");
                }
                shown
            }
            Self::Cancel(number) => format!("{:?}", queue.cancel(&id(*number)).await?),
            Self::Purge(state) => queue.purge(*state).await?.to_string(),
            Self::Redrive(many) => queue.redrive(*many).await?.to_string(),
            Self::Pause(true) => format!("{:?}", queue.pause().await?),
            Self::Pause(false) => format!("{:?}", queue.resume().await?),
            Self::List(state) => {
                let page = queue.list(*state, None).await?;
                let jobs = page.jobs.iter();
                let jobs = jobs.map(|job| (job.id().to_string(), job.attempts(), job.reason()));
                let jobs: Vec<_> = jobs.collect();
                let counts = queue.counts().await?;
                let (waiting, scheduled) = (counts.waiting, counts.scheduled);
                let (running, dead, done) = (counts.running, counts.dead, counts.done);
                format!("{jobs:?} {waiting} {scheduled} {running} {dead} {done}")
            }
        })
    }
}
