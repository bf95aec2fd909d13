use larder_store::{Delete, ErrorKind, Put, Refusal, Store, Ttl};

use crate::support::{
    Add, Log, Look, Set, calls, key, losing_the_answer, ok, programs, proxied, put, server, tally,
};

#[tokio::test]
async fn a_put_whose_answer_was_lost_is_found_by_its_version() {
    let server = server();
    let (proxy, store) = proxied(&server).await;
    for condition in [Put::if_present, |put: Put| put] {
        let next = condition(put(1, "b"));
        let _ = store.put(&put(1, "a")).await.unwrap();
        proxy.drop_replies(1);
        assert!(store.put(&next).await.unwrap().is_stored());
        let held = store.get(&key(1)).await.unwrap().unwrap();
        assert_eq!(held.version, next.version());
    }
    let puts = [put(1, "x"), put(2, "y"), put(1, "z")];
    proxy.drop_replies(1);
    let many = store.put_many(&puts).await;
    // The first value was overwritten by the third, so the outcome can no longer be known.
    assert_eq!(many[0].as_ref().unwrap_err().kind(), ErrorKind::MayHaveRun);
    for stored in &many[1..] {
        assert!(stored.as_ref().unwrap().is_stored());
    }
    assert_eq!(proxy.replies_dropped(), 3);
}

#[tokio::test]
async fn a_non_idempotent_operation_runs_once_and_may_have_run() {
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
    let _ = store.put(&put(1, "a")).await.unwrap();
    proxy.drop_replies(1);
    let error = store.delete(&Delete::new(key(1))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MayHaveRun);
    assert_eq!(store.get(&key(1)).await.unwrap(), None);
}

#[tokio::test]
async fn an_expire_whose_answer_was_lost_does_not_meet_a_newer_put() {
    let server = server();
    let (proxy, store) = proxied(&server).await;
    let _ = store.put(&put(1, "a")).await.unwrap();
    proxy.drop_replies(1);
    let expired = store.expire(&key(1), Ttl::from_secs(30)).await;
    assert_eq!(expired.unwrap_err().kind(), ErrorKind::MayHaveRun);
    assert_eq!(calls(&server, "pexpire"), 1);
}

#[tokio::test]
async fn an_idempotent_operation_is_sent_again() {
    let server = server();
    let (proxy, store) = proxied(&server).await;
    let programs = programs(&store);
    let _ = store.put(&put(1, "a")).await.unwrap();
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

/// The command that makes a server refuse an operation, and the one that makes it accept it again.
type Change = (&'static [&'static str], &'static [&'static str]);

const READONLY: Change = (
    &["REPLICAOF", "127.0.0.1", "1"],
    &["REPLICAOF", "NO", "ONE"],
);
const NOPERM: Change = (
    &["ACL", "SETUSER", "default", "-@scripting"],
    &["ACL", "SETUSER", "default", "+@all"],
);
const NOREPLICAS: Change = (
    &["CONFIG", "SET", "min-replicas-to-write", "1"],
    &["CONFIG", "SET", "min-replicas-to-write", "0"],
);
const OOM: Change = (
    &["CONFIG", "SET", "maxmemory", "1"],
    &["CONFIG", "SET", "maxmemory", "0"],
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_ran_and_was_refused_when_repeated_may_have_run() {
    let server = server();
    let (proxy, store) = proxied(&server).await;
    let (way, programs) = ((&proxy, &server), programs(&store));
    let leases = store.clone().leases().unwrap();
    let set = |to| Set { to, ms: 60_000 };
    // The server now has the scripts, so that the lost answers are theirs.
    let _ = leases.invalidate(&key(1)).await.unwrap();
    programs.run(&tally(1), &set(0)).await.unwrap();
    let id = key(1);
    for (refuse, take) in [READONLY, NOPERM, NOREPLICAS] {
        assert!(store.put(&put(1, "a")).await.unwrap().is_stored());
        let invalidating = leases.invalidate(&id);
        let answer =
            losing_the_answer(way, "evalsha", invalidating, || drop(ok(&server, refuse))).await;
        let error = answer.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MayHaveRun, "{refuse:?}: {error}");
        ok(&server, take);
        assert_eq!(store.get(&key(1)).await.unwrap(), None);

        assert!(store.put(&put(1, "a")).await.unwrap().is_stored());
        let both = [key(1), key(2)];
        let invalidating = leases.invalidate_many(&both);
        let answers =
            losing_the_answer(way, "evalsha", invalidating, || drop(ok(&server, refuse))).await;
        for answer in answers {
            assert_eq!(answer.unwrap_err().kind(), ErrorKind::MayHaveRun);
        }
        ok(&server, take);
    }
    for (refuse, take) in [READONLY, NOPERM, NOREPLICAS, OOM] {
        let (id, step) = (tally(1), set(7));
        let running = programs.run(&id, &step);
        let answer = losing_the_answer(way, "evalsha", running, || drop(ok(&server, refuse))).await;
        let error = answer.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MayHaveRun, "{refuse:?}: {error}");
        ok(&server, take);
        let steps = [(tally(1), set(8)), (tally(2), set(9))];
        let running = programs.run_many(&steps);
        let answers =
            losing_the_answer(way, "evalsha", running, || drop(ok(&server, refuse))).await;
        for answer in answers {
            assert_eq!(
                answer.unwrap_err().kind(),
                ErrorKind::MayHaveRun,
                "{refuse:?}"
            );
        }
        ok(&server, take);
        // Without a lost answer the operation is refused, and has no effect.
        ok(&server, refuse);
        let error = programs.run(&id, &set(1)).await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Refused(_)),
            "{refuse:?}: {error}"
        );
        ok(&server, take);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_whose_script_may_not_be_sent_whole_may_have_run() {
    let server = server();
    let (proxy, store) = proxied(&server).await;
    let way = (&proxy, &server);
    let leases = store.clone().leases().unwrap();
    let _ = leases.invalidate(&key(1)).await.unwrap();
    let id = key(1);
    let forget = || {
        ok(&server, &["SCRIPT", "FLUSH"]);
        ok(&server, &["ACL", "SETUSER", "default", "-eval"]);
    };
    let invalidating = leases.invalidate(&id);
    let error = losing_the_answer(way, "evalsha", invalidating, forget)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MayHaveRun, "{error}");
    ok(&server, &["ACL", "SETUSER", "default", "+@all"]);
    let _ = leases.invalidate(&key(1)).await.unwrap();
    let both = [key(1), key(2)];
    let invalidating = leases.invalidate_many(&both);
    for answer in losing_the_answer(way, "evalsha", invalidating, forget).await {
        let error = answer.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MayHaveRun, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_is_refused_when_it_is_sent_again_is_refused() {
    let server = server();
    let (proxy, store) = proxied(&server).await;
    let deny = || drop(ok(&server, &["ACL", "SETUSER", "default", "-get"]));
    let id = key(1);
    let reading = store.get(&id);
    let error = losing_the_answer((&proxy, &server), "get", reading, deny)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused(Refusal::Denied), "{error}");
}
