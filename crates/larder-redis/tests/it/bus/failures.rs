//! What subscribers get when connections and servers fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use larder_redis::RedisStore;
use larder_store::ErrorKind;
use larder_store::bus::{Event, SubscribeRequest, Subscription};
use larder_test::proxy::{Connections, FaultProxy};
use larder_test::server::RedisServer;
use tokio::runtime::Runtime;

use super::{FILM, bus, film, listen, listeners, next, text};
use crate::support::{ok, server, store, until};

fn kill(server: &RedisServer) {
    ok(server, &["CLIENT", "KILL", "TYPE", "PUBSUB"]);
}

/// Checks that a subscription gets one gap, and then every message.
async fn goes_on(store: &Arc<RedisStore>, subscription: &mut Subscription) {
    assert_eq!(next(subscription).await, Some(Event::Gap));
    let bus = bus(store);
    // The connection for commands may recover a little later.
    until("published", || async {
        bus.publish(&film(1), "one".into()).await.is_ok()
    })
    .await;
    assert_eq!(text(subscription).await, "one");
    bus.publish(&film(1), "two".into()).await.unwrap();
    assert_eq!(text(subscription).await, "two");
}

#[tokio::test]
async fn subscribers_on_a_killed_connection_receive_one_gap_and_go_on() {
    let server = server();
    let store = store(&server).await;
    let bus = bus(&store);
    let several = SubscribeRequest::to_topic(FILM)
        .and_channel(super::seat(1))
        .and_channel(super::seat(2));
    let mut subscriptions = vec![
        listen(&bus, film(1)).await,
        listen(&bus, film(1)).await,
        bus.subscribe(several).await.unwrap(),
    ];
    kill(&server);
    for subscription in &mut subscriptions {
        assert_eq!(next(subscription).await, Some(Event::Gap));
    }
    bus.publish(&film(1), "one".into()).await.unwrap();
    for subscription in &mut subscriptions {
        assert_eq!(text(subscription).await, "one");
    }
    assert_eq!(listeners(&server), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_missing_without_a_gap_however_often_the_connection_is_killed() {
    let server = server();
    let store = store(&server).await;
    let bus = bus(&store);
    let mut subscription = listen(&bus, film(1)).await;
    let done = Arc::new(AtomicBool::new(false));
    let (publisher, ended) = (bus.clone(), done.clone());
    let publisher = tokio::spawn(async move {
        let mut number: u64 = 0;
        while !ended.load(Ordering::Relaxed) {
            publisher
                .publish(&film(1), number.to_string().into())
                .await
                .unwrap();
            number += 1;
        }
        publisher.publish(&film(1), "end".into()).await.unwrap();
    });
    let (mut expected, mut gaps, mut missing) = (0, 0, 0);
    let (mut after_gap, mut kills) = (false, 0);
    loop {
        match next(&mut subscription).await {
            Some(Event::Gap) => {
                (after_gap, gaps) = (true, gaps + 1);
                assert!(gaps <= kills, "a gap, and nothing was killed");
            }
            Some(Event::Message(message)) if message.payload == "end" => break,
            Some(Event::Message(message)) => {
                let number: u64 = std::str::from_utf8(&message.payload)
                    .unwrap()
                    .parse()
                    .unwrap();
                assert!(
                    number == expected || after_gap && number > expected,
                    "{number}, {expected}"
                );
                missing += number - expected;
                (expected, after_gap) = (number + 1, false);
                if number.is_multiple_of(500) {
                    kill(&server);
                    kills += 1;
                }
            }
            None => panic!("the store is there"),
        }
        if gaps == 10 {
            done.store(true, Ordering::Relaxed);
        }
    }
    publisher.await.unwrap();
    assert!(missing > 0, "nothing was ever lost: what did this show?");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_receive_a_gap_after_a_restart_and_new_ones_fail_at_once_meanwhile() {
    let mut server = server();
    let store = store(&server).await;
    let bus = bus(&store);
    let mut subscription = listen(&bus, film(1)).await;
    server.kill();
    until("given up", || async {
        let started = Instant::now();
        let error = bus
            .subscribe(SubscribeRequest::to_channel(film(2)))
            .await
            .err();
        let kind = error.map(|error| error.kind());
        kind == Some(ErrorKind::NotSent) && started.elapsed() < Duration::from_millis(100)
    })
    .await;
    server.restart().unwrap();
    goes_on(&store, &mut subscription).await;
    let mut later = listen(&bus, film(2)).await;
    bus.publish(&film(2), "later".into()).await.unwrap();
    assert_eq!(text(&mut later).await, "later");
}

/// Twice the documented time, for a busy machine.
const NOTICED: Duration = Duration::from_secs(6);

#[tokio::test]
async fn a_connection_that_nothing_comes_back_on_is_noticed_and_replaced() {
    let server = server();
    let proxy = FaultProxy::start(server.address()).unwrap();
    let builder = RedisStore::builder(&proxy.url()).with_timeout(Duration::from_millis(500));
    let store = Arc::new(builder.connect().await.unwrap());
    let mut subscription = listen(&bus(&store), film(1)).await;
    proxy.black_hole(Connections::Open);
    let started = Instant::now();
    assert_eq!(next(&mut subscription).await, Some(Event::Gap));
    let took = started.elapsed();
    assert!(took < NOTICED, "{took:?}");
    until("published", || async {
        bus(&store).publish(&film(1), "one".into()).await.is_ok()
    })
    .await;
    assert_eq!(text(&mut subscription).await, "one");
    // The store has told the server to close the old connection.
    until("alone", || async { listeners(&server) == 1 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_frozen_is_listened_to_again() {
    let server = server();
    let builder = RedisStore::builder(&server.url()).with_timeout(Duration::from_millis(500));
    let store = Arc::new(builder.connect().await.unwrap());
    let bus = bus(&store);
    let mut subscription = listen(&bus, film(1)).await;
    server.stop().unwrap();
    until("noticed", || async {
        let more = bus.subscribe(SubscribeRequest::to_channel(film(2))).await;
        let error = more.err().map(|error| error.to_string());
        error.is_some_and(|text| text.contains("reconnecting"))
    })
    .await;
    server.cont().unwrap();
    goes_on(&store, &mut subscription).await;
}

#[test]
fn a_subscription_ends_with_the_runtime_of_its_store() {
    let server = server();
    let first = Runtime::new().unwrap();
    let store = first.block_on(store(&server));
    let mut subscription = first.block_on(listen(&bus(&store), film(1)));
    drop(first);
    Runtime::new().unwrap().block_on(async {
        assert_eq!(next(&mut subscription).await, None);
        let error = bus(&store)
            .subscribe(SubscribeRequest::to_channel(film(1)))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotSent);
        assert!(error.to_string().contains("has shut down"), "{error}");
    });
}
