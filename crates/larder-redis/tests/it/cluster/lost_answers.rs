use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use larder_store::{ErrorKind, Store};

use super::fake::{Fake, HANG_UP};
use super::{fresh, store};
use crate::support::{Add, Look, brisk, key, more, ok, programs, put, tally};

/// Loses answers by closing the connections of all nodes while slots move.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_never_runs_twice_when_connections_are_killed_and_slots_move() {
    let cluster = larder_test::server::RedisCluster::start().unwrap();
    let store = store(&cluster).await;
    let start = fresh();
    let known: Vec<_> = (0..4).map(|_| AtomicU64::new(0)).collect();
    let ambiguous: Vec<_> = (0..4).map(|_| AtomicU64::new(0)).collect();
    let (done, runs) = (AtomicBool::new(false), AtomicU64::new(0));
    let adding = async |at: usize| {
        let programs = programs(&store);
        let id = start + at as u64;
        while !done.load(Ordering::Relaxed) {
            let add = Add { by: 1, ms: 60_000 };
            match programs.run(&tally(id), &add).await {
                Ok(_) => known[at].fetch_add(1, Ordering::Relaxed),
                Err(error) if error.kind() == ErrorKind::MayHaveRun => {
                    ambiguous[at].fetch_add(1, Ordering::Relaxed)
                }
                // While a slot moves, a step on a record with only one of its keys there must wait, not fail.
                Err(error) => panic!("{error}"),
            };
            runs.fetch_add(1, Ordering::Relaxed);
        }
    };
    let disturbing = async {
        for round in 0..6 {
            more(&runs, 200).await;
            for master in cluster.masters() {
                ok(master, &["CLIENT", "KILL", "TYPE", "normal"]);
            }
            more(&runs, 200).await;
            let slot = larder_test::server::slot_of(tally(start).as_str());
            let from = cluster.master_of_slot(slot).unwrap().port();
            let masters = cluster.masters();
            let mut others = masters.iter().filter(|master| master.port() != from);
            let to = others.nth(round % 2).unwrap();
            cluster.move_slot(slot, to).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    };
    tokio::join!(adding(0), adding(1), adding(2), adding(3), disturbing);
    for at in 0..4 {
        let look = Look::default();
        let seen = programs(&store).run(&tally(start + at as u64), &look).await;
        let n = seen.unwrap().fields()[0].1.parse::<u64>().unwrap();
        let known = known[at].load(Ordering::Relaxed);
        let ambiguous = ambiguous[at].load(Ordering::Relaxed);
        assert!(
            known <= n && n <= known + ambiguous,
            "{known} {n} {ambiguous}"
        );
        assert!(known > 100, "{known}");
    }
    assert!(store.put(&put(start, "x")).await.unwrap().is_stored());
    assert!(store.get(&key(start)).await.unwrap().is_some());
}

/// Makes two nodes. The first closes the connection at its first script, and later redirects to the other
/// one, which refuses.
fn sends_on_after_a_lost_answer(code: &'static str, refusal: &'static str) -> (Fake, Fake) {
    let (one, other) = (Fake::start(), Fake::start());
    let to_other = other.port();
    let calls = AtomicU64::new(0);
    one.answers(move |command| match &command[0][..] {
        b"EVALSHA" | b"EVAL" => match calls.fetch_add(1, Ordering::SeqCst) {
            0 => HANG_UP.to_owned(),
            _ => format!("-{code} 1 127.0.0.1:{to_other}\r\n"),
        },
        _ => "$-1\r\n".to_owned(),
    });
    other.answers(move |command| match &command[0][..] {
        b"ASKING" => "+OK\r\n".to_owned(),
        _ => format!("-{refusal}\r\n"),
    });
    (one, other)
}

#[tokio::test]
async fn a_write_that_ran_and_was_refused_after_a_redirect_may_have_run() {
    for (code, refusal) in [
        ("MOVED", "OOM command not allowed"),
        ("MOVED", "NOPERM this user may not"),
        ("ASK", "LOADING Redis is loading"),
        ("MOVED", "MASTERDOWN Link with MASTER"),
    ] {
        let (one, _other) = sends_on_after_a_lost_answer(code, refusal);
        let store = brisk(&one.url()).connect().await.unwrap();
        let leases = Arc::new(store).leases().unwrap();
        let error = leases.invalidate(&key(1)).await.unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::MayHaveRun,
            "{code} {refusal}: {error}"
        );

        let (one, _other) = sends_on_after_a_lost_answer(code, refusal);
        let store = brisk(&one.url()).connect().await.unwrap();
        let leases = Arc::new(store).leases().unwrap();
        for answer in leases.invalidate_many(&[key(1), key(1)]).await {
            let error = answer.unwrap_err();
            assert_eq!(
                error.kind(),
                ErrorKind::MayHaveRun,
                "{code} {refusal}: {error}"
            );
        }
    }
}

#[tokio::test]
async fn a_lost_write_without_a_node_to_go_to_may_have_run() {
    // No server listens on this port.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = listener.local_addr().unwrap().port();
    drop(listener);
    let (one, calls) = (Fake::start(), AtomicU64::new(0));
    one.answers(move |_| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => HANG_UP.to_owned(),
        _ => format!("-MOVED 1 127.0.0.1:{gone}\r\n"),
    });
    let store = brisk(&one.url()).connect().await.unwrap();
    let leases = Arc::new(store).leases().unwrap();
    let error = leases.invalidate(&key(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MayHaveRun, "{error}");
}
