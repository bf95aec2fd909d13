//! A store and the runtime that it was made in.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use larder_store::bus::{Channel, SubscribeRequest, Topic};
use larder_store::{Delete, Error, ErrorKind, Result, Store};
use tokio::runtime::Runtime;

use crate::support::{Add, Set, key, patient, programs, put, server, store, tally, until};

fn tells_of_the_runtime(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::NotSent, "{error}");
    let text = error.to_string();
    assert!(
        text.contains("has shut down: connect the store in"),
        "{text}"
    );
}

#[test]
fn a_store_whose_runtime_has_ended_says_so_at_once() {
    let server = server();
    let first = Runtime::new().unwrap();
    let store = first.block_on(store(&server));
    let _ = first.block_on(store.put(&put(1, "one"))).unwrap();
    drop(first);
    Runtime::new().unwrap().block_on(async {
        let started = Instant::now();
        tells_of_the_runtime(&store.get(&key(1)).await.unwrap_err());
        tells_of_the_runtime(&store.put(&put(1, "two")).await.unwrap_err());
        tells_of_the_runtime(&store.delete(&Delete::new(key(1))).await.unwrap_err());
        let add = Add { by: 1, ms: 60_000 };
        let error = programs(&store).run(&tally(1), &add).await.unwrap_err();
        tells_of_the_runtime(&error);
        for error in store.get_many(&[key(1), key(2)]).await {
            tells_of_the_runtime(&error.unwrap_err());
        }
        // The deadline of this store is five seconds.
        assert!(started.elapsed() < Duration::from_secs(1));
    });
}

#[test]
fn operations_that_wait_when_the_runtime_ends_fail() {
    let server = server();
    let first = Runtime::new().unwrap();
    let store = first.block_on(store(&server));
    server.stop().unwrap();
    let key = key(1);
    let mut waiting = store.get(&key);
    let second = Runtime::new().unwrap();
    second.block_on(poll_fn(|context| {
        assert!(waiting.as_mut().poll(context).is_pending());
        Poll::Ready(())
    }));
    drop(first);
    let started = Instant::now();
    let error = second.block_on(waiting).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(1), "{error}");
    server.cont().unwrap();
}

/// Longer than the store takes to recover, if its tasks get to run.
const LONG: Duration = Duration::from_secs(10);

fn one_thread() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

/// Tries again at once as long as it fails, and returns the number of failures.
async fn insist<T, F: Future<Output = Result<T>>>(mut attempt: impl FnMut() -> F) -> u64 {
    let (started, mut failures) = (Instant::now(), 0);
    while let Err(error) = attempt().await {
        failures += 1;
        assert!(started.elapsed() < LONG, "still failing: {error}");
    }
    failures
}

#[test]
fn a_caller_that_retries_at_once_does_not_stop_the_store_from_recovering() {
    let mut server = server();
    one_thread().block_on(async {
        let store = store(&server).await;
        let programs = programs(&store);
        for round in 0..4 {
            let _ = store.put(&put(1, "one")).await.unwrap();
            server.kill();
            until("known to be gone", || async {
                let error = store.get(&key(1)).await.err();
                error.is_some_and(|error| error.kind() == ErrorKind::NotSent)
            })
            .await;
            server.restart().unwrap();
            let (key, record) = (key(1), tally(1));
            let (keys, write) = ([key.clone()], put(1, "two"));
            let set = Set { to: 1, ms: 60_000 };
            let failures = match round {
                0 => insist(|| store.get(&key)).await,
                1 => insist(|| async { store.get_many(&keys).await.remove(0) }).await,
                2 => insist(|| store.put(&write)).await,
                _ => insist(|| programs.run(&record, &set)).await,
            };
            assert!(failures > 0);
        }
    });
}

#[test]
fn a_refused_caller_that_retries_at_once_lets_the_others_end() {
    let server = server();
    one_thread().block_on(async {
        let one = std::num::NonZeroUsize::MIN;
        let store = patient(&server.url())
            .with_max_in_flight(one)
            .connect()
            .await
            .unwrap();
        let (first, second) = (key(1), key(2));
        let (waited, failures) = tokio::join!(
            async { store.get(&first).await },
            insist(|| async { store.get(&second).await })
        );
        waited.unwrap();
        assert!(failures > 0);
        let keys = [key(1), key(2)];
        let (waited, failures) = tokio::join!(
            async { store.get_many(&keys).await },
            insist(|| async { store.get_many(&keys).await.remove(0) })
        );
        assert!(waited.iter().all(std::result::Result::is_ok) && failures > 0);
    });
}

#[test]
fn a_failing_subscriber_that_retries_at_once_lets_others_end_and_the_store_recover() {
    const NEWS: Topic = Topic::broadcast("news");
    let to = |id: u8| SubscribeRequest::to_channel(Channel::new(NEWS, id));
    let mut server = server();
    one_thread().block_on(async {
        let store = patient(&server.url()).with_max_subscriptions(1);
        let bus = Arc::new(store.connect().await.unwrap()).bus().unwrap();
        // The store has its maximum number of subscriptions.
        let held = bus.subscribe(to(1)).await.unwrap();
        let (insisting, ()) =
            tokio::join!(async { insist(|| bus.subscribe(to(2))).await }, async {
                tokio::task::yield_now().await;
                drop(held);
            });
        assert!(insisting > 0);
        // The server is down.
        server.kill();
        until("known to be gone", || async {
            bus.subscribe(to(3)).await.is_err()
        })
        .await;
        server.restart().unwrap();
        assert!(insist(|| bus.subscribe(to(3))).await > 0);
    });
}
