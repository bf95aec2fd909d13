use std::sync::Arc;
use std::time::Duration;

use larder_store::{Delete, ErrorKind, Refusal, Store, Ttl, Version};
use larder_test::server::RedisOptions;

use super::{beside, claim, lead, leases};
use crate::support::{key, ok, patient, put, server, store};

#[tokio::test]
async fn a_full_server_grants_no_lease_and_still_ends_leases() {
    let server = server();
    let store = store(&server).await;
    let leases = leases(&store);
    let _ = store.put(&put(3, "three")).await.unwrap();
    let (one, two) = (lead(&leases, &key(1)).await, lead(&leases, &key(2)).await);
    lead(&leases, &key(3).with_part(larder_store::Part::new("x"))).await;
    ok(&server, &["CONFIG", "SET", "maxmemory", "1"]);
    let full = ErrorKind::Refused(Refusal::Full);
    let claimed = leases.claim(&claim(&key(4))).await;
    assert_eq!(claimed.unwrap_err().kind(), full);
    let committed = leases.commit(&put(1, "one"), one).await;
    assert_eq!(committed.unwrap_err().kind(), full);
    assert!(
        leases
            .renew(&key(1), one, Ttl::from_secs(9))
            .await
            .unwrap()
            .is_held()
    );
    assert!(leases.abandon(&key(2), two).await.unwrap().is_held());
    assert!(leases.invalidate(&key(3)).await.unwrap().is_deleted());
    ok(&server, &["CONFIG", "SET", "maxmemory", "0"]);
    assert!(
        leases
            .commit(&put(1, "one"), one)
            .await
            .unwrap()
            .is_stored()
    );
}

#[tokio::test]
async fn a_replica_grants_no_lease() {
    let server = server();
    let leases = leases(&store(&server).await);
    let fence = lead(&leases, &key(1)).await;
    ok(&server, &["REPLICAOF", "127.0.0.1", "1"]);
    let read_only = ErrorKind::Refused(Refusal::ReadOnly);
    let errors = [
        leases.claim(&claim(&key(2))).await.map(drop),
        leases.commit(&put(1, "one"), fence).await.map(drop),
        (leases.renew(&key(1), fence, Ttl::from_secs(9)).await).map(drop),
        leases.abandon(&key(1), fence).await.map(drop),
        leases.invalidate(&key(1)).await.map(drop),
        (leases.invalidate_many(&[key(1)]).await.remove(0)).map(drop),
    ];
    for error in errors {
        assert_eq!(error.unwrap_err().kind(), read_only);
    }
}

#[tokio::test]
async fn another_type_under_the_key_or_its_lease_is_the_wrong_type_and_changes_nothing() {
    let server = server();
    let store = store(&server).await;
    let leases = leases(&store);
    let wrong = ErrorKind::Refused(Refusal::WrongType);
    let fence = lead(&leases, &key(1)).await;
    ok(&server, &["RPUSH", key(1).as_str(), "x"]);
    assert_eq!(
        leases.claim(&claim(&key(1))).await.unwrap_err().kind(),
        wrong
    );
    let on_version = put(1, "one").if_version(Version::random());
    assert_eq!(
        leases.commit(&on_version, fence).await.unwrap_err().kind(),
        wrong
    );
    assert!(
        leases
            .commit(&put(1, "one"), fence)
            .await
            .unwrap()
            .is_stored()
    );
    let _ = store.delete(&Delete::new(key(1))).await.unwrap();
    let (value, lease) = (key(1), beside(&key(1)));
    ok(&server, &["DEL", &lease]);
    ok(&server, &["RPUSH", &lease, "x"]);
    for held in [None, Some("held")] {
        if let Some(held) = held {
            let _ = store.put(&put(1, held)).await.unwrap();
        }
        let both = || [value.as_str(), &lease].map(|name| ok(&server, &["DUMP", name]));
        let before = both();
        let condition = put(1, "one").if_absent();
        // A claim returns a value before it checks the lease.
        let claimed = match held {
            None => leases.claim(&claim(&value)).await.map(drop),
            Some(_) => {
                let seen = store.get(&value).await.unwrap().unwrap();
                leases
                    .claim(&claim(&value).having_seen(seen.version))
                    .await
                    .map(drop)
            }
        };
        for answer in [
            claimed,
            leases.commit(&put(1, "one"), fence).await.map(drop),
            leases.commit(&condition, fence).await.map(drop),
            leases.commit(&on_version, fence).await.map(drop),
            leases
                .renew(&value, fence, Ttl::from_secs(9))
                .await
                .map(drop),
            leases.abandon(&value, fence).await.map(drop),
            leases.follow(&value, Duration::ZERO).await.map(drop),
            leases.invalidate(&value).await.map(drop),
            leases.invalidate_many(&[key(1)]).await.remove(0).map(drop),
        ] {
            assert_eq!(answer.unwrap_err().kind(), wrong);
            assert_eq!(both(), before, "it wrote, and then it was refused");
        }
    }
}

#[tokio::test]
async fn an_invalidation_that_the_user_may_not_finish_removes_nothing() {
    let options = RedisOptions::new().with_user("app", "on >secret ~* &* +@all");
    let server = options.start().unwrap();
    let app = patient(&server.url_as("app", "secret"))
        .connect()
        .await
        .unwrap();
    let app = Arc::new(app).leases().unwrap();
    let (store, denied) = (store(&server).await, ErrorKind::Refused(Refusal::Denied));
    let open = leases(&store);
    let may = |rule: &str| drop(ok(&server, &["ACL", "SETUSER", "app", rule]));
    let fence = lead(&open, &key(1)).await;
    let _ = store.put(&put(1, "one")).await.unwrap();
    for (denies, allows) in [("-del", "+del"), ("-set", "+set")] {
        may(denies);
        let mut answers = vec![app.invalidate(&key(1)).await];
        answers.extend(app.invalidate_many(&[key(1)]).await);
        for answer in answers {
            let error = answer.unwrap_err();
            assert_eq!(error.kind(), denied, "{denies}: {error}");
        }
        assert!(store.get(&key(1)).await.unwrap().is_some(), "{denies}");
        may(allows);
    }
    // The lease is unchanged.
    assert!(
        open.renew(&key(1), fence, Ttl::from_secs(9))
            .await
            .unwrap()
            .is_held()
    );
    assert!(app.invalidate(&key(1)).await.unwrap().is_deleted());
    assert!(
        !open
            .renew(&key(1), fence, Ttl::from_secs(9))
            .await
            .unwrap()
            .is_held()
    );
    may("-set");
    let claimed = app.claim(&claim(&key(2))).await;
    assert_eq!(claimed.unwrap_err().kind(), denied);
}

#[tokio::test]
async fn a_user_who_may_not_publish_can_still_commit() {
    let server = RedisOptions::new()
        .with_user("app", "on >secret ~* resetchannels +@all -@admin")
        .start()
        .unwrap();
    let url = server.url().replace("redis://", "redis://app:secret@");
    let app = leases(&Arc::new(patient(&url).connect().await.unwrap()));
    let open = leases(&store(&server).await);
    let fence = lead(&app, &key(1)).await;
    let follower = tokio::spawn(async move { open.follow(&key(1), LONG_WAIT).await });
    crate::support::until("followed", || async {
        let waiters = format!("{}:~waiters", key(1).as_str());
        ok(&server, &["EXISTS", &waiters]).int() == Some(1)
    })
    .await;
    assert!(app.commit(&put(1, "one"), fence).await.unwrap().is_stored());
    // No message wakes it; it checks by itself.
    assert!(follower.await.unwrap().unwrap().is_ended());
}

const LONG_WAIT: std::time::Duration = std::time::Duration::from_secs(30);
