//! Topics with a history, and what their subscribers receive.

use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::sync::Arc;

use larder_events::topic::{Gap, Message, Position, Received, Subscriber, Topic};
use larder_store::{Store, Ttl, bus};
use larder_worlds::soon;
use serde::de::DeserializeOwned;

pub(crate) const SEATS: bus::Topic = bus::Topic::broadcast("seats");
pub(crate) const HOUR: Ttl = Ttl::from_secs(3_600);

pub(crate) fn topic(store: &Arc<dyn Store>, messages: u32) -> Topic<u32> {
    let topic = Topic::new(store.clone(), SEATS).unwrap();
    topic.with_history(messages, HOUR).unwrap()
}

pub(crate) async fn publish(topic: &Topic<u32>, values: RangeInclusive<u32>) -> Vec<Position> {
    let mut positions = Vec::new();
    for value in values {
        positions.push(topic.publish(7_u32, &value).await.unwrap().unwrap());
    }
    positions
}

pub(crate) async fn message<T>(subscriber: &mut Subscriber<T>) -> Message<T>
where
    T: Debug + DeserializeOwned + Send + Sync + 'static,
{
    match soon(subscriber.next()).await {
        Some(Received::Message(message)) => message,
        other => panic!("{other:?} is not a message"),
    }
}

pub(crate) async fn gap<T>(subscriber: &mut Subscriber<T>) -> Gap
where
    T: Debug + DeserializeOwned + Send + Sync + 'static,
{
    match soon(subscriber.next()).await {
        Some(Received::Gap(gap)) => gap,
        other => panic!("{other:?} is not a gap"),
    }
}
