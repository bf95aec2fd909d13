use std::sync::Arc;

use larder_store::{Cursor, ErrorKind, Scan, Store};

use crate::support::{calls, key, ok, put, server, store};

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
        result.unwrap();
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
    store.put(&put(1, "x")).await.unwrap();
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
    // One past the last server is the end, and not a fault.
    let page = scan
        .page("", Some(&Cursor::new("0-1-0")), 10)
        .await
        .unwrap();
    assert!(page.keys.is_empty() && page.next.is_none());
}

#[tokio::test]
async fn what_stands_beside_keys_is_not_listed() {
    let server = server();
    let store = store(&server).await;
    let scan = store.clone().scan().unwrap();
    store.put(&put(1, "x")).await.unwrap();
    ok(&server, &["SET", "value:{1}:~lease", "1 0"]);
    ok(&server, &["HSET", "tally:{1}:~deadlines", "a", "1"]);
    ok(&server, &["SET", "value:{1}:part", "x"]);
    assert_eq!(all(&scan, "").await, ["value:{1}", "value:{1}:part"]);
}
