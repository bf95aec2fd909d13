use std::sync::Arc;
use std::time::Duration;

use larder_store::scan::{Cursor, Page, Scan};
use larder_store::{ErrorKind, Refusal, Store};
use larder_test::server::{RedisOptions, RedisServer};

use crate::support::{calls, key, ok, patient, put, server, store};

async fn all(scan: &Arc<dyn Scan>, prefix: &str) -> Vec<String> {
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let page = scan.page(prefix, after.as_ref(), 100).await.unwrap();
        keys.extend(page.keys);
        after = page.next;
        if after.is_none() {
            keys.sort();
            keys.dedup();
            return keys;
        }
    }
}

#[tokio::test]
async fn a_scan_takes_small_steps_and_never_asks_for_all_keys() {
    let server = server();
    let store = store(&server).await;
    let scan = store.clone().scan().unwrap();
    let puts: Vec<_> = (0..2_000_u64).map(|id| put(id, "x")).collect();
    for result in store.put_many(&puts).await {
        let _ = result.unwrap();
    }
    assert_eq!(all(&scan, "value:").await.len(), 2_000);
    assert!(calls(&server, "scan") >= 2_000 / 250);
    assert_eq!(calls(&server, "keys"), 0);
}

#[tokio::test]
async fn keys_of_others_are_listed_where_they_are_text() {
    let server = server();
    let store = store(&server).await;
    let scan = store.clone().scan().unwrap();
    let _ = store.put(&put(1, "x")).await.unwrap();
    let commands: [&[&[u8]]; 3] = [
        &[b"SET", b"other", b"x"],
        &[b"SET", b"\xff\xfe", b"x"],
        &[b"RPUSH", "grün".as_bytes(), b"x"],
    ];
    for command in commands {
        server.command(command).unwrap();
    }
    assert_eq!(all(&scan, "").await, ["grün", "other", key(1).as_str()]);
}

#[tokio::test]
async fn a_cursor_of_other_servers_is_refused() {
    let server = server();
    let scan = store(&server).await.scan().unwrap();
    for cursor in ["1-0-0", "0-0", "0-0-0-0", "after:value:{1}"] {
        let page = scan.page("", Some(&Cursor::new(cursor)), 10).await;
        assert_eq!(page.unwrap_err().kind(), ErrorKind::Invalid, "{cursor}");
    }
}

/// Starts a server with many keys that survive a restart, and reads the first page.
async fn half_way(options: RedisOptions) -> (RedisServer, Arc<dyn Scan>, Page) {
    let server = options.start().unwrap();
    let store = patient(&server.url()).connect().await.unwrap();
    let puts: Vec<_> = (0..2_000_u64).map(|id| put(id, "x")).collect();
    for result in store.put_many(&puts).await {
        assert!(result.unwrap().is_stored());
    }
    let scan = Arc::new(store).scan().unwrap();
    let page = scan.page("value:", None, 100).await.unwrap();
    (server, scan, page)
}

async fn begins_again(scan: &Arc<dyn Scan>, page: &Page) {
    let error = loop {
        match scan.page("value:", page.next.as_ref(), 100).await {
            Err(error) if error.kind() != ErrorKind::Invalid => {
                // Time to connect again.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            page => break page.unwrap_err(),
        }
    };
    assert!(
        error.to_string().contains("start the scan again"),
        "{error}"
    );
    assert_eq!(all(scan, "value:").await.len(), 2_000);
}

#[tokio::test]
async fn a_scan_has_to_begin_again_after_a_restart_though_every_key_is_there() {
    let options = RedisOptions::new()
        .with_setting("appendonly", "yes")
        .with_setting("appendfsync", "always");
    let (mut server, scan, page) = half_way(options).await;
    server.restart().unwrap();
    begins_again(&scan, &page).await;
}

#[tokio::test]
async fn a_scan_goes_on_over_a_new_connection_to_the_same_server() {
    let (server, scan, page) = half_way(RedisOptions::new()).await;
    let kill = ["CLIENT", "KILL", "TYPE", "normal"];
    ok(&server, &kill);
    let (mut keys, mut after) = (page.keys, page.next);
    while let Some(cursor) = after {
        let page = scan.page("value:", Some(&cursor), 100).await.unwrap();
        keys.extend(page.keys);
        after = page.next;
    }
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 2_000);
}

#[tokio::test]
async fn a_user_who_may_not_identify_the_server_is_refused_a_scan() {
    let users = RedisOptions::new().with_user("films", "on >sesame ~* +@all -info");
    let server = users.start().unwrap();
    let url = server.url_as("films", "sesame");
    let store = Arc::new(patient(&url).connect().await.unwrap());
    let error = store.scan().unwrap().page("", None, 10).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused(Refusal::Denied));
    assert!(error.to_string().contains("grant +info"), "{error}");
}

#[tokio::test]
async fn auxiliary_keys_are_not_listed() {
    let server = server();
    let store = store(&server).await;
    let scan = store.clone().scan().unwrap();
    let _ = store.put(&put(1, "x")).await.unwrap();
    ok(&server, &["SET", "value:{1}:~lease", "1 0"]);
    ok(&server, &["HSET", "tally:{1}:~deadlines", "a", "1"]);
    ok(&server, &["SET", "value:{1}:part", "x"]);
    assert_eq!(all(&scan, "").await, ["value:{1}", "value:{1}:part"]);
}
