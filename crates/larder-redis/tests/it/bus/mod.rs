//! Subscriptions on real servers.

mod failures;
mod sharing;
mod silence;

use std::sync::Arc;
use std::time::Duration;

use larder_redis::RedisStore;
use larder_store::Store;
use larder_store::bus::{Bus, Channel, Event, Message, SubscribeRequest, Subscription, Topic};
use larder_test::server::{RedisServer, Reply};
use tokio::time::timeout;

use crate::support::ok;

pub(crate) const FILM: Topic = Topic::broadcast("film");

pub(crate) fn film(id: u64) -> Channel {
    Channel::new(FILM, id)
}

pub(crate) fn seat(id: u64) -> Channel {
    Channel::new(Topic::broadcast("seat"), id)
}

pub(crate) fn bus(store: &Arc<RedisStore>) -> Arc<dyn Bus> {
    store.clone().bus().unwrap()
}

pub(crate) async fn listen(bus: &Arc<dyn Bus>, channel: Channel) -> Subscription {
    bus.subscribe(SubscribeRequest::to_channel(channel))
        .await
        .unwrap()
}

/// Returns the next event, which must come within ten seconds.
pub(crate) async fn next(subscription: &mut Subscription) -> Option<Event> {
    let event = timeout(Duration::from_secs(10), subscription.next());
    event.await.unwrap()
}

/// Returns the text of the next event, which must be a message.
pub(crate) async fn text(subscription: &mut Subscription) -> String {
    match next(subscription).await {
        Some(Event::Message(Message { payload, .. })) => {
            String::from_utf8(payload.to_vec()).unwrap()
        }
        other => panic!("expected a message, got {other:?}"),
    }
}

/// Returns how many connections of the server have subscriptions.
fn listeners(server: &RedisServer) -> usize {
    match ok(server, &["CLIENT", "LIST", "TYPE", "PUBSUB"]) {
        Reply::Bulk(list) => String::from_utf8_lossy(&list).lines().count(),
        other => panic!("{other:?}"),
    }
}

/// Returns to how many channels and patterns clients of the server are subscribed.
fn subjects(server: &RedisServer) -> usize {
    let Reply::Array(channels) = ok(server, &["PUBSUB", "CHANNELS"]) else {
        panic!("no channels");
    };
    let Reply::Int(patterns) = ok(server, &["PUBSUB", "NUMPAT"]) else {
        panic!("no patterns");
    };
    channels.len() + usize::try_from(patterns).unwrap()
}
