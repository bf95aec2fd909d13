use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use larder_redis::RedisStore;
use larder_store::{ErrorKind, Put, Store, Ttl};

use crate::support::{
    Add, BRISK, Look, Set, brisk, clients, key, more, ok, programs, put, server, store, tally,
    until,
};

/// Much longer than a call that fails at once takes, much shorter than the deadlines of these tests.
const AT_ONCE: Duration = Duration::from_millis(400);

async fn works(store: &RedisStore) -> bool {
    store.get(&key(1)).await.is_ok()
}

async fn fails_at_once(store: &RedisStore) -> bool {
    let started = Instant::now();
    let answer = store.get(&key(1)).await;
    let kind = answer.err().map(|error| error.kind());
    kind == Some(ErrorKind::NotSent) && started.elapsed() < AT_ONCE
}

/// Runs each operation once that may be sent again.
async fn idempotent_operations(store: &Arc<RedisStore>) {
    assert!(store.get(&key(1)).await.unwrap().is_some());
    assert!(store.ttl(&key(1)).await.unwrap().is_some());
    let many = store.get_many(&[key(1), key(2)]).await;
    assert!(many.iter().all(Result::is_ok));
    let programs = programs(store);
    let set = Set { to: 7, ms: 60_000 };
    assert_eq!(programs.run(&tally(1), &set).await.unwrap(), 7);
    programs.run(&tally(1), &Look::default()).await.unwrap();
    let steps = [(tally(1), set), (tally(2), Set { to: 8, ms: 60_000 })];
    let many = programs.run_many(&steps).await;
    assert!(many.iter().all(Result::is_ok));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_idempotent_operation_fails_when_every_connection_is_killed() {
    let server = server();
    let store = store(&server).await;
    let _ = store.put(&put(1, "one")).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let runs = Arc::new(AtomicU64::new(0));
    let workers: Vec<_> = (0..16)
        .map(|_| {
            let (store, done, runs) = (store.clone(), done.clone(), runs.clone());
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    idempotent_operations(&store).await;
                    runs.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for _ in 0..5 {
        more(&runs, 64).await;
        ok(&server, &["CLIENT", "KILL", "TYPE", "normal"]);
    }
    more(&runs, 64).await;
    done.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_never_runs_twice_when_its_connection_is_killed() {
    let server = server();
    let store = store(&server).await;
    let (known, ambiguous) = (AtomicU64::new(0), AtomicU64::new(0));
    let done = AtomicBool::new(false);
    let adding = async {
        let programs = programs(&store);
        let add = Add { by: 1, ms: 60_000 };
        while !done.load(Ordering::Relaxed) {
            match programs.run(&tally(1), &add).await {
                Ok(_) => known.fetch_add(1, Ordering::Relaxed),
                Err(error) if error.kind() == ErrorKind::MayHaveRun => {
                    ambiguous.fetch_add(1, Ordering::Relaxed)
                }
                Err(error) => panic!("{error}"),
            };
        }
    };
    let killing = async {
        for _ in 0..8 {
            more(&known, 64).await;
            ok(&server, &["CLIENT", "KILL", "TYPE", "normal"]);
        }
        done.store(true, Ordering::Relaxed);
    };
    tokio::join!(adding, killing);
    let seen = programs(&store).run(&tally(1), &Look::default()).await;
    let n = seen.unwrap().fields()[0].1.parse::<u64>().unwrap();
    let (known, ambiguous) = (known.into_inner(), ambiguous.into_inner());
    assert!(
        known <= n && n <= known + ambiguous,
        "{known} {n} {ambiguous}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_whose_connection_was_killed_is_there_or_says_that_it_may_be() {
    let server = server();
    let store = store(&server).await;
    let done = Arc::new(AtomicBool::new(false));
    let runs = Arc::new(AtomicU64::new(0));
    let workers: Vec<_> = (0..8_u32)
        .map(|worker| {
            let (store, done, runs) = (store.clone(), done.clone(), runs.clone());
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    let put = put(worker, "x");
                    match store.put(&put).await {
                        Ok(written) => {
                            assert!(written.is_stored());
                            let entry = store.get(put.key()).await.unwrap().unwrap();
                            assert_eq!(entry.version, put.version());
                        }
                        Err(error) => assert_eq!(error.kind(), ErrorKind::MayHaveRun),
                    }
                    runs.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for _ in 0..8 {
        more(&runs, 64).await;
        ok(&server, &["CLIENT", "KILL", "TYPE", "normal"]);
    }
    done.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.await.unwrap();
    }
}

#[tokio::test]
async fn connections_that_are_killed_while_idle_are_replaced_before_anybody_asks() {
    let server = server();
    let store = store(&server).await;
    assert_eq!(clients(&server), 1);
    ok(&server, &["CLIENT", "KILL", "TYPE", "normal"]);
    until("connected again", || async { clients(&server) == 1 }).await;
    assert!(store.put(&put(1, "one")).await.unwrap().is_stored());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_costs_five_deadlines_and_then_nothing_until_it_runs_again() {
    let server = server();
    let store = brisk(&server.url()).connect().await.unwrap();
    until("warm", || works(&store)).await;
    server.stop().unwrap();
    let started = Instant::now();
    let error = store.get(&key(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MayHaveRun);
    assert!(started.elapsed() >= BRISK);
    assert!(started.elapsed() < 3 * BRISK, "{:?}", started.elapsed());
    until("given up", || fails_at_once(&store)).await;
    server.cont().unwrap();
    let started = Instant::now();
    until("back", || works(&store)).await;
    let took = started.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_gone_fails_at_once_and_works_when_it_is_back() {
    let mut server = server();
    let store = store(&server).await;
    until("warm", || works(&store)).await;
    server.kill();
    until("given up", || fails_at_once(&store)).await;
    for _ in 0..100 {
        assert!(fails_at_once(&store).await);
    }
    server.restart().unwrap();
    let started = Instant::now();
    until("back", || works(&store)).await;
    let took = started.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(clients(&server), 1);
}

#[tokio::test]
async fn a_put_that_is_dropped_midway_leaves_the_others_well() {
    let server = server();
    let store = store(&server).await;
    let large = Put::new(key(0), vec![7; 4 << 20], Ttl::from_secs(60));
    for round in 0..20 {
        let mine = put(1, "mine");
        let abandoned = store.put(&large);
        let patience = Duration::from_micros(round * 200);
        let _ = tokio::time::timeout(patience, abandoned).await;
        assert!(store.put(&mine).await.unwrap().is_stored());
        let entry = store.get(&key(1)).await.unwrap().unwrap();
        assert_eq!(entry.version, mine.version());
        if let Some(entry) = store.get(&key(0)).await.unwrap() {
            assert!(entry.value == *large.value() && entry.version == large.version());
        }
    }
}

#[tokio::test]
async fn one_more_than_may_be_in_flight_is_not_sent() {
    let server = server();
    let one = std::num::NonZeroUsize::MIN;
    let builder = crate::support::patient(&server.url()).with_max_in_flight(one);
    let store = builder.connect().await.unwrap();
    server.stop().unwrap();
    let (first, second) = (key(1), key(2));
    let mut waiting = store.get(&first);
    poll_fn(|context| {
        assert!(waiting.as_mut().poll(context).is_pending());
        Poll::Ready(())
    })
    .await;
    let error = store.get(&second).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotSent);
    assert!(error.to_string().contains("overloaded"), "{error}");
    server.cont().unwrap();
    waiting.await.unwrap();
    store.get(&second).await.unwrap();
}

#[tokio::test]
async fn a_store_that_is_dropped_leaves_no_connection_and_no_task() {
    let server = server();
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let before = tasks();
    let store = store(&server).await;
    store.get(&key(1)).await.unwrap();
    assert!(tasks() > before);
    drop(store);
    until("disconnected", || async { clients(&server) == 0 }).await;
    until("quiet", || async { tasks() == before }).await;
}
