//! What the store never logs or shows.

use std::fmt::Write;

use larder_store::bus::{Channel, Event, SubscribeRequest, Topic};

use super::{bus, next};
use crate::log::Log;
use crate::support::{ok, server, store, until};

const CANARY: &str = "hunter2";

#[tokio::test]
async fn no_log_no_error_and_no_debug_holds_a_channel_or_a_message() {
    let (log, _logging) = Log::open();
    let mut server = server();
    let store = store(&server).await;
    let bus = bus(&store);
    let channel = Channel::new(Topic::broadcast("film"), CANARY);
    let mut subscription = bus
        .subscribe(SubscribeRequest::to_channel(channel.clone()))
        .await
        .unwrap();
    let mut shown = format!("{subscription:?} {store:?} {channel:?}");
    bus.publish(&channel, CANARY.into()).await.unwrap();
    let event = next(&mut subscription).await;
    assert!(matches!(event, Some(Event::Message(_))));
    let _ = write!(shown, "{event:?}");
    ok(&server, &["CLIENT", "KILL", "TYPE", "PUBSUB"]);
    assert_eq!(next(&mut subscription).await, Some(Event::Gap));
    server.kill();
    let again = async || {
        bus.subscribe(SubscribeRequest::to_channel(channel.clone()))
            .await
    };
    until("given up", || async { again().await.is_err() }).await;
    let error = again().await.unwrap_err();
    let _ = write!(shown, "{error} {error:?}");
    let error = bus.publish(&channel, CANARY.into()).await.unwrap_err();
    let _ = write!(shown, "{error} {error:?}");
    let logged = log.read();
    assert!(
        logged.contains("cannot open the subscription connection"),
        "{logged}"
    );
    assert!(!logged.contains(CANARY), "{logged}");
    assert!(!shown.contains(CANARY), "{shown}");
}
