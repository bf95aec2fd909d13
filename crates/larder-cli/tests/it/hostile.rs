//! Keys and names that try to be more than text.

use larder::queue::{NewJob, Queue};
use larder::rate_limit::{Quota, RateLimiter};
use larder::structures::lock::Lock;
use larder_test::server::RedisServer;

use crate::session::sign_in;
use crate::support::{Ran, larder, run, server};

const HOSTILE: &str = "a\n\u{1b}[2J\u{1b}]0;owned\u{7}\r\u{202e}{";

/// Nothing that was written can do anything to a terminal.
#[track_caller]
fn harmless(ran: &Ran) {
    for text in [&ran.out, &ran.err] {
        let is_harmless = |sign: char| sign == '\n' || !(sign.is_control() || sign == '\u{202e}');
        assert!(text.chars().all(is_harmless), "{ran:?}");
        assert!(
            text.lines().all(|line| line.chars().count() < 600),
            "{ran:?}"
        );
    }
}

fn plant(server: &RedisServer) {
    let long = "k".repeat(10_240);
    for key in [
        HOSTILE.to_owned(),
        format!("film:{{{long}}}"),
        format!("lock:{{{HOSTILE}}}"),
    ] {
        server
            .command(&["SET", &key, HOSTILE, "PX", "60000"])
            .unwrap();
    }
    // Not text at all.
    server.command(&[&b"SET"[..], b"\xff\xfe", b"x"]).unwrap();
}

#[tokio::test]
async fn hostile_keys_are_listed_escaped_and_break_nothing() {
    let (server, store) = server().await;
    plant(&server);
    sign_in(&store, HOSTILE).await;
    let queue = Queue::new(store, HOSTILE).unwrap();
    let _ = queue.enqueue(NewJob::raw(HOSTILE, "x")).await.unwrap();
    let url = server.url();
    for line in [
        "scan",
        "session ls",
        "lock ls",
        "queue ls",
        "limit show pages",
        "doctor --interval 0 --all",
    ] {
        let ran = larder(&url, line).await;
        assert!(ran.code < 2, "{line}: {ran:?}");
        harmless(&ran);
    }
    let scanned = larder(&url, "scan").await.ok();
    assert!(scanned.out.contains(r"\u{1b}[2J"), "{scanned:?}");
    assert!(scanned.out.contains("(10247 characters)"), "{scanned:?}");
    let json = larder(&url, "scan --json").await.json();
    let mut largest = json["largest"].as_array().unwrap().iter();
    assert!(
        largest.any(|row| row[0] == HOSTILE),
        "JSON has the key whole"
    );
    harmless(&larder(&url, "session ls --json").await.ok());

    let long = "x".repeat(10_240);
    for words in [
        ["explain", HOSTILE],
        ["explain", &format!("film:{{v0:{long}}}")],
        ["cache", HOSTILE],
    ] {
        let ran = run(&url, &words, "").await;
        assert_ne!(ran.code, 0, "{ran:?}");
        assert!(
            ran.err
                .chars()
                .all(|sign| sign == '\n' || !sign.is_control()),
            "{ran:?}"
        );
    }
    for words in [
        ["queue", "inspect", HOSTILE, "--state", "waiting"],
        ["session", "ls", "--user", HOSTILE, "--json"],
        ["limit", "reset", "pages", HOSTILE, "--yes"],
        ["limit", "show", HOSTILE, "--limit", "9"],
        ["session", "revoke", "--user", HOSTILE, "--json"],
    ] {
        let ran = run(&url, &words, "").await;
        assert!(ran.code < 2, "{ran:?}");
        harmless(&ran);
    }
    let page = format!("http://{HOSTILE}/{long}");
    for words in [
        &["limit", "ban", HOSTILE, HOSTILE, "--for", "1h", "--yes"][..],
        &["limit", "ban", "pages", &long, "--for", "1h", "--yes"],
        &["limit", "forgive", "pages", HOSTILE],
        &["explain", &page],
    ] {
        harmless(&run(&url, words, "").await);
    }
    let ran = run(&url, &["queue", "pause", &format!("{HOSTILE}2")], "").await;
    assert_eq!(ran.code, 2);
    harmless(&ran);
}

#[tokio::test]
async fn a_key_of_another_client_is_listed_as_unreadable_and_hides_no_record() {
    let (server, store) = server().await;
    let url = server.url();
    sign_in(&store, "ann").await;
    let queue = Queue::new(store.clone(), "mail").unwrap();
    let _ = queue.enqueue(NewJob::raw("greet", "x")).await.unwrap();
    let lock = Lock::new(store.clone(), "report").unwrap();
    let _guard = lock.try_lock().await.unwrap().unwrap();
    let quota = RateLimiter::new(store, "pages", Quota::per_hour(3)).unwrap();
    let _ = quota.check("b").await.unwrap();
    let limit = quota.key("a");
    for (key, line, first) in [
        ("session:{a}", "session ls", "device"),
        ("lock:{a}", "lock ls", "lock"),
        ("queue:{a}", "queue ls", "queue"),
        (limit.as_str(), "limit show pages", "visitor"),
    ] {
        server.command(&["LPUSH", key, "x"]).unwrap();
        let listed = larder(&url, &format!("{line} --json")).await.json();
        let rows = listed.as_array().unwrap();
        assert_eq!(rows.len(), 2, "{line}: {listed}");
        assert_eq!(rows[1]["unreadable"], true, "{line}: {listed}");
        assert!(rows[1][first].is_string(), "{line}: {listed}");
        let shown = larder(&url, line).await.ok();
        assert!(shown.out.contains("unreadable"), "{line}: {shown:?}");
    }
    larder(&url, "limit reset pages --all --yes").await.ok();
    assert_eq!(quota.check("b").await.unwrap().remaining(), 2);
}
