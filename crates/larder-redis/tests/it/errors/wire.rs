//! Replies that are cut in the middle, and bytes that are not a reply.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larder_store::program::Programs;
use larder_store::{ErrorKind, Store};
use larder_test::proxy::{Direction, FaultProxy};

use super::{APP, Operations};
use crate::support::{Add, Look, brisk, calls, key, programs, proxied, put, server, tally, until};

#[tokio::test]
async fn a_reply_that_is_cut_in_the_middle_is_a_lost_reply() {
    let server = server();
    let (proxy, store) = proxied(&server).await;
    let programs = programs(&store);
    let add = Add { by: 1, ms: 60_000 };
    for n in 1..=3 {
        let _ = store.put(&put(1, "a long value")).await.unwrap();
        // Cut in the header, in the version, and in the value: a read is sent again.
        proxy.cut_next_after(Direction::Replies, 4 * n);
        let held = store.get(&key(1)).await.unwrap().unwrap();
        assert_eq!(held.value, "a long value");
        // The store reads back whether a put was stored.
        proxy.cut_next_after(Direction::Replies, n);
        assert!(store.put(&put(2, "b")).await.unwrap().is_stored());
        // A step that counts must fail with `MayHaveRun`; it did run.
        let one = tally(n);
        assert_eq!(programs.run(&one, &add).await.unwrap(), 1);
        proxy.cut_next_after(Direction::Replies, n);
        let error = programs.run(&one, &add).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MayHaveRun, "{error}");
        assert_eq!(programs.run(&one, &add).await.unwrap(), 3);
    }
    assert_eq!(calls(&server, "set"), 6 + 9);
}

#[tokio::test]
async fn garbage_on_the_wire_is_an_error_and_the_next_connection_is_well() {
    let server = server();
    let proxy = FaultProxy::start(server.address()).unwrap();
    let store = Arc::new(brisk(&proxy.url()).connect().await.unwrap());
    let operations = Operations::on(&store, APP);
    for seed in 1..=5 {
        operations.prepare().await;
        let before = calls(&server, "set");
        proxy.corrupt_replies(seed, NonZeroU32::new(1));
        let error = store.put(&put(2, "x")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MayHaveRun, "{error}");
        let error = programs(&store)
            .run(&tally(9), &Look::default())
            .await
            .unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::MayHaveRun | ErrorKind::NotSent),
            "{error}"
        );
        proxy.heal().unwrap();
        assert_eq!(calls(&server, "set"), before + 1);
        operations.recover("garbage").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_count_lies_between_acknowledged_and_possible_runs() {
    const TASKS: u64 = 8;
    const EACH: u64 = 250;
    let server = server();
    let (proxy, store) = proxied(&server).await;
    let counts: Arc<[AtomicU64; 2]> = Arc::default();
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (programs, counts) = (programs(&store), counts.clone());
            tokio::spawn(async move {
                for _ in 0..EACH {
                    increment(&programs, &counts).await;
                }
            })
        })
        .collect();
    let [acknowledged, ambiguous] = &*counts;
    let done = || acknowledged.load(Ordering::SeqCst) + ambiguous.load(Ordering::SeqCst);
    for cut in 1..=20 {
        until("going on", || async { done() >= cut * 80 }).await;
        match cut % 2 {
            0 => proxy.drop_replies(1),
            _ => proxy.cut_next_after(Direction::Replies, cut),
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(done(), TASKS * EACH);
    proxy.heal().unwrap();
    let seen = programs(&store)
        .run(&tally(1), &Look::default())
        .await
        .unwrap();
    let value: u64 = seen.fields()[0].1.parse().unwrap();
    let least = acknowledged.load(Ordering::SeqCst);
    let most = least + ambiguous.load(Ordering::SeqCst);
    assert!((least..=most).contains(&value), "{least} {value} {most}");
    assert!(least >= 1_000 && most - least >= 10, "{least} {most}");
}

/// Increments once: repeats the step until it is acknowledged, or may have run.
async fn increment(programs: &Arc<dyn Programs>, counts: &[AtomicU64; 2]) {
    let [acknowledged, ambiguous] = counts;
    loop {
        let add = Add { by: 1, ms: 60_000 };
        let count = match programs.run(&tally(1), &add).await {
            Ok(_) => acknowledged,
            Err(error) if error.kind() == ErrorKind::MayHaveRun => ambiguous,
            // The step did not run, so it may be tried again.
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(5)).await;
                continue;
            }
        };
        count.fetch_add(1, Ordering::SeqCst);
        return;
    }
}
