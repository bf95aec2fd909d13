//! Waits for a record: when a message is sent, and when none is.

use std::sync::Arc;
use std::time::Duration;

use larder_redis::RedisStore;
use larder_store::program::Record;
use larder_store::wait::{Waiter, Wake};
use larder_store::{Key, Store, Ttl};
use larder_test::records::{Ring, Tally};
use larder_test::server::{RedisOptions, RedisSentinels, RedisServer};
use tokio::task::block_in_place;
use tokio::time::timeout;

use crate::support::{calls, later, ok, patient, programs, server, store, until};

const SOON: Duration = Duration::from_secs(20);

const RING: Ring = Ring {
    wakes: true,
    ttl: Ttl::from_secs(60),
};

fn key() -> Key {
    Key::new(Tally::KIND, 1_u32)
}

async fn waiter(store: &Arc<RedisStore>) -> Box<dyn Waiter> {
    let waits = store.clone().waits().unwrap();
    waits.wait_for(&key()).await.unwrap()
}

async fn ring(store: &Arc<RedisStore>) {
    programs(store).run(&key(), &RING).await.unwrap();
}

async fn next(waiter: &mut Box<dyn Waiter>) -> Wake {
    timeout(SOON, waiter.next()).await.unwrap()
}

#[tokio::test]
async fn a_wake_is_one_message_to_a_process_however_many_wait() {
    let server = server();
    let (one, other) = (store(&server).await, store(&server).await);
    let mut waiters = Vec::new();
    for _ in 0..8 {
        waiters.push(waiter(&other).await);
    }
    ring(&one).await;
    for waiter in &mut waiters {
        assert_eq!(next(waiter).await, Wake::Woken);
    }
    assert_eq!(calls(&server, "publish"), 1);
}

#[tokio::test]
async fn no_message_is_sent_without_a_waiter() {
    let server = server();
    let store = store(&server).await;
    ring(&store).await;
    assert_eq!(calls(&server, "publish"), 0);
    drop(waiter(&store).await);
    let channel = format!("{}:~waiters", key().as_str());
    until("left", || async {
        let channels = ok(&server, &["PUBSUB", "CHANNELS", &channel]);
        channels.array().is_some_and(<[_]>::is_empty)
    })
    .await;
    for _ in 0..3 {
        ring(&store).await;
    }
    // The first message reaches no waiter, and then no more are sent.
    assert_eq!(calls(&server, "publish"), 1);
    let mut waiter = waiter(&store).await;
    ring(&store).await;
    assert_eq!(next(&mut waiter).await, Wake::Woken);
}

#[tokio::test]
async fn a_waiter_whose_connection_is_cut_looks_again_and_gets_later_wakes() {
    let server = server();
    let store = store(&server).await;
    let mut waiter = waiter(&store).await;
    ok(&server, &["CLIENT", "KILL", "TYPE", "PUBSUB"]);
    // As if a step had woken while there was no subscription: the script then forgets the waiter.
    let channel = format!("{}:~waiters", key().as_str());
    ok(&server, &["DEL", &channel]);
    assert_eq!(next(&mut waiter).await, Wake::Recheck);
    ring(&store).await;
    assert_eq!(next(&mut waiter).await, Wake::Woken);
}

/// Returns how long the server still keeps the mark of a waiter, in milliseconds.
fn marked_for(server: &RedisServer) -> i64 {
    let mark = format!("{}:~waiters", key().as_str());
    ok(server, &["PTTL", &mark]).int().unwrap()
}

#[tokio::test]
async fn a_waiter_that_is_woken_often_goes_on_to_be_told() {
    let server = server();
    let store = store(&server).await;
    let mut waiter = waiter(&store).await;
    // Each wake comes before the pause of the waiter has ended.
    for _ in 0..3 {
        later(Duration::from_secs(6)).await;
        let mark = format!("{}:~waiters", key().as_str());
        ok(&server, &["PEXPIRE", &mark, "4000"]);
        ring(&store).await;
        assert_eq!(next(&mut waiter).await, Wake::Woken);
        assert!(
            marked_for(&server) > 5_000,
            "the mark ends while somebody waits"
        );
    }
}

#[tokio::test]
async fn a_waiter_whose_mark_has_ended_looks_again_at_once() {
    let server = server();
    let store = store(&server).await;
    let mut waiter = waiter(&store).await;
    later(Duration::from_secs(11)).await;
    let mark = format!("{}:~waiters", key().as_str());
    ok(&server, &["DEL", &mark]);
    // No message is sent for this wake.
    ring(&store).await;
    let at_once = timeout(Duration::from_secs(1), waiter.next()).await;
    assert_eq!(at_once, Ok(Wake::Recheck));
    ring(&store).await;
    assert_eq!(next(&mut waiter).await, Wake::Woken);
}

#[tokio::test]
async fn a_waiter_that_could_not_subscribe_is_told_once_it_can() {
    let server = RedisOptions::new()
        .with_user("app", "on >secret ~* resetchannels +@all -@admin")
        .start()
        .unwrap();
    let url = server.url().replace("redis://", "redis://app:secret@");
    let app = Arc::new(patient(&url).connect().await.unwrap());
    let mut waiter = waiter(&app).await;
    assert_eq!(next(&mut waiter).await, Wake::Recheck);
    ok(&server, &["ACL", "SETUSER", "app", "allchannels"]);
    is_told_by(&store(&server).await, &mut waiter).await;
}

/// Wakes again and again, until a wake reaches the waiter.
async fn is_told_by(other: &Arc<RedisStore>, waiter: &mut Box<dyn Waiter>) {
    let told = async {
        loop {
            ring(other).await;
            if next(waiter).await == Wake::Woken {
                return;
            }
        }
    };
    timeout(SOON, told).await.unwrap();
}

#[tokio::test]
async fn a_waiter_whose_subscription_was_ended_polls_and_is_told_again_once_it_may() {
    let server = RedisOptions::new()
        .with_user("app", "on >secret ~* allchannels +@all -@admin")
        .start()
        .unwrap();
    let url = server.url_as("app", "secret");
    let app = Arc::new(patient(&url).connect().await.unwrap());
    let (mut waiter, other) = (waiter(&app).await, store(&server).await);
    is_told_by(&other, &mut waiter).await;
    // The server ends the connection, and refuses the channel to the next one.
    ok(&server, &["ACL", "SETUSER", "app", "resetchannels"]);
    let polls = async {
        for _ in 0..10 {
            assert_eq!(next(&mut waiter).await, Wake::Recheck);
        }
    };
    // A waiter with a subscription checks only every two seconds.
    timeout(Duration::from_secs(10), polls).await.unwrap();
    ok(&server, &["ACL", "SETUSER", "app", "allchannels"]);
    is_told_by(&other, &mut waiter).await;
}

#[tokio::test]
async fn a_waiter_that_cannot_be_told_looks_again_a_few_times_a_second() {
    let server = server();
    let url = format!("{}?protocol=resp2", server.url());
    let deaf = Arc::new(patient(&url).connect().await.unwrap());
    let mut waiter = waiter(&deaf).await;
    let looks = async { while next(&mut waiter).await == Wake::Recheck {} };
    assert!(timeout(Duration::from_secs(2), looks).await.is_err());
    for _ in 0..3 {
        assert_eq!(next(&mut waiter).await, Wake::Recheck);
    }
    assert_eq!(calls(&server, "publish"), 0);
}

#[tokio::test]
async fn a_user_who_may_not_publish_runs_the_step_and_waiters_poll() {
    let server = RedisOptions::new()
        .with_user("app", "on >secret ~* resetchannels +@all -@admin")
        .start()
        .unwrap();
    let url = server.url().replace("redis://", "redis://app:secret@");
    let app = Arc::new(patient(&url).connect().await.unwrap());
    let mut waiter = waiter(&store(&server).await).await;
    ring(&app).await;
    assert_eq!(next(&mut waiter).await, Wake::Recheck);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiter_is_told_by_the_new_master_after_a_failover() {
    let trio = RedisSentinels::start().unwrap();
    let store = Arc::new(patient(&trio.url()).connect().await.unwrap());
    let mut waiter = waiter(&store).await;
    let old = trio.master().unwrap();
    old.kill();
    block_in_place(|| trio.wait_for_writable(old)).unwrap();
    let steps = programs(&store);
    // It checked again when it reached the new master, and gets messages from it from then on.
    let woken = async {
        loop {
            let _ = steps.run(&key(), &RING).await;
            if timeout(Duration::from_millis(200), waiter.next()).await == Ok(Wake::Woken) {
                return;
            }
        }
    };
    timeout(SOON, woken).await.unwrap();
}
