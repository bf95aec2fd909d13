use larder_store::lease::Claimed;
use larder_store::{ErrorKind, Refusal, Store, Ttl};

use super::{claim, lead, leases};
use crate::support::{calls, key, losing_the_answer, ok, proxied, put, server};

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_found_by_its_version() {
    let server = server();
    let (proxy, store) = proxied(&server).await;
    let leases = leases(&store);
    // The server now has the script, so that the lost answer is that of the commit.
    let fence = lead(&leases, &key(1)).await;
    assert!(
        leases
            .commit(&put(1, "a"), fence)
            .await
            .unwrap()
            .is_stored()
    );
    let _ = leases.invalidate(&key(1)).await.unwrap();
    let (put, fence) = (put(1, "b"), lead(&leases, &key(1)).await);
    let before = calls(&server, "evalsha");
    proxy.drop_replies(1);
    assert!(leases.commit(&put, fence).await.unwrap().is_stored());
    assert_eq!(calls(&server, "evalsha"), before + 1);
    let held = store.get(&key(1)).await.unwrap().unwrap();
    assert_eq!(held.version, put.version());
    assert_eq!(proxy.replies_dropped(), 1);
}

#[tokio::test]
async fn a_refusal_that_was_lost_may_have_been_a_commit() {
    let server = server();
    let (proxy, store) = proxied(&server).await;
    let leases = leases(&store);
    let fence = lead(&leases, &key(1)).await;
    assert!(
        leases
            .commit(&put(1, "a"), fence)
            .await
            .unwrap()
            .is_stored()
    );
    proxy.drop_replies(1);
    let error = leases.commit(&put(1, "b"), fence).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MayHaveRun);
}

#[tokio::test]
async fn a_claim_and_an_abandon_are_never_sent_twice() {
    let server = server();
    let (proxy, store) = proxied(&server).await;
    let leases = leases(&store);
    let fence = lead(&leases, &key(1)).await;
    let _ = leases.abandon(&key(1), fence).await.unwrap();
    let before = calls(&server, "evalsha");
    proxy.drop_replies(1);
    let error = leases.claim(&claim(&key(1))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MayHaveRun);
    assert_eq!(calls(&server, "evalsha"), before + 1);
    let claimed = leases.claim(&claim(&key(1))).await.unwrap();
    assert!(matches!(claimed, Claimed::Follow), "{claimed:?}");
    let fence = lead(&leases, &key(2)).await;
    proxy.drop_replies(1);
    let error = leases.abandon(&key(2), fence).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MayHaveRun);
    lead(&leases, &key(2)).await;
}

#[tokio::test]
async fn an_idempotent_lease_operation_is_sent_again() {
    let server = server();
    let (proxy, store) = proxied(&server).await;
    let leases = leases(&store);
    // The server now has the scripts, so that the lost answers are theirs.
    let fence = lead(&leases, &key(1)).await;
    let long = Ttl::from_secs(60);
    assert!(leases.renew(&key(1), fence, long).await.unwrap().is_held());
    let _ = leases.invalidate(&key(2)).await.unwrap();
    proxy.drop_replies(1);
    assert!(
        leases
            .renew(&key(1), fence, Ttl::from_secs(9))
            .await
            .unwrap()
            .is_held()
    );
    let _ = store.put(&put(1, "a")).await.unwrap();
    proxy.drop_replies(1);
    // The second one finds no value.
    assert!(!leases.invalidate(&key(1)).await.unwrap().is_deleted());
    assert!(
        !leases
            .commit(&put(1, "b"), fence)
            .await
            .unwrap()
            .is_stored()
    );
    let _ = store.put(&put(1, "a")).await.unwrap();
    proxy.drop_replies(1);
    for answer in leases.invalidate_many(&[key(1), key(2)]).await {
        assert!(!answer.unwrap().is_deleted());
    }
    assert_eq!(store.get(&key(1)).await.unwrap(), None);
    assert_eq!(proxy.replies_dropped(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_that_ran_and_was_refused_when_it_was_sent_again_may_have_run() {
    let server = server();
    let (proxy, store) = proxied(&server).await;
    let leases = leases(&store);
    let (key, long) = (key(1), Ttl::from_secs(60));
    let fence = lead(&leases, &key).await;
    assert!(leases.renew(&key, fence, long).await.unwrap().is_held());
    let demote = || drop(ok(&server, &["REPLICAOF", "127.0.0.1", "1"]));
    let renewing = leases.renew(&key, fence, long);
    let answer = losing_the_answer((&proxy, &server), "evalsha", renewing, demote).await;
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::MayHaveRun);
    let answer = leases.renew(&key, fence, long).await;
    let refused = ErrorKind::Refused(Refusal::ReadOnly);
    assert_eq!(answer.unwrap_err().kind(), refused);
}
