use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use larder_redis::RedisStore;
use larder_store::{ErrorKind, PutOutcome, Refusal, Store};

use super::fake::Fake;
use super::fresh;
use crate::support::{Add, key, patient, programs, put, tally, until};

async fn behind(fake: &Fake) -> Arc<RedisStore> {
    Arc::new(patient(&fake.url()).connect().await.unwrap())
}

/// Makes a store that has at most one operation in flight to each node.
async fn one_at_a_time(fake: &Fake) -> Arc<RedisStore> {
    let builder = patient(&fake.url()).with_max_in_flight(NonZeroUsize::MIN);
    Arc::new(builder.connect().await.unwrap())
}

#[tokio::test]
async fn nodes_that_send_an_operation_round_and_round_are_left_after_five_hops() {
    let (one, other) = (Fake::start(), Fake::start());
    let (to_one, to_other) = (one.port(), other.port());
    one.answers(move |_| format!("-MOVED 1 127.0.0.1:{to_other}\r\n"));
    other.answers(move |_| format!("-MOVED 1 127.0.0.1:{to_one}\r\n"));
    let store = behind(&one).await;
    let error = store.get(&key(fresh())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused(Refusal::Unavailable));
    assert!(error.to_string().contains("more than 5 times"), "{error}");
    assert_eq!(one.gets() + other.gets(), 6);
    let many = store.get_many(&[key(fresh()), key(fresh())]).await;
    for result in many {
        let error = result.unwrap_err();
        assert!(error.to_string().contains("more than 5 times"), "{error}");
    }
}

#[tokio::test]
async fn an_operation_that_is_sent_on_goes_there_at_once() {
    let (one, other) = (Fake::start(), Fake::start());
    let to_other = other.port();
    // Without a host, the redirect means the host of the node that answers.
    one.answers(move |_| format!("-MOVED 1 :{to_other}\r\n"));
    other.answers(|_| ":7\r\n".to_owned());
    let store = behind(&one).await;
    let add = Add { by: 1, ms: 60_000 };
    assert_eq!(programs(&store).run(&tally(1), &add).await.unwrap(), 7);
    let many = [(tally(1), Add { by: 1, ms: 60_000 }), (tally(2), add)];
    for result in programs(&store).run_many(&many).await {
        assert_eq!(result.unwrap(), 7);
    }
}

#[tokio::test]
async fn a_node_without_a_name_is_an_error_that_names_the_setting() {
    let node = Fake::start();
    node.answers(|_| "-MOVED 1 ?:7001\r\n".to_owned());
    let store = behind(&node).await;
    let error = store.get(&key(fresh())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused(Refusal::Unavailable));
    let many = store.get_many(&[key(fresh())]).await;
    for error in many.into_iter().map(Result::unwrap_err).chain([error]) {
        assert!(
            error.to_string().contains("cluster-announce-hostname"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn asking_precedes_a_command_that_a_node_may_not_serve_yet() {
    let (one, other) = (Fake::start(), Fake::start());
    let to_other = other.port();
    one.answers(move |_| format!("-ASK 1 127.0.0.1:{to_other}\r\n"));
    let asked = Arc::new(AtomicU64::new(0));
    let known = asked.clone();
    other.answers(move |command| match &command[0][..] {
        b"ASKING" => {
            known.fetch_add(1, Ordering::SeqCst);
            "+OK\r\n".to_owned()
        }
        // Without ASKING before it, the command is not served here.
        _ if known.load(Ordering::SeqCst) == 0 => "-MOVED 1 127.0.0.1:1\r\n".to_owned(),
        _ => {
            known.fetch_sub(1, Ordering::SeqCst);
            "$-1\r\n".to_owned()
        }
    });
    let store = behind(&one).await;
    assert_eq!(store.get(&key(1)).await.unwrap(), None);
    let keys: Vec<_> = (0..10_u64).map(key).collect();
    for result in store.get_many(&keys).await {
        assert_eq!(result.unwrap(), None);
    }
    assert_eq!((asked.load(Ordering::SeqCst), other.gets()), (0, 11));
}

/// Has a node answer this many times that a record is still between two nodes.
fn between_two_nodes(fake: &Fake, times: u64) {
    let before = AtomicU64::new(times);
    fake.answers(move |_| match before.load(Ordering::SeqCst) {
        0 => "+OK\r\n".to_owned(),
        left => {
            before.store(left - 1, Ordering::SeqCst);
            "-TRYAGAIN Multiple keys request during rehashing of slot\r\n".to_owned()
        }
    });
}

#[tokio::test]
async fn a_record_that_is_between_two_nodes_is_asked_for_until_it_has_arrived() {
    let fake = Fake::start();
    between_two_nodes(&fake, 7);
    assert!(
        behind(&fake)
            .await
            .put(&put(1_u8, "x"))
            .await
            .unwrap()
            .is_stored()
    );
}

#[tokio::test]
async fn an_operation_that_asks_the_same_node_again_counts_once() {
    let fake = Fake::start();
    between_two_nodes(&fake, 3);
    let store = one_at_a_time(&fake).await;
    for _ in 0..2 {
        assert!(store.put(&put(1_u8, "x")).await.unwrap().is_stored());
    }
}

#[tokio::test]
async fn a_node_serves_its_own_keys_while_those_that_it_sent_on_wait_elsewhere() {
    let (one, slow) = (Fake::start(), Fake::start());
    let (to_slow, away, own) = (slow.port(), key(fresh()), key(fresh()));
    let moved = away.clone();
    one.answers(
        move |command| match command[1..] == [moved.as_bytes().to_vec()] {
            true => format!("-ASK 1 127.0.0.1:{to_slow}\r\n"),
            false => "$-1\r\n".to_owned(),
        },
    );
    slow.answers(|command| match &command[0][..] {
        b"ASKING" => "+OK\r\n".to_owned(),
        _ => {
            std::thread::sleep(std::time::Duration::from_secs(1));
            "$-1\r\n".to_owned()
        }
    });
    let store = one_at_a_time(&one).await;
    let meanwhile = async {
        until("sent on", || async { slow.gets() > 0 }).await;
        store.get(&own).await
    };
    let (elsewhere, here) = tokio::join!(store.get(&away), meanwhile);
    assert_eq!((elsewhere.unwrap(), here.unwrap()), (None, None));
}

#[tokio::test]
async fn a_script_that_is_unknown_where_it_was_sent_on_to_follows_with_its_text() {
    let (one, other) = (Fake::start(), Fake::start());
    let to_other = other.port();
    one.answers(move |_| format!("-MOVED 1 127.0.0.1:{to_other}\r\n"));
    other.answers(|command| match &command[0][..] {
        b"EVAL" => ":7\r\n".to_owned(),
        _ => "-NOSCRIPT No matching script.\r\n".to_owned(),
    });
    let store = one_at_a_time(&one).await;
    for _ in 0..2 {
        let add = Add { by: 1, ms: 60_000 };
        assert_eq!(programs(&store).run(&tally(1), &add).await.unwrap(), 7);
    }
}

#[tokio::test]
async fn a_master_that_became_a_replica_is_asked_again_until_the_map_is_new() {
    let fake = Fake::start();
    let before = AtomicU64::new(3);
    fake.answers(move |_| match before.load(Ordering::SeqCst) {
        0 => "+OK\r\n".to_owned(),
        left => {
            before.store(left - 1, Ordering::SeqCst);
            "-READONLY You can't write against a read only replica.\r\n".to_owned()
        }
    });
    assert!(
        behind(&fake)
            .await
            .put(&put(1_u8, "x"))
            .await
            .unwrap()
            .is_stored()
    );
}

#[tokio::test]
async fn a_cluster_that_is_down_refuses_at_once_and_says_that_nothing_ran() {
    let fake = Fake::start();
    fake.answers(|_| "-CLUSTERDOWN The cluster is down\r\n".to_owned());
    let store = behind(&fake).await;
    let error = store.put(&put(1_u8, "x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused(Refusal::Unavailable));
    assert!(error.had_no_effect() && error.to_string().contains("CLUSTERDOWN"));
    fake.answers(|_| "+OK\r\n".to_owned());
    until("up", || async { store.put(&put(1_u8, "x")).await.is_ok() }).await;
}

#[tokio::test]
async fn a_redirection_to_nowhere_is_an_error_and_no_panic() {
    let fake = Fake::start();
    let store = behind(&fake).await;
    for place in [
        "",
        " 1",
        " 1 ?:7",
        " 1 host",
        " x y:0",
        " 1 127.0.0.1:99999",
    ] {
        fake.answers(move |_| format!("-MOVED{place}\r\n"));
        let error = store.get(&key(1)).await.unwrap_err();
        assert!(error.had_no_effect(), "{place}: {error}");
    }
}

#[tokio::test]
async fn an_item_that_is_sent_on_never_runs_after_a_later_one_of_its_key() {
    let (one, other) = (Fake::start(), Fake::start());
    let to_other = other.port();
    let first = AtomicBool::new(true);
    one.answers(move |_| match first.swap(false, Ordering::SeqCst) {
        true => format!("-MOVED 1 127.0.0.1:{to_other}\r\n"),
        false => "+OK\r\n".to_owned(),
    });
    let sent = Arc::new(AtomicU64::new(0));
    let known = sent.clone();
    other.answers(move |_| {
        known.fetch_add(1, Ordering::SeqCst);
        "+OK\r\n".to_owned()
    });
    let store = behind(&one).await;
    let many = store.put_many(&[put(1_u8, "old"), put(1_u8, "new")]).await;
    assert_eq!(many[0].as_ref().unwrap_err().kind(), ErrorKind::NotSent);
    assert!(many[1].as_ref().unwrap().is_stored());
    assert_eq!(sent.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn items_of_one_key_go_on_together_though_the_node_says_two_things() {
    let (one, other) = (Fake::start(), Fake::start());
    let to_other = other.port();
    let first = AtomicBool::new(true);
    one.answers(move |_| match first.swap(false, Ordering::SeqCst) {
        true => format!("-MOVED 1 127.0.0.1:{to_other}\r\n"),
        false => "-TRYAGAIN Multiple keys request during rehashing of slot\r\n".to_owned(),
    });
    let seen = Arc::new(Mutex::new(Vec::new()));
    let known = seen.clone();
    other.answers(move |command| {
        let value = String::from_utf8_lossy(&command[2][16..]).into_owned();
        known.lock().unwrap().push(value);
        "+OK\r\n".to_owned()
    });
    let store = behind(&one).await;
    // After the pause for the second put, both follow the map of slots, which now names the other node.
    one.says(&[(0, 16_383, to_other)]);
    let many = store.put_many(&[put(1_u8, "old"), put(1_u8, "new")]).await;
    assert!(
        many.iter()
            .all(|result| matches!(result, Ok(PutOutcome::Stored))),
        "{many:?}"
    );
    assert_eq!(*seen.lock().unwrap(), ["old", "new"]);
}
