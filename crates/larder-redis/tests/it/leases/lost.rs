use std::sync::Arc;

use larder_store::{Claimed, ErrorKind, Store, Ttl};

use super::{claim, lead, leases};
use crate::proxy::Proxy;
use crate::support::{calls, key, patient, put, server};

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_found_by_its_version() {
    let server = server();
    let proxy = Proxy::before(server.address());
    let store = Arc::new(patient(&proxy.url()).connect().await.unwrap());
    let leases = leases(&store);
    // The script is known from here on, so that the answer that is lost is the commit's.
    let fence = lead(&leases, &key(1)).await;
    assert!(leases.commit(&put(1, "a"), fence).await.unwrap());
    leases.invalidate(&key(1)).await.unwrap();
    let (put, fence) = (put(1, "b"), lead(&leases, &key(1)).await);
    let before = calls(&server, "evalsha");
    proxy.lose_the_next_answer();
    assert!(leases.commit(&put, fence).await.unwrap());
    assert_eq!(calls(&server, "evalsha"), before + 1);
    let held = store.get(&key(1)).await.unwrap().unwrap();
    assert_eq!(held.version, put.version());
}

#[tokio::test]
async fn a_refusal_that_was_lost_may_have_been_a_commit() {
    let server = server();
    let proxy = Proxy::before(server.address());
    let leases = leases(&Arc::new(patient(&proxy.url()).connect().await.unwrap()));
    let fence = lead(&leases, &key(1)).await;
    assert!(leases.commit(&put(1, "a"), fence).await.unwrap());
    proxy.lose_the_next_answer();
    let error = leases.commit(&put(1, "b"), fence).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MayHaveRun);
}

#[tokio::test]
async fn a_claim_and_an_abandon_are_never_sent_twice() {
    let server = server();
    let proxy = Proxy::before(server.address());
    let leases = leases(&Arc::new(patient(&proxy.url()).connect().await.unwrap()));
    let fence = lead(&leases, &key(1)).await;
    leases.abandon(&key(1), fence).await.unwrap();
    let before = calls(&server, "evalsha");
    proxy.lose_the_next_answer();
    let error = leases.claim(&claim(&key(1))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MayHaveRun);
    assert_eq!(calls(&server, "evalsha"), before + 1);
    let claimed = leases.claim(&claim(&key(1))).await.unwrap();
    assert!(matches!(claimed, Claimed::Follow), "{claimed:?}");
    let fence = lead(&leases, &key(2)).await;
    proxy.lose_the_next_answer();
    let error = leases.abandon(&key(2), fence).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MayHaveRun);
    lead(&leases, &key(2)).await;
}

#[tokio::test]
async fn what_is_as_good_twice_is_sent_again() {
    let server = server();
    let proxy = Proxy::before(server.address());
    let store = Arc::new(patient(&proxy.url()).connect().await.unwrap());
    let leases = leases(&store);
    // The scripts are known from here on, so that the answers that are lost are theirs.
    let fence = lead(&leases, &key(1)).await;
    let long = Ttl::from_secs(60);
    assert!(leases.renew(&key(1), fence, long).await.unwrap());
    leases.invalidate(&key(2)).await.unwrap();
    proxy.lose_the_next_answer();
    assert!(
        leases
            .renew(&key(1), fence, Ttl::from_secs(9))
            .await
            .unwrap()
    );
    store.put(&put(1, "a")).await.unwrap();
    proxy.lose_the_next_answer();
    // The second one finds nothing any more.
    assert!(!leases.invalidate(&key(1)).await.unwrap());
    assert!(!leases.commit(&put(1, "b"), fence).await.unwrap());
    store.put(&put(1, "a")).await.unwrap();
    proxy.lose_the_next_answer();
    for answer in leases.invalidate_many(&[key(1), key(2)]).await {
        assert!(!answer.unwrap());
    }
    assert_eq!(store.get(&key(1)).await.unwrap(), None);
}
