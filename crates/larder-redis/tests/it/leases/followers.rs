use std::sync::Arc;
use std::time::{Duration, Instant};

use larder_store::Ttl;
use larder_store::lease::{FollowOutcome, Leases};
use larder_test::server::RedisServer;
use tokio::task::JoinHandle;

use super::{lead, leases};
use crate::support::{calls, key, ok, patient, put, server, store, until};

const PATIENCE: Duration = Duration::from_secs(30);

fn follow(leases: &Arc<dyn Leases>, id: u64) -> JoinHandle<larder_store::Result<FollowOutcome>> {
    let leases = leases.clone();
    tokio::spawn(async move { leases.follow(&key(id), PATIENCE).await })
}

async fn is_followed(server: &RedisServer, id: u64) {
    until("followed", || async {
        ok(server, &["EXISTS", &waiters(id)]).int() == Some(1)
    })
    .await;
}

async fn is_left(server: &RedisServer, id: u64) {
    until("left", || async {
        let channels = ok(server, &["PUBSUB", "CHANNELS", &waiters(id)]);
        channels.array().is_some_and(<[_]>::is_empty)
    })
    .await;
}

fn waiters(id: u64) -> String {
    format!("{}:~waiters", key(id).as_str())
}

#[tokio::test]
async fn followers_in_another_process_are_woken_and_do_not_poll() {
    let server = server();
    let (leader, other) = (leases(&store(&server).await), leases(&store(&server).await));
    let fence = lead(&leader, &key(1)).await;
    let before = calls(&server, "evalsha") + calls(&server, "eval");
    let followers: Vec<_> = (0..8).map(|_| follow(&other, 1)).collect();
    is_followed(&server, 1).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let started = Instant::now();
    assert!(
        leader
            .commit(&put(1, "one"), fence)
            .await
            .unwrap()
            .is_stored()
    );
    for follower in followers {
        assert!(follower.await.unwrap().unwrap().is_ended());
    }
    assert!(started.elapsed() < PATIENCE);
    assert_eq!(calls(&server, "publish"), 1);
    // Each follower checks when it starts and when it is notified. The others are a commit, and scripts that
    // are sent with their text.
    let asked = calls(&server, "evalsha") + calls(&server, "eval") - before;
    assert!(asked <= 8 * 2 + 8 + 2, "{asked}");
}

#[tokio::test]
async fn each_end_of_a_lease_notifies_followers() {
    let server = server();
    let leases = leases(&store(&server).await);
    for id in 0..4 {
        let fence = lead(&leases, &key(id)).await;
        let follower = follow(&leases, id);
        is_followed(&server, id).await;
        let published = calls(&server, "publish");
        match id {
            0 => assert!(leases.abandon(&key(id), fence).await.unwrap().is_held()),
            1 => {
                let outcome = leases.commit(&put(id, "one"), fence).await.unwrap();
                assert!(outcome.is_stored());
            }
            2 => assert!(!leases.invalidate(&key(id)).await.unwrap().is_deleted()),
            _ => {
                let mut outcomes = leases.invalidate_many(&[key(id)]).await;
                assert!(!outcomes.remove(0).unwrap().is_deleted());
            }
        }
        assert!(follower.await.unwrap().unwrap().is_ended());
        assert_eq!(calls(&server, "publish"), published + 1, "{id}");
        // At most one message reaches no follower. After that no message is sent.
        is_left(&server, id).await;
        for _ in 0..3 {
            lead_again(&leases, id).await;
            let _ = leases.invalidate(&key(id)).await.unwrap();
            assert_eq!(calls(&server, "publish"), published + 2, "{id}");
        }
    }
}

async fn lead_again(leases: &Arc<dyn Leases>, id: u64) {
    let _ = leases.invalidate(&key(id)).await.unwrap();
    lead(leases, &key(id)).await;
}

#[tokio::test]
async fn a_follower_without_wakeups_polls_a_few_times_a_second() {
    let server = server();
    let url = format!("{}?protocol=resp2", server.url());
    let deaf = leases(&Arc::new(patient(&url).connect().await.unwrap()));
    let fence = lead(&deaf, &key(1)).await;
    assert!(
        !deaf
            .follow(&key(1), Duration::from_millis(1))
            .await
            .unwrap()
            .is_ended()
    );
    let follower = follow(&deaf, 1);
    let before = calls(&server, "evalsha");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let asked = calls(&server, "evalsha") - before;
    assert!((2..=16).contains(&asked), "{asked}");
    assert!(
        deaf.commit(&put(1, "one"), fence)
            .await
            .unwrap()
            .is_stored()
    );
    assert!(follower.await.unwrap().unwrap().is_ended());
    assert_eq!(calls(&server, "publish"), 0);
}

#[tokio::test]
async fn a_follower_ends_with_the_time_of_a_leader_that_is_gone() {
    let server = server();
    let leases = leases(&store(&server).await);
    let claim = larder_store::lease::Claim::new(key(1), Ttl::from_millis(200));
    leases.claim(&claim).await.unwrap();
    let started = Instant::now();
    assert!(leases.follow(&key(1), PATIENCE).await.unwrap().is_ended());
    assert!(started.elapsed() < PATIENCE);
    lead(&leases, &key(1)).await;
}

#[tokio::test]
async fn a_follower_whose_connection_is_cut_still_ends() {
    let server = server();
    let leases = leases(&store(&server).await);
    let fence = lead(&leases, &key(1)).await;
    let follower = follow(&leases, 1);
    is_followed(&server, 1).await;
    ok(&server, &["CLIENT", "KILL", "TYPE", "PUBSUB"]);
    assert!(
        leases
            .commit(&put(1, "one"), fence)
            .await
            .unwrap()
            .is_stored()
    );
    assert!(follower.await.unwrap().unwrap().is_ended());
}

#[tokio::test]
async fn a_shortening_renewal_notifies_followers() {
    let server = server();
    let leases = leases(&store(&server).await);
    let fence = lead(&leases, &key(1)).await;
    let follower = follow(&leases, 1);
    is_followed(&server, 1).await;
    let longer = Ttl::from_secs(120);
    assert!(
        leases
            .renew(&key(1), fence, longer)
            .await
            .unwrap()
            .is_held()
    );
    assert_eq!(calls(&server, "publish"), 0);
    let shorter = Ttl::from_millis(1);
    assert!(
        leases
            .renew(&key(1), fence, shorter)
            .await
            .unwrap()
            .is_held()
    );
    assert_eq!(calls(&server, "publish"), 1);
    assert!(follower.await.unwrap().unwrap().is_ended());
}

#[tokio::test]
async fn a_follower_keeps_its_deadline_while_it_cannot_subscribe_yet() {
    let server = server();
    let leases = leases(&store(&server).await);
    lead(&leases, &key(1)).await;
    // The connection for subscriptions does not exist yet, and there is no time to make it.
    for within in [Duration::ZERO, Duration::from_micros(1)] {
        assert!(!leases.follow(&key(1), within).await.unwrap().is_ended());
    }
}
