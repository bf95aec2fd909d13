//! The removal of records, in Lua and in Rust.

use std::sync::Arc;
use std::time::Duration;

use larder_ops::records::{Remove, keys_of, list};
use larder_redis::RedisStore;
use larder_store::program::Record;
use larder_store::{Key, Store, Ttl};
use larder_test::ModelStore;
use larder_test::records::{Add, Tally};
use larder_test::server::RedisServer;
use tokio::time::timeout;

async fn check(store: Arc<dyn Store>) {
    let programs = store.clone().programs().unwrap();
    let key = Key::new(Tally::KIND, 7_u32);
    let add = Add {
        by: 3,
        limit: 9,
        ttl: Ttl::from_secs(60),
    };
    assert_eq!(programs.run(&key, &add).await.unwrap(), Some(3));
    let mut waiter = store.waits().unwrap().wait_for(&key).await.unwrap();
    assert!(programs.run(&key, &Remove::<Tally>::new()).await.unwrap());
    let woken = timeout(Duration::from_secs(10), waiter.next()).await;
    assert!(woken.is_ok(), "those who wait for the record are woken");
    assert!(!programs.run(&key, &Remove::<Tally>::new()).await.unwrap());
    assert_eq!(programs.run(&key, &add).await.unwrap(), Some(3));
}

async fn check_limit(store: Arc<dyn Store>) {
    let (programs, scan) = (store.clone().programs().unwrap(), store.scan().unwrap());
    let add = Add {
        by: 1,
        limit: 9,
        ttl: Ttl::from_secs(60),
    };
    for id in 0..3_u32 {
        programs
            .run(&Key::new(Tally::KIND, id), &add)
            .await
            .unwrap();
    }
    for (limit, listed, has_more) in [(2, 2, true), (3, 3, false), (4, 3, false), (0, 0, true)] {
        let mut seen = 0;
        let found = list::<Tally>(&*scan, "", limit, |new| seen += new.len());
        let found = found.await.unwrap();
        let said = (found.keys.len(), found.has_more, seen);
        assert_eq!(said, (listed, has_more, 3), "a limit of {limit}");
    }
}

#[test]
fn a_text_names_the_id_of_a_list_before_the_name_of_an_app() {
    for (text, keys) in [
        ("report", &["law-tally:{report}"][..]),
        (
            "report:7",
            &["law-tally:{report:7}", "law-tally:{report%3A7}"],
        ),
        (
            "report%3A7",
            &["law-tally:{report%3A7}", "law-tally:{report%253A7}"],
        ),
        ("a b", &["law-tally:{a%20b}"]),
        ("law-tally:{report:7}", &["law-tally:{report:7}"]),
    ] {
        let found = keys_of::<Tally>(text, text);
        let found: Vec<_> = found.iter().map(Key::as_str).collect();
        assert_eq!(found, keys, "{text}");
    }
}

#[tokio::test]
async fn a_listing_says_whether_there_are_more_than_its_limit() {
    check_limit(Arc::new(ModelStore::new())).await;
    let server = RedisServer::start().unwrap();
    check_limit(Arc::new(RedisStore::connect(&server.url()).await.unwrap())).await;
}

#[tokio::test]
async fn a_record_is_removed_whole_and_those_who_wait_are_woken() {
    check(Arc::new(ModelStore::new())).await;
    let server = RedisServer::start().unwrap();
    check(Arc::new(RedisStore::connect(&server.url()).await.unwrap())).await;
}
