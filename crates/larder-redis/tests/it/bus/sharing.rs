//! What many subscriptions share, and what they cost.

use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use larder_redis::RedisStore;
use larder_redis::redis::bb8_redis::{RedisConnectionManager, bb8::Pool};
use larder_redis::redis::from_pool;
use larder_store::bus::{Event, SubscribeRequest};
use larder_store::{ErrorKind, Refusal, Store, StoreExt};
use larder_test::server::{RedisOptions, RedisServer};

use super::{FILM, bus, film, listen, listeners, next, seat, subjects, text};
use crate::support::{calls, key, ok, patient, put, server, store, until};

#[tokio::test]
async fn a_thousand_subscriptions_share_one_connection_and_ask_for_each_channel_once() {
    let server = server();
    let store = store(&server).await;
    let bus = bus(&store);
    let mut all = bus
        .subscribe(SubscribeRequest::to_topic(FILM))
        .await
        .unwrap();
    let mut subscriptions = Vec::new();
    for number in 0..1_000 {
        subscriptions.push(listen(&bus, film(number % 250)).await);
    }
    assert_eq!(listeners(&server), 1);
    assert_eq!(subjects(&server), 251);
    assert_eq!(calls(&server, "subscribe"), 250);
    for number in 0..250 {
        bus.publish(&film(number), number.to_string().into())
            .await
            .unwrap();
    }
    for (number, subscription) in subscriptions.iter_mut().enumerate() {
        assert_eq!(text(subscription).await, (number % 250).to_string());
    }
    for number in 0..250 {
        assert_eq!(text(&mut all).await, number.to_string());
    }
    drop((subscriptions, all));
    until("forgotten", || async { subjects(&server) == 0 }).await;
    assert_eq!(calls(&server, "unsubscribe"), 250);
}

#[tokio::test]
async fn a_subscribe_that_is_dropped_leaves_nothing_at_the_server() {
    let server = server();
    let store = store(&server).await;
    let bus = bus(&store);
    for polls in 1..60 {
        let mut subscribing = pin!(bus.subscribe(SubscribeRequest::to_channel(film(polls))));
        for _ in 0..polls {
            let polled = poll_fn(|cx| Poll::Ready(subscribing.as_mut().poll(cx))).await;
            if polled.is_ready() {
                break;
            }
            tokio::time::sleep(Duration::from_micros(20 * polls)).await;
        }
    }
    until("forgotten", || async { subjects(&server) == 0 }).await;
}

#[tokio::test]
async fn one_subscription_more_than_there_is_room_for_is_refused() {
    let server = server();
    let store = patient(&server.url())
        .with_max_subscriptions(3)
        .connect()
        .await
        .unwrap();
    let bus = bus(&Arc::new(store));
    let first = listen(&bus, film(1)).await;
    let two = SubscribeRequest::to_topic(FILM).and_channel(seat(1));
    let second = bus.subscribe(two.clone()).await.unwrap();
    let full = bus
        .subscribe(SubscribeRequest::to_channel(film(1)))
        .await
        .unwrap_err();
    assert_eq!(full.kind(), ErrorKind::Refused(Refusal::Full));
    assert!(
        full.to_string().contains("with_max_subscriptions"),
        "{full}"
    );
    drop((first, second));
    assert!(bus.subscribe(two).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_subscriber_holds_up_neither_others_nor_the_store() {
    const MESSAGES: u64 = 5_000;
    let server = server();
    let store = store(&server).await;
    let bus = bus(&store);
    let mut slow = listen(&bus, film(1)).await;
    let room = NonZeroUsize::new(MESSAGES as usize).unwrap();
    let other = SubscribeRequest::to_channel(film(1)).with_buffer(room);
    let mut other = bus.subscribe(other).await.unwrap();
    let _ = store.put(&put(1, "one")).await.unwrap();
    for number in 0..MESSAGES {
        bus.publish(&film(1), number.to_string().into())
            .await
            .unwrap();
        if number % 100 == 0 {
            assert!(store.get(&key(1)).await.unwrap().is_some());
        }
    }
    for number in 0..MESSAGES {
        assert_eq!(text(&mut other).await, number.to_string());
    }
    for number in 0..256 {
        assert_eq!(text(&mut slow).await, number.to_string());
    }
    assert_eq!(next(&mut slow).await, Some(Event::Gap));
}

#[tokio::test]
async fn a_subscription_ends_with_the_store_after_its_last_messages() {
    let server = server();
    let store = store(&server).await;
    let bus = bus(&store);
    let (mut one, mut witness) = (listen(&bus, film(1)).await, listen(&bus, film(1)).await);
    bus.publish(&film(1), "last".into()).await.unwrap();
    drop(store);
    assert_eq!(text(&mut witness).await, "last");
    drop(bus);
    assert_eq!(text(&mut one).await, "last");
    assert_eq!(next(&mut one).await, None);
    until("disconnected", || async { listeners(&server) == 0 }).await;
}

#[tokio::test]
async fn the_subscription_connection_is_made_for_the_first_subscriber() {
    let server = server();
    let store = store(&server).await;
    bus(&store)
        .publish(&film(1), "to nobody".into())
        .await
        .unwrap();
    assert_eq!(listeners(&server), 0);
    assert_eq!(
        calls(&server, "hello"),
        2,
        "one to connect and one to greet"
    );
}

/// Makes a store for a user, `ada`, who may subscribe to these channels.
async fn who_may_listen_to(channels: &str) -> (RedisServer, Arc<RedisStore>) {
    let rules = format!("on >x ~* +@all {channels}");
    let server = RedisOptions::new().with_user("ada", rules).start().unwrap();
    let store = patient(&server.url_as("ada", "x")).connect().await.unwrap();
    (server, Arc::new(store))
}

#[tokio::test]
async fn a_user_who_may_not_subscribe_is_refused() {
    let (server, store) = who_may_listen_to("&film:*").await;
    let bus = bus(&store);
    let mut allowed = listen(&bus, film(1)).await;
    let both = SubscribeRequest::to_channel(film(2)).and_channel(seat(1));
    let denied = bus.subscribe(both).await.unwrap_err();
    assert_eq!(
        denied.kind(),
        ErrorKind::Refused(Refusal::Denied),
        "{denied}"
    );
    let denied = bus.publish(&seat(1), "x".into()).await;
    assert_eq!(
        denied.unwrap_err().kind(),
        ErrorKind::Refused(Refusal::Denied)
    );
    bus.publish(&film(1), "one".into()).await.unwrap();
    assert_eq!(text(&mut allowed).await, "one");
    until("forgotten", || async { subjects(&server) == 1 }).await;
}

#[tokio::test]
async fn subscriptions_end_when_the_user_loses_the_right_to_subscribe() {
    let (server, store) = who_may_listen_to("&*").await;
    let bus = bus(&store);
    let (mut heard, mut denied) = (listen(&bus, film(1)).await, listen(&bus, seat(1)).await);
    ok(
        &server,
        &["ACL", "SETUSER", "ada", "resetchannels", "&film:*"],
    );
    assert_eq!(next(&mut denied).await, None);
    assert_eq!(next(&mut heard).await, Some(Event::Gap));
    bus.publish(&film(1), "one".into()).await.unwrap();
    assert_eq!(text(&mut heard).await, "one");
}

#[tokio::test]
async fn a_store_has_no_bus_if_the_server_cannot_push() {
    let server = server();
    let url = format!("{}?protocol=resp2", server.url());
    let store = Arc::new(patient(&url).connect().await.unwrap());
    assert!(store.clone().bus().is_none());
    let manager = RedisConnectionManager::new(server.url()).unwrap();
    let pool = Pool::builder().build(manager).await.unwrap();
    let lent = Arc::new(from_pool(pool).connect().await.unwrap());
    for store in [store, lent] {
        let error = store.require_bus("the board").err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let text = error.to_string();
        assert!(
            text.contains("the board") && text.contains("protocol=resp2"),
            "{text}"
        );
    }
}
