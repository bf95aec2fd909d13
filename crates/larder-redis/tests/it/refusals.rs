use larder_store::{Delete, ErrorKind, Put, Refusal, Store, Ttl, Version};
use larder_test::server::RedisOptions;

use crate::support::{Add, Look, Remove, key, ok, patient, programs, put, server, store, tally};

fn add() -> Add {
    Add { by: 1, ms: 60_000 }
}

#[tokio::test]
async fn another_type_under_a_key_is_the_wrong_type() {
    let server = server();
    let store = store(&server).await;
    ok(&server, &["RPUSH", key(1).as_str(), "x"]);
    let wrong = ErrorKind::Refused(Refusal::WrongType);
    assert_eq!(store.get(&key(1)).await.unwrap_err().kind(), wrong);
    let put = put(1, "a").if_version(Version::random());
    assert_eq!(store.put(&put).await.unwrap_err().kind(), wrong);
    let delete = Delete::new(key(1)).if_version(Version::random());
    assert_eq!(store.delete(&delete).await.unwrap_err().kind(), wrong);
}

#[tokio::test]
async fn a_replica_takes_reads_and_no_writes() {
    let server = server();
    let store = store(&server).await;
    store.put(&put(1, "a")).await.unwrap();
    ok(&server, &["REPLICAOF", "127.0.0.1", "1"]);
    let read_only = ErrorKind::Refused(Refusal::ReadOnly);
    assert!(store.get(&key(1)).await.unwrap().is_some());
    assert_eq!(store.put(&put(1, "b")).await.unwrap_err().kind(), read_only);
    let many = store.put_many(&[put(1, "b"), put(2, "b")]).await;
    assert!(
        many.iter()
            .all(|result| result.as_ref().unwrap_err().kind() == read_only)
    );
    let programs = programs(&store);
    let error = programs.run(&tally(1), &add()).await.unwrap_err();
    assert_eq!(error.kind(), read_only, "{error}");
    programs.run(&tally(1), &Look::default()).await.unwrap();
}

#[tokio::test]
async fn a_full_server_refuses_writes_and_runs_what_reads_or_gives_back() {
    let server = server();
    let store = store(&server).await;
    let programs = programs(&store);
    store.put(&put(1, "a")).await.unwrap();
    programs.run(&tally(1), &add()).await.unwrap();
    ok(&server, &["CONFIG", "SET", "maxmemory", "1"]);
    let full = ErrorKind::Refused(Refusal::Full);
    assert_eq!(store.put(&put(2, "b")).await.unwrap_err().kind(), full);
    assert_eq!(
        programs.run(&tally(1), &add()).await.unwrap_err().kind(),
        full
    );
    assert_eq!(
        programs.run(&tally(1), &Remove::default()).await.unwrap(),
        1
    );
    programs.run(&tally(1), &Look::default()).await.unwrap();
    let entry = store.get(&key(1)).await.unwrap().unwrap();
    let delete = Delete::new(key(1)).if_version(entry.version);
    assert!(store.delete(&delete).await.unwrap());
}

#[tokio::test]
async fn a_user_without_the_right_is_denied() {
    let rules = "on >sesame ~value:* +get +hello";
    let server = RedisOptions::new()
        .with_user("reader", rules)
        .start()
        .unwrap();
    let store = patient(&server.url_as("reader", "sesame"))
        .connect()
        .await
        .unwrap();
    let store = std::sync::Arc::new(store);
    assert_eq!(store.get(&key(1)).await.unwrap(), None);
    let denied = ErrorKind::Refused(Refusal::Denied);
    assert_eq!(store.put(&put(1, "a")).await.unwrap_err().kind(), denied);
    let programs = programs(&store);
    let error = programs.run(&tally(1), &Look::default()).await.unwrap_err();
    assert_eq!(error.kind(), denied);
}

#[tokio::test]
async fn a_server_without_enough_replicas_is_not_ready() {
    let options = RedisOptions::new().with_setting("min-replicas-to-write", "1");
    let server = options.start().unwrap();
    let store = store(&server).await;
    let not_ready = ErrorKind::Refused(Refusal::Unavailable);
    let put = Put::new(key(1), "a", Ttl::from_secs(1));
    assert_eq!(store.put(&put).await.unwrap_err().kind(), not_ready);
    let programs = programs(&store);
    assert_eq!(
        programs.run(&tally(1), &add()).await.unwrap_err().kind(),
        not_ready
    );
}
