//! Lists that are cut, and numbers that are wrong.

use std::time::Duration;

use larder::queue::{NewJob, Queue};
use larder::rate_limit::{Policy, Quota, RateLimiter};
use larder::structures::lock::Lock;

use crate::session::sign_in;
use crate::support::{larder, server};

#[tokio::test]
async fn a_list_that_is_cut_says_so_in_text_and_in_json() {
    let (server, store) = server().await;
    let url = server.url();
    let mut held = Vec::new();
    let quota = RateLimiter::new(store.clone(), "pages", Quota::per_hour(3)).unwrap();
    let rules = Policy::new(Quota::per_hour(3)).and(Quota::per_day(9));
    let several = RateLimiter::new(store.clone(), "api", rules).unwrap();
    let mail = Queue::new(store.clone(), "mail").unwrap();
    for number in 0..3_u32 {
        sign_in(&store, "ann").await;
        let _ = quota.check(number).await.unwrap();
        let _ = several.check(number).await.unwrap();
        let _ = mail.enqueue(NewJob::raw("greet", "x")).await.unwrap();
        let lock = Lock::new(store.clone(), ("report", number)).unwrap();
        held.push(lock.lock(Duration::from_secs(5)).await.unwrap().unwrap());
    }
    for name in ["print", "scan"] {
        let queue = Queue::new(store.clone(), name).unwrap();
        queue.pause().await.unwrap();
    }
    for line in [
        "queue ls",
        "lock ls",
        "session ls",
        "session ls --user ann",
        "limit show pages",
        "limit show api",
        "queue inspect mail --state waiting",
    ] {
        for (limit, rows) in [(1, 1), (2, 2), (3, 3), (1_000, 3)] {
            let line = format!("{line} --limit {limit}");
            let is_cut = rows < 3;
            let shown = larder(&url, &line).await.ok();
            let says = shown.out.contains(&format!("only {limit} were looked at"));
            assert_eq!(says, is_cut, "{line}: {shown:?}");
            let json = larder(&url, &format!("{line} --json")).await.json();
            let list = json.get("jobs").unwrap_or(&json).as_array().unwrap();
            assert_eq!(list.len(), rows + usize::from(is_cut), "{line}: {json}");
            let last = list.last().unwrap();
            assert_eq!(last["more"] == true, is_cut, "{line}: {json}");
            assert_eq!(last["limit"] == limit, is_cut, "{line}: {json}");
        }
    }
    // Without a limit, none of these is cut.
    for line in ["queue ls", "lock ls"] {
        let json = larder(&url, &format!("{line} --json")).await.json();
        assert_eq!(json.as_array().unwrap().len(), 3, "{line}: {json}");
    }
}

#[tokio::test]
async fn a_wrong_value_of_a_flag_says_what_was_expected() {
    for (line, expected) in [
        ("ping -n 0", "from 1 to 10000"),
        ("ping -n many", "from 1 to 10000"),
        ("bench --millis 1s", "from 1 to 60000"),
        ("top -n 0", "a whole number from 1"),
        ("top --interval 0", "from 1 to 60000"),
        ("scan --largest x", "a whole number from 0"),
        ("doctor --timeout 1s", "from 1 to 600000"),
        ("doctor --interval -1", "from 0 to 60000"),
        ("doctor --only X999", "such as L003"),
        ("doctor --silence L003,bad", "such as L003"),
        ("doctor --uses mail", "expected cache, limits"),
        ("doctor --fail-on bad", "possible values: unknown, warn"),
        ("session ls --limit 0", "a whole number from 1"),
        ("limit show pages --limit -3", "a whole number from 1"),
        ("limit ban pages ann --for 1", "such as 90s"),
        ("queue ls --limit all", "a whole number from 1"),
        ("queue inspect mail --limit 1e3", "a whole number from 1"),
        (
            "queue inspect mail --state gone",
            "possible values: waiting",
        ),
        ("queue pause mail --partitions 0", "from 1 to 65535"),
        ("queue redrive mail --max 0", "a whole number from 1"),
        ("lock ls --limit 0", "a whole number from 1"),
        ("events ls --limit 0", "a whole number from 1"),
        ("events dead orders:all --limit 0", "a whole number from 1"),
    ] {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let ran = larder("redis://127.0.0.1:1", &format!("{name}={value}")).await;
        ran.complains(2, expected);
        assert!(ran.err.contains("for '--"), "it names the flag: {ran:?}");
    }
}
