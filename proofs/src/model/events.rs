//! Steps on an event log, by its public calls.

use std::sync::Arc;

use larder_events::log::{EventId, EventLog, MessageId, Start};
use larder_store::{Result, Store, Ttl};
use proptest::collection::vec;
use proptest::prelude::*;

use super::arguments::Id;
use super::draw::short;
use super::given::{Answer, kind};
use super::remembered::Remembered;
use super::time::Time;

/// One operation on the log, as it is drawn and printed.
#[derive(Clone, Debug)]
pub(crate) enum LogOperation {
    /// Appends the event of a message, or one without a name.
    Append(Option<u8>),
    /// Takes events in a group, and settles some of them at once; the leases of the others end.
    Work(u8, usize, Ttl, Vec<Decision>),
    Create(u8, bool),
    HandBack(u8, u8),
    Read,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Decision {
    Ack,
    AckTwice,
    Nack(Ttl),
    Reject,
    Extend,
    Leave,
}

pub(super) fn operation(time: Time) -> impl Strategy<Value = LogOperation> {
    let message = proptest::option::of(0..6_u8);
    let work = (0..4_u8, 0..4_usize, short(time), vec(decision(time), 0..4));
    prop_oneof![
        6 => message.prop_map(LogOperation::Append),
        6 => work.prop_map(|(who, many, lease, decisions)| {
            LogOperation::Work(who, many, lease, decisions)
        }),
        1 => (0..2_u8, any::<bool>()).prop_map(|(group, is_new)| LogOperation::Create(group, is_new)),
        1 => (0..2_u8, 0..2_u8).prop_map(|(group, who)| LogOperation::HandBack(group, who)),
        2 => Just(LogOperation::Read),
    ]
}

fn decision(time: Time) -> impl Strategy<Value = Decision> {
    prop_oneof![
        4 => Just(Decision::Ack),
        1 => Just(Decision::AckTwice),
        2 => short(time).prop_map(Decision::Nack),
        1 => Just(Decision::Reject),
        1 => Just(Decision::Extend),
        2 => Just(Decision::Leave),
    ]
}

impl LogOperation {
    /// Remembers what ends by this operation.
    pub(crate) fn remember(&self, remembered: &mut Remembered) {
        let Self::Work(_, _, lease, decisions) = self else {
            return;
        };
        let later = decisions.iter().filter_map(|decision| match decision {
            Decision::Nack(ttl) => Some(*ttl),
            _ => None,
        });
        for ttl in later.chain([*lease]) {
            remembered.ends_in(Id::Record(0), ttl);
        }
    }

    /// Runs the operation, and returns what it shows.
    pub(crate) async fn run(&self, store: &Arc<dyn Store>) -> Answer<String> {
        kind(self.shown(store).await)
    }

    async fn shown(&self, store: &Arc<dyn Store>) -> Result<String> {
        let log = EventLog::<u8>::new(store.clone(), "model", Ttl::from_secs(60))?
            .with_max_len(3)
            .with_hard_max_len(6)
            .with_retention(Ttl::from_millis(10))
            .with_max_remembered(3)
            .with_max_dead_letters(2);
        let group = |group: u8| log.group("all", ["mail", "audit"][usize::from(group % 2)]);
        Ok(match self {
            Self::Append(None) => format!("{:?}", log.append("all", &0).await?),
            Self::Append(Some(number)) => {
                let id = number.to_string();
                let message = MessageId {
                    producer: "model",
                    id: &id,
                };
                format!("{:?}", log.append_once("all", message, number).await?)
            }
            Self::Work(who, many, lease, decisions) => {
                let group = group(*who)?.with_lease(*lease);
                let group = group.with_max_deliveries(3).with_max_pending(4);
                let consumer = group.consumer_named(["x", "y"][usize::from(who / 2)])?;
                let batch = consumer.read(*many).await?;
                let mut shown = format!("{} lost; ", batch.lost);
                let decisions = decisions.iter().chain(std::iter::repeat(&Decision::Leave));
                for (delivery, decision) in batch.deliveries.iter().zip(decisions) {
                    let held = std::slice::from_ref(delivery);
                    let settled = match *decision {
                        Decision::Ack => consumer.ack_many(held).await?,
                        Decision::AckTwice => {
                            vec![consumer.ack(delivery).await?, consumer.ack(delivery).await?]
                        }
                        Decision::Nack(delay) => vec![consumer.nack(delivery, delay.into()).await?],
                        Decision::Reject => vec![consumer.reject(delivery, "no").await?],
                        Decision::Extend => consumer.extend(held).await?,
                        Decision::Leave => Vec::new(),
                    };
                    let (id, count, event) = (delivery.id, delivery.count, delivery.event);
                    shown += &format!("{id} {count} {event:?} {settled:?}; ");
                }
                shown
            }
            Self::Create(number, is_new) => {
                let start = if *is_new { Start::Now } else { Start::First };
                format!("{:?}", group(*number)?.with_start(start).create().await?)
            }
            Self::HandBack(number, who) => {
                let consumer = ["x", "y"][usize::from(who % 2)];
                format!("{:?}", group(*number)?.remove_consumer(consumer).await?)
            }
            Self::Read => {
                let page = log.read("all", EventId::ZERO, 100).await?;
                let dead = log.dead_letters("all", EventId::ZERO, 100).await?;
                // Printing these does not show their events.
                let kept = page.events.iter().map(|it| (it.id, it.event));
                let kept: Vec<_> = kept.collect();
                let died = dead
                    .iter()
                    .map(|it| (it.id, it.event_id, it.deliveries, &it.reason, it.event));
                let died: Vec<_> = died.collect();
                format!("{kept:?} {died:?} {:?}", log.info("all").await?)
            }
        })
    }
}
