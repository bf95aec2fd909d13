//! What is never told.

use std::fmt::{Debug, Write};
use std::sync::Arc;

use larder_store::{Channel, Event, Interest, Topic};
use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};

use super::{bus, next};
use crate::support::{ok, server, store, until};

const CANARY: &str = "hunter2";

/// Takes down all that is logged, at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Visit for Log {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0.lock(), "{field}={value:?} ");
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn no_log_no_error_and_no_debug_holds_a_channel_or_a_message() {
    let log = Log::default();
    // This test runs in one thread, and so does all that it begins.
    let _logging = tracing::subscriber::set_default(log.clone());
    let mut server = server();
    let store = store(&server).await;
    let bus = bus(&store);
    let channel = Channel::new(Topic::broadcast("film"), CANARY);
    let mut subscription = bus
        .subscribe(Interest::in_channel(channel.clone()))
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
    let again = async || bus.subscribe(Interest::in_channel(channel.clone())).await;
    until("given up", || async { again().await.is_err() }).await;
    let error = again().await.unwrap_err();
    let _ = write!(shown, "{error} {error:?}");
    let error = bus.publish(&channel, CANARY.into()).await.unwrap_err();
    let _ = write!(shown, "{error} {error:?}");
    let logged = log.0.lock().clone();
    assert!(logged.contains("no connection to listen on"), "{logged}");
    assert!(!logged.contains(CANARY), "{logged}");
    assert!(!shown.contains(CANARY), "{shown}");
}
