use larder_store::{Delete, ErrorKind, Put, Store, Ttl};

use crate::support::{Add, Log, Look, Set, calls, key, programs, proxied, put, server, tally};

#[tokio::test]
async fn a_put_whose_answer_was_lost_is_found_by_its_version() {
    let server = server();
    let (proxy, store) = proxied(&server).await;
    for condition in [Put::if_present, |put: Put| put] {
        let next = condition(put(1, "b"));
        store.put(&put(1, "a")).await.unwrap();
        proxy.drop_replies(1);
        assert!(store.put(&next).await.unwrap());
        let held = store.get(&key(1)).await.unwrap().unwrap();
        assert_eq!(held.version, next.version());
    }
    let puts = [put(1, "x"), put(2, "y"), put(1, "z")];
    proxy.drop_replies(1);
    let many = store.put_many(&puts).await;
    // The first was overwritten by the third, so nobody can tell any more.
    assert_eq!(many[0].as_ref().unwrap_err().kind(), ErrorKind::MayHaveRun);
    assert!(many[1].as_ref().unwrap() & many[2].as_ref().unwrap());
    assert_eq!(proxy.replies_dropped(), 3);
}

#[tokio::test]
async fn what_is_not_idempotent_runs_once_and_says_that_it_may_have() {
    let server = server();
    let (proxy, store) = proxied(&server).await;
    let programs = programs(&store);
    let add = Add { by: 1, ms: 60_000 };
    let n = programs.run(&tally(1), &add).await.unwrap();
    proxy.drop_replies(1);
    let error = programs.run(&tally(1), &add).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MayHaveRun, "{error}");
    assert_eq!(programs.run(&tally(1), &add).await.unwrap(), n + 2);
    let steps = [
        (tally(2), Log { ms: 60_000 }),
        (tally(3), Log { ms: 60_000 }),
    ];
    proxy.drop_replies(1);
    for result in programs.run_many(&steps).await {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::MayHaveRun);
    }
    store.put(&put(1, "a")).await.unwrap();
    proxy.drop_replies(1);
    let error = store.delete(&Delete::new(key(1))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MayHaveRun);
    assert_eq!(store.get(&key(1)).await.unwrap(), None);
}

#[tokio::test]
async fn an_expire_whose_answer_was_lost_does_not_meet_a_newer_put() {
    let server = server();
    let (proxy, store) = proxied(&server).await;
    store.put(&put(1, "a")).await.unwrap();
    proxy.drop_replies(1);
    let expired = store.expire(&key(1), Ttl::from_secs(30)).await;
    assert_eq!(expired.unwrap_err().kind(), ErrorKind::MayHaveRun);
    assert_eq!(calls(&server, "pexpire"), 1);
}

#[tokio::test]
async fn what_is_idempotent_is_sent_again() {
    let server = server();
    let (proxy, store) = proxied(&server).await;
    let programs = programs(&store);
    store.put(&put(1, "a")).await.unwrap();
    programs.run(&tally(1), &Look::default()).await.unwrap();
    proxy.drop_replies(1);
    assert!(store.get(&key(1)).await.unwrap().is_some());
    proxy.drop_replies(1);
    assert!(store.get_many(&[key(1)]).await.remove(0).unwrap().is_some());
    proxy.drop_replies(1);
    assert!(store.ttl(&key(1)).await.unwrap().is_some());
    proxy.drop_replies(1);
    programs.run(&tally(1), &Look::default()).await.unwrap();
    proxy.drop_replies(1);
    let set = Set { to: 5, ms: 60_000 };
    assert_eq!(programs.run(&tally(1), &set).await.unwrap(), 5);
    assert_eq!(proxy.replies_dropped(), 5);
}
