//! A store and the runtime that it was made in.

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use larder_store::{Delete, Error, ErrorKind, Store};
use tokio::runtime::Runtime;

use crate::support::{Add, key, programs, put, server, store, tally};

fn tells_of_the_runtime(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::NotSent, "{error}");
    let text = error.to_string();
    assert!(
        text.contains("was made has ended: make the store in"),
        "{text}"
    );
}

#[test]
fn a_store_whose_runtime_has_ended_says_so_at_once() {
    let server = server();
    let first = Runtime::new().unwrap();
    let store = first.block_on(store(&server));
    first.block_on(store.put(&put(1, "one"))).unwrap();
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
fn who_waits_when_the_runtime_ends_is_told() {
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
