use larder_store::{
    Condition, Delete, DeleteOutcome, ErrorKind, Kind, Put, PutOutcome, Refusal, Store, Ttl,
    Version,
};

use crate::support::{key, ok, put, server, store, until};

#[tokio::test]
async fn a_ttl_is_set_told_and_kept() {
    let server = server();
    let store = store(&server).await;
    assert_eq!(store.ttl(&key(1)).await.unwrap(), None);
    assert!(
        !store
            .expire(&key(1), Ttl::from_secs(1))
            .await
            .unwrap()
            .is_set()
    );
    let put = put(1, "a");
    let _ = store.put(&put).await.unwrap();
    let ttl = store.ttl(&key(1)).await.unwrap().unwrap();
    assert!(
        ttl <= Ttl::from_secs(60) && ttl > Ttl::from_secs(30),
        "{ttl:?}"
    );
    assert!(
        store
            .expire(&key(1), Ttl::from_millis(1))
            .await
            .unwrap()
            .is_set()
    );
    until("at its end", || async {
        store.get(&key(1)).await.unwrap().is_none()
    })
    .await;
    let longest = Put::new(key(2), "a", Ttl::MAX);
    assert!(store.put(&longest).await.unwrap().is_stored());
    assert!(store.ttl(&key(2)).await.unwrap().unwrap() > Ttl::from_secs(3_000_000_000));
}

#[tokio::test]
async fn many_keys_have_a_result_each_and_keep_their_order() {
    const RECORD: Kind = Kind::record("record");
    let server = server();
    let store = store(&server).await;
    let (one, two) = (put(1, "one"), put(1, "two"));
    let puts = [
        one.clone(),
        put(2, "x").if_present(),
        two.clone().if_version(one.version()),
        Put::new(larder_store::Key::new(RECORD, 1), "x", Ttl::from_secs(1)),
    ];
    let written = store.put_many(&puts).await;
    let done: Vec<_> = written
        .iter()
        .map(|result| result.as_ref().ok().copied())
        .collect();
    let (stored, not_stored) = (Some(PutOutcome::Stored), Some(PutOutcome::NotStored));
    assert_eq!(done, [stored, not_stored, stored, None]);
    let keys = [key(2), key(1), larder_store::Key::new(RECORD, 1), key(1)];
    let read = store.get_many(&keys).await;
    assert_eq!(read[0].as_ref().unwrap(), &None);
    assert_eq!(
        read[1].as_ref().unwrap().as_ref().unwrap().version,
        two.version()
    );
    assert_eq!(
        read[2].as_ref().unwrap_err().kind(),
        ErrorKind::Refused(Refusal::WrongType)
    );
    assert_eq!(read[3].as_ref().unwrap(), read[1].as_ref().unwrap());
    let deletes = [
        Delete::new(key(1)).if_version(one.version()),
        Delete::new(key(1)).on(Condition::IfAbsent),
        Delete::new(key(1)).if_version(two.version()),
        Delete::new(key(1)),
    ];
    let removed = store.delete_many(&deletes).await;
    let done: Vec<_> = removed.into_iter().map(Result::unwrap).collect();
    assert_eq!(done, [false, false, true, false].map(DeleteOutcome::from));
    assert!(store.get_many(&[]).await.is_empty());
    assert!(store.put_many(&[]).await.is_empty());
    assert!(store.delete_many(&[]).await.is_empty());
}

#[tokio::test]
async fn an_error_of_one_item_is_that_items_alone() {
    let server = server();
    let store = store(&server).await;
    ok(&server, &["RPUSH", key(1).as_str(), "x"]);
    let deletes = [
        Delete::new(key(1)).if_version(Version::random()),
        Delete::new(key(2)),
    ];
    let removed = store.delete_many(&deletes).await;
    assert_eq!(
        removed[0].as_ref().unwrap_err().kind(),
        ErrorKind::Refused(Refusal::WrongType)
    );
    assert!(!removed[1].as_ref().unwrap().is_deleted());
}

#[tokio::test]
async fn another_type_is_not_a_miss_however_it_is_read() {
    let server = server();
    let store = store(&server).await;
    ok(&server, &["LPUSH", key(1).as_str(), "x"]);
    let _ = store.put(&put(2, "two")).await.unwrap();
    let wrong = ErrorKind::Refused(Refusal::WrongType);
    assert_eq!(store.get(&key(1)).await.unwrap_err().kind(), wrong);
    let many = store.get_many(&[key(1), key(2), key(3)]).await;
    assert_eq!(many[0].as_ref().unwrap_err().kind(), wrong);
    assert_eq!(many[1].as_ref().unwrap().as_ref().unwrap().value, "two");
    assert_eq!(many[2].as_ref().unwrap(), &None);
    // A value is not read in order to return its TTL, or to write another.
    assert!(
        store
            .expire(&key(1), Ttl::from_secs(60))
            .await
            .unwrap()
            .is_set()
    );
    assert!(store.ttl(&key(1)).await.unwrap().is_some());
    assert!(store.put(&put(1, "one")).await.unwrap().is_stored());
    assert!(store.get(&key(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn bytes_of_another_client_are_a_miss() {
    let server = server();
    let store = store(&server).await;
    ok(&server, &["SET", key(1).as_str(), "short"]);
    assert_eq!(store.get(&key(1)).await.unwrap(), None);
    assert_eq!(store.get_many(&[key(1)]).await.remove(0).unwrap(), None);
    assert_eq!(store.ttl(&key(1)).await.unwrap(), Some(Ttl::MAX));
    assert!(
        store
            .expire(&key(1), Ttl::from_secs(60))
            .await
            .unwrap()
            .is_set()
    );
    assert!(
        !store
            .put(&put(1, "one").if_absent())
            .await
            .unwrap()
            .is_stored()
    );
    assert!(
        store
            .put(&put(1, "one").if_present())
            .await
            .unwrap()
            .is_stored()
    );
    assert!(store.get(&key(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn empty_binary_and_large_values_come_back() {
    let server = server();
    let store = store(&server).await;
    for value in [vec![], (0..=255).collect(), vec![7; 8 << 20]] {
        let put = Put::new(key(1), value.clone(), Ttl::from_secs(60));
        assert!(store.put(&put).await.unwrap().is_stored());
        assert!(store.get(&key(1)).await.unwrap().unwrap().value == value);
    }
}

#[tokio::test]
async fn a_value_past_the_limit_is_too_large() {
    let server = server();
    let builder = crate::support::patient(&server.url());
    let store = builder.with_max_value(3).connect().await.unwrap();
    assert!(store.put(&put(1, "abc")).await.unwrap().is_stored());
    let error = store.put(&put(1, "abcd")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let many = store.put_many(&[put(1, "abcd"), put(2, "abc")]).await;
    assert_eq!(many[0].as_ref().unwrap_err().kind(), ErrorKind::TooLarge);
    assert!(many[1].as_ref().unwrap().is_stored());
}
