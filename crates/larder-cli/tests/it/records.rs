//! Limits, locks and event logs.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use larder::cache::{Cache, WriteBehind};
use larder::events::log::{EventLog, Settled};
use larder::rate_limit::{Network, Policy, Quota, RateLimiter};
use larder::store::program::Record;
use larder::structures::counter::Counter;
use larder::structures::leaderboard::Leaderboard;
use larder::structures::lock::{Lock, Order, Permits, Release, Released, Semaphore};
use larder::{Key, Kind, Store, Ttl};
use larder_test::server::RedisCluster;

use crate::support::{Meanwhile, connect, larder, prefixed, run, run_with, server};

#[tokio::test]
async fn a_limit_is_shown_and_reset_for_one_visitor_or_for_all() {
    let (server, store) = server().await;
    let limiter = RateLimiter::new(store.clone(), "pages", Quota::per_hour(2)).unwrap();
    let other = RateLimiter::new(store, "pages2", Quota::per_hour(2)).unwrap();
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let (one, two) = (address("203.0.113.7"), address("2001:db8::7"));
    for visitor in [one, one, two] {
        let _ = limiter.check(visitor).await.unwrap();
        let _ = other.check(visitor).await.unwrap();
    }
    let url = server.url();
    let shown = larder(&url, "limit show pages --json").await.json();
    assert_eq!(shown.as_array().unwrap().len(), 2);
    let shown = larder(&url, "limit show pages 203.0.113.7").await.ok();
    assert!(shown.out.contains("in 59 min"), "{shown:?}");

    assert!(!limiter.peek(one).await.unwrap().is_allowed());
    let asked = run(&url, &["limit", "reset", "pages", "203.0.113.7"], "n\n").await;
    assert_eq!(asked.code, 1, "{asked:?}");
    assert!(!limiter.peek(one).await.unwrap().is_allowed());
    larder(&url, "limit reset pages 203.0.113.7 --yes")
        .await
        .ok();
    assert!(limiter.peek(one).await.unwrap().is_allowed());

    // A whole key names a visitor as well, whatever its id is made of.
    let key = limiter.key(two);
    let words = ["limit", "reset", "pages", key.as_str(), "--yes", "--json"];
    assert_eq!(run(&url, &words, "").await.json()["done"], 1);
    let done = larder(&url, "limit reset pages --all --yes --json")
        .await
        .json();
    assert_eq!(done["done"], 0);
    let done = larder(&url, "limit reset pages2 --all --yes --json")
        .await
        .json();
    assert_eq!(done["done"], 2, "another policy was not touched");
}

#[tokio::test]
async fn a_lock_is_listed_and_broken_and_its_holder_learns_of_it() {
    let (server, store) = server().await;
    let url = server.url();
    let lock = Lock::new(store, ("report", 7_u32))
        .unwrap()
        .with_order(Order::Fifo);
    let guard = lock.lock(Duration::from_secs(5)).await.unwrap().unwrap();
    let fence = guard.fence().as_u64();
    let shown = larder(&url, "lock ls --json").await.json();
    assert_eq!(
        (&shown[0]["lock"], &shown[0]["fence"]),
        (&"report:7".into(), &fence.into())
    );
    assert!(shown[0]["lease_ends"].as_str().unwrap().starts_with("in "));

    let words = ["lock", "break", "lock:{report:7}"];
    let asked = run(&url, &words, "\n").await;
    asked.complains(1, "from 1 holder.");
    let broken = run(&url, &words, "yes\n").await;
    broken.prints(0, "1 holder has lost the lock report:7");
    let next = lock.try_lock().await.unwrap().unwrap();
    assert!(next.fence().as_u64() > fence, "the fence still rises");
    assert_eq!(
        guard.release().await.unwrap(),
        larder::structures::lock::Released::AlreadyLost
    );
    drop(next);
    let free = larder(&url, "lock break nobody").await;
    free.prints(1, "nobody holds");
}

#[tokio::test]
async fn a_semaphore_is_listed_explained_and_broken_beside_the_lock_of_its_id() {
    let (server, store) = server().await;
    let url = server.url();
    let lock = Lock::new(store.clone(), "calls").unwrap();
    let calls = Semaphore::new(store, "calls", NonZeroU32::MIN).unwrap();
    let held = lock.try_lock().await.unwrap().unwrap();
    let permit = calls.try_acquire().await.unwrap().unwrap();
    let listed = larder(&url, "lock ls --json").await.json();
    let listed = listed.as_array().unwrap().iter();
    let names: Vec<_> = listed.map(|it| it["lock"].as_str().unwrap()).collect();
    assert_eq!(names, ["calls", "lock:{calls}:permits"]);

    let explained = run(&url, &["explain", names[1]], "").await;
    let fence = permit.fence().as_u64().to_string();
    explained.prints(0, &fence);

    let words = ["lock", "break", names[1], "--yes"];
    let broken = run(&url, &words, "").await;
    broken.prints(0, "lost the lock lock:{calls}:permits");
    assert!(calls.try_acquire().await.unwrap().is_some());
    assert_eq!(held.release().await.unwrap(), Released::InTime);
}

#[tokio::test]
async fn each_id_of_the_list_breaks_its_lock() {
    let (server, store) = server().await;
    let url = server.url();
    let take = async |lock: &Lock| lock.try_lock().await.unwrap().unwrap();
    let pair = Lock::new(store.clone(), ("report", 7_u32)).unwrap();
    let text = Lock::new(store.clone(), "report:7").unwrap();
    let spaced = Lock::new(store, "a b").unwrap();
    let guards = [take(&pair).await, take(&text).await, take(&spaced).await];
    let listed = larder(&url, "lock ls --json").await.json();
    assert_eq!(listed.as_array().unwrap().len(), 3, "{listed}");
    assert_eq!(listed[0]["waiting_in_order"], 0, "{listed}");
    for (nth, id) in ["report:7", "report%3A7", "a%20b"].iter().enumerate() {
        let listed = listed.as_array().unwrap().iter();
        assert_eq!(listed.filter(|it| it["lock"] == *id).count(), 1, "{id}");
        let broken = run(&url, &["lock", "break", id, "--yes"], "").await;
        broken.prints(0, "1 holder");
        let is_free = [&pair, &text, &spaced][nth].try_lock().await.unwrap();
        assert!(is_free.is_some(), "{id}");
    }
    drop(guards);
    // The name of an app is taken if no id of the list is meant.
    let _guard = take(&text).await;
    let words = ["lock", "break", "report:7", "--yes", "--json"];
    let broken = run(&url, &words, "").await.json();
    assert_eq!(
        (&broken["done"], &broken["lock"]),
        (&1.into(), &"report%3A7".into())
    );
}

#[tokio::test]
async fn a_lock_whose_holder_has_gone_meanwhile_is_not_broken_and_that_is_said() {
    let (server, store) = server().await;
    let url = server.url();
    let lock = Lock::new(store, "report").unwrap();
    let guard = lock.try_lock().await.unwrap().unwrap();
    let fence = i64::try_from(guard.fence().as_u64()).unwrap();
    let release = async move |store: Arc<dyn Store>| {
        let programs = store.programs().unwrap();
        let key = Key::new(Permits::KIND, "report");
        assert!(programs.run(&key, &Release { fence }).await.unwrap());
    };
    let mut input = Meanwhile::new(&url, release);
    let ran = run_with(&url, &["lock", "break", "report"], &mut input).await;
    ran.prints(1, "0 holders: they have released or lost it meanwhile");
}

#[tokio::test]
async fn a_ban_that_came_after_the_question_stays() {
    let (server, store) = server().await;
    let url = server.url();
    let limiter = RateLimiter::new(store, "pages", Quota::per_hour(3)).unwrap();
    let _ = limiter.check("ann").await.unwrap();
    limiter
        .ban("ann", Duration::from_secs(7_200))
        .await
        .unwrap();
    for words in [
        &["limit", "reset", "pages", "ann"][..],
        &["limit", "reset", "pages", "--all"],
    ] {
        let mut input = Meanwhile::new(&url, async |store| {
            let limiter = RateLimiter::new(store, "pages", Quota::per_hour(3)).unwrap();
            let _ = limiter.forgive("ann").await.unwrap();
            limiter
                .ban("ann", Duration::from_secs(3_600))
                .await
                .unwrap();
        });
        let ran = run_with(&url, words, &mut input).await;
        ran.complains(1, "a visitor was banned since the question");
        assert!(!limiter.peek("ann").await.unwrap().is_allowed());
    }
    run(&url, &["limit", "reset", "pages", "ann"], "y\n")
        .await
        .ok();
    assert!(limiter.peek("ann").await.unwrap().is_allowed());
}

#[tokio::test]
async fn a_structure_is_explained_and_a_cached_value_whose_kind_has_its_name() {
    let (server, store) = server().await;
    let url = server.url();
    let day = Ttl::from_secs(86_400);
    let counter = Counter::new(store.clone(), "visits", day).unwrap();
    counter.add("ada", 3).await.unwrap();
    let board = Leaderboard::new(store.clone(), "weekly", day).unwrap();
    board.add("all", "ada", 7).await.unwrap();
    let keys = server.command(&["KEYS", "board:*"]).unwrap();
    // The settings of a leaderboard are in its key, and its other parts begin with it.
    let keys = keys.array().unwrap().iter();
    let keys = keys.map(|key| key.text().unwrap());
    let board = keys.min_by_key(|key| key.len()).unwrap();
    for (key, kind, name, value) in [
        ("counter:{visits:ada}", "a counter", "value", "3"),
        (&*board, "a leaderboard", "members", "1"),
    ] {
        let shown = run(&url, &["explain", key, "--json"], "").await.json();
        assert_eq!(
            (&shown["kind"], &shown[name]),
            (&kind.into(), &value.into())
        );
    }
    let absent = run(&url, &["explain", "counter:{visits:nobody}"], "").await;
    absent.prints(1, "absent");

    let cache = Cache::<u32, String>::builder(Kind::evictable("counter"), day);
    let cache = cache.with_far(store).build().unwrap();
    cache.insert(7, "text".to_owned()).await.unwrap();
    let shown = run(&url, &["explain", "counter:{v0:7}", "--json"], "")
        .await
        .json();
    assert_eq!(shown["schema"], 0, "{shown}");
}

/// Bans and forgives `visitor` of a limiter, as its app sees it.
async fn ban_and_forgive(url: &str, limiter: &RateLimiter, named: &str, visitor: &str) {
    let allows = async || limiter.peek(visitor).await.unwrap().is_allowed();
    let words = ["limit", "ban", limiter.policy(), named, "--for", "12h"];
    let asked = run(url, &words, "n\n").await;
    asked.complains(1, "1 visitor for 12 h");
    assert!(allows().await);
    let done = run(url, &[&words[..], &["--yes", "--json"]].concat(), "").await;
    assert_eq!(done.json()["done"], 1);
    assert!(!allows().await, "{named}");
    let shown = larder(url, &format!("limit show {}", limiter.policy()))
        .await
        .ok();
    assert!(shown.out.contains("banned for 11 h 59 min"), "{shown:?}");
    let words = ["limit", "forgive", limiter.policy(), named];
    run(url, &words, "").await.ok();
    assert!(allows().await, "{named}");
    let again = run(url, &words, "").await;
    again.prints(1, "is not banned");
}

#[tokio::test]
async fn a_visitor_is_banned_and_forgiven_whatever_the_rules_of_the_policy_are() {
    let (server, store) = server().await;
    let url = server.url();
    let quota = RateLimiter::new(store.clone(), "pages", Quota::per_hour(3)).unwrap();
    let rules = Policy::new(Quota::per_hour(3)).and(Quota::per_day(9));
    let several = RateLimiter::new(store.clone(), "api", rules).unwrap();
    for visitor in ["203.0.113.7", "a\n\u{1b}[2J:{*", &"k".repeat(10_240)] {
        for limiter in [&quota, &several] {
            let named = run(
                &url,
                &["limit", "ban", limiter.policy(), visitor, "--for", "1s"],
                "",
            )
            .await;
            let is_first = visitor == "203.0.113.7";
            assert_eq!(
                named.err.contains("is its name right"),
                is_first,
                "{named:?}"
            );
            ban_and_forgive(&url, limiter, visitor, visitor).await;
            // However many records were banned, it is one visitor.
            for words in [&["ban"][..], &["reset"]] {
                let end: &[&str] = if words[0] == "ban" {
                    &["--for", "1h"]
                } else {
                    &[]
                };
                let named = [limiter.policy(), visitor, "--yes", "--json"];
                let words = [&["limit"][..], words, &named[..], end].concat();
                assert_eq!(run(&url, &words, "").await.json()["done"], 1, "{words:?}");
            }
            // A known visitor.
            let _ = limiter.check("other").await.unwrap();
        }
    }
    // What was used stays.
    let before = quota.check("203.0.113.8").await.unwrap().remaining();
    let key = quota.key("203.0.113.8");
    ban_and_forgive(&url, &quota, key.as_str(), "203.0.113.8").await;
    let after = quota.check("203.0.113.8").await.unwrap().remaining();
    assert_eq!((before, after), (2, 1));

    let foreign = quota.key("203.0.113.8");
    let words = [
        "limit",
        "ban",
        "api",
        foreign.as_str(),
        "--for",
        "1h",
        "--yes",
    ];
    let ran = run(&url, &words, "").await;
    ran.complains(2, "belongs to another policy");
    let long = "p".repeat(300);
    for words in [
        ["limit", "show", &long, "--json"],
        ["limit", "reset", &long, "--all"],
    ] {
        let ran = run(&url, &words, "").await;
        assert_eq!(ran.code, 2, "{ran:?}");
    }
    for time in ["0s", "1", "1y", "-1s"] {
        let time = format!("--for={time}");
        let ran = run(&url, &["limit", "ban", "pages", "x", &time], "").await;
        ran.complains(2, "such as 90s");
    }
}

#[tokio::test]
async fn a_visitor_of_a_layer_is_named_by_what_a_person_knows_of_it() {
    let (server, store) = server().await;
    let url = server.url();
    let quota = RateLimiter::new(store.clone(), "pages", Quota::per_hour(3)).unwrap();
    let rules = Policy::new(Quota::per_hour(3)).and(Quota::per_day(9));
    let several = RateLimiter::new(store, "api", rules).unwrap();
    // As the layers write them.
    let network = |text: &str| Network::of(text.parse().unwrap());
    for limiter in [&quota, &several] {
        let policy = limiter.policy();
        for (key, named) in [
            (limiter.key(("ip", network("203.0.113.7"))), "203.0.113.7"),
            (limiter.key(("ip", network("2001:db8::7"))), "2001:db8::9"),
            (limiter.key(("user", "ann")), "ann"),
            (
                limiter.key(("header", "x-api-key", "k e:y")),
                "x-api-key:k e:y",
            ),
            (limiter.key(("own", "k e:y")), "k e:y"),
        ] {
            limiter
                .ban_record(key.clone(), Duration::from_secs(9))
                .await
                .unwrap();
            let shown = run(&url, &["limit", "show", policy, named, "--json"], "")
                .await
                .json();
            assert_eq!(shown.as_array().unwrap().len(), 1, "{named}: {shown}");
            // The listing's name of a visitor works as well.
            let listed = shown[0]["visitor"].as_str().unwrap();
            for named in [named, listed] {
                let words = [
                    "limit", "ban", policy, named, "--for", "9h", "--yes", "--json",
                ];
                let banned = run(&url, &words, "").await.json();
                assert!(banned["note"].is_null(), "{banned}");
                let shown = larder(&url, &format!("limit show {policy}")).await.ok();
                assert_eq!(shown.out.matches("8 h 59 min").count(), 1, "{shown:?}");
                run(&url, &["limit", "forgive", policy, named], "")
                    .await
                    .ok();
                limiter
                    .ban_record(key.clone(), Duration::from_secs(9))
                    .await
                    .unwrap();
            }
            let words = ["limit", "reset", policy, named, "--yes", "--json"];
            assert_eq!(run(&url, &words, "").await.json()["done"], 1);
            let again = run(&url, &words, "").await;
            again.prints(1, "\"done\": 0");
            let shown = run(&url, &["limit", "show", policy, named], "").await;
            shown.prints(1, "has not used this policy");
        }
    }
}

#[tokio::test]
async fn a_ban_reaches_a_visitor_without_a_record_wherever_the_app_looks() {
    let (server, store) = server().await;
    let url = server.url();
    let quota = RateLimiter::new(store.clone(), "pages", Quota::per_hour(3)).unwrap();
    let rules = Policy::new(Quota::per_hour(3)).and(Quota::per_day(9));
    let several = RateLimiter::new(store, "api", rules).unwrap();
    for limiter in [&quota, &several] {
        let policy = limiter.policy();
        // A policy by user, or else by address: all of its recent visitors were signed in.
        for user in ["1", "2"] {
            let _ = limiter.check(("user", user)).await.unwrap();
        }
        let words = ["limit", "ban", policy, "203.0.113.9", "--for", "9h"];
        let banned = run(&url, &[&words[..], &["--yes"]].concat(), "").await.ok();
        assert!(banned.out.contains("1 visitor is banned"), "{banned:?}");
        assert!(banned.out.contains("is the name right"), "{banned:?}");
        let address: IpAddr = "203.0.113.9".parse().unwrap();
        for allowed in [
            limiter.peek(("ip", Network::of(address))).await,
            limiter.peek(("user", "203.0.113.9")).await,
            limiter.peek(("own", "203.0.113.9")).await,
            limiter.peek(address).await,
        ] {
            assert!(!allowed.unwrap().is_allowed(), "{policy}");
        }
        // What the visitor has used of rules that only the app knows is not shown.
        let words = ["limit", "show", policy, "203.0.113.9"];
        let shown = run(&url, &words, "").await.ok();
        assert!(shown.out.contains("banned for 8 h 59 min"), "{shown:?}");
        assert!(!shown.out.contains("used"), "{shown:?}");
        run(&url, &["limit", "forgive", policy, "203.0.113.9"], "")
            .await
            .ok();
        let address = limiter.peek(("ip", Network::of(address))).await.unwrap();
        assert!(address.is_allowed(), "{policy}");
        assert_eq!(limiter.peek(("user", "1")).await.unwrap().remaining(), 2);
    }
}

#[tokio::test]
async fn an_error_says_how_much_was_removed_before_it() {
    let cluster = std::sync::Arc::new(RedisCluster::start().unwrap());
    let url = cluster.url();
    let limiter = RateLimiter::new(connect(&url).await, "pages", Quota::per_hour(9)).unwrap();
    for visitor in 0..30_u32 {
        let _ = limiter.check(visitor).await.unwrap();
    }
    let lost = cluster.clone();
    let mut input = Meanwhile::new(&url, async move |_| {
        lost.masters()[0].kill();
    });
    let url = format!("{url}?timeout_ms=1000&connect_timeout_ms=1000");
    let ran = run_with(&url, &["limit", "reset", "pages", "--all"], &mut input).await;
    ran.complains(2, "30 visitors");
    let removed = ran.err.split("; ").last().unwrap();
    assert!(
        removed.contains("records were removed before that"),
        "{ran:?}"
    );
    let removed: u32 = removed.split(' ').next().unwrap().parse().unwrap();
    assert!((1..30).contains(&removed), "{ran:?}");
}

#[tokio::test]
async fn a_whole_key_of_another_policy_is_an_error_and_is_not_touched() {
    let (server, store) = server().await;
    let url = server.url();
    let quota = RateLimiter::new(store.clone(), "pages", Quota::per_hour(3)).unwrap();
    let rules = Policy::new(Quota::per_hour(3)).and(Quota::per_day(9));
    let several = RateLimiter::new(store, "api", rules).unwrap();
    for limiter in [&quota, &several] {
        let _ = limiter.check("ann").await.unwrap();
        let key = limiter.key("ann");
        let key = key.as_str();
        for words in [
            &["limit", "show", "other", key][..],
            &["limit", "reset", "other", key, "--yes"],
            &["limit", "ban", "other", key, "--for", "1h", "--yes"],
            &["limit", "forgive", "other", key],
        ] {
            let ran = run(&url, words, "").await;
            ran.complains(2, "belongs to another policy");
        }
        let shown = run(
            &url,
            &["limit", "show", limiter.policy(), key, "--json"],
            "",
        )
        .await;
        assert_eq!(shown.json().as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_whole_key_may_repeat_the_namespace_and_one_of_another_namespace_is_an_error() {
    let (server, store) = server().await;
    let (url, app) = (server.url(), prefixed(&store));
    let limiter = RateLimiter::new(app.clone(), "pages", Quota::per_hour(2)).unwrap();
    let _ = limiter.check("ann").await.unwrap();
    let lock = Lock::new(app.clone(), "report").unwrap();
    let _guard = lock.try_lock().await.unwrap().unwrap();
    let films = crate::cache::films(&app);
    films.insert(7, "Metropolis".to_owned()).await.unwrap();
    let limit = limiter.key("ann");
    for (key, lines) in [
        (
            "film:{v0:7}",
            &["explain", "cache get", "cache purge --yes"][..],
        ),
        (
            limit.as_str(),
            &["explain", "limit show pages", "limit reset --yes pages"],
        ),
        ("lock:{report}", &["explain", "lock break --yes"]),
    ] {
        for line in lines {
            let words: Vec<_> = line.split(' ').collect();
            let words = [&["--namespace", "prod:app"], &words[..]].concat();
            let other = format!("dev:app:{key}");
            let ran = run(&url, &[&words[..], &[&other]].concat(), "").await;
            ran.complains(2, "--namespace is prod:app");
            let whole = format!("prod:app:{key}");
            let ran = run(&url, &[&words[..], &[&whole]].concat(), "").await.ok();
            assert!(!ran.out.contains("absent"), "{line}: {ran:?}");
        }
    }
    assert!(films.get(&7).await.is_none(), "it was purged");
    assert_eq!(limiter.check("ann").await.unwrap().remaining(), 1);
    assert!(lock.try_lock().await.unwrap().is_some());
}

#[tokio::test]
async fn an_event_log_is_explained_without_its_events() {
    let (server, store) = server().await;
    let log = EventLog::<String>::new(store, "orders", Ttl::from_secs(3_600)).unwrap();
    for text in ["first-secret", "second-secret"] {
        log.append("all", &text.to_owned()).await.unwrap();
    }
    let mailer = log.group("all", "mailer").unwrap().consumer();
    let batch = mailer.read(1).await.unwrap();
    let rejected = mailer.reject(&batch.deliveries[0], "nobody-secret").await;
    assert_eq!(rejected.unwrap(), Settled::Done);
    let shown = larder(&server.url(), "explain log:{orders:all} --json").await;
    assert!(!shown.out.contains("secret"), "{shown:?}");
    let shown = shown.json();
    assert_eq!(
        (&shown["kind"], &shown["events"], &shown["dead"]),
        (&"an event log".into(), &"2".into(), &"1".into()),
        "{shown}"
    );
    assert!(
        shown["group_mailer"].as_str().unwrap().contains("lost 0"),
        "{shown}"
    );
    let _held = mailer.read(1).await.unwrap();
    let shown = larder(&server.url(), "explain log:{orders:all}").await.ok();
    let time = |of: &str| {
        let mut lines = shown.out.lines();
        lines.find_map(|line| Some(line.split_once(of)?.1.trim().to_owned()))
    };
    let ends = time("next lease of mailer ends").unwrap();
    assert!(ends.starts_with("in "), "{shown:?}");
    assert!(time(" delivered").unwrap().ends_with(" ago"), "{shown:?}");
    let listed = larder(&server.url(), "events ls --json").await.json();
    let listed = &listed[0];
    assert_eq!(
        (
            &listed["log"],
            &listed["events"],
            &listed["groups"],
            &listed["dead"]
        ),
        (&"orders:all".into(), &2.into(), &1.into(), &1.into())
    );
    let other = larder(&server.url(), "explain film:{points:all}").await;
    other.complains(2, "not the key of a cached value");
}

#[tokio::test]
async fn the_dead_letters_of_an_event_log_are_listed_and_shown_only_on_request() {
    let (server, store) = server().await;
    let (url, app) = (server.url(), prefixed(&store));
    let log = EventLog::<String>::new(app, "orders", Ttl::from_secs(3_600)).unwrap();
    // The id of a log may contain anything.
    for id in ["all", "a:b %"] {
        for number in 0..3 {
            log.append(id, &format!("secret-{number}")).await.unwrap();
        }
        let mailer = log.group(id, "mailer").unwrap().consumer();
        for delivery in &mailer.read(3).await.unwrap().deliveries {
            let rejected = mailer.reject(delivery, "nobody\u{1b}[2J").await;
            assert_eq!(rejected.unwrap(), Settled::Done);
        }
    }
    let listed = larder(&url, "--namespace prod:app events ls --json").await;
    let listed = listed.json();
    for log in listed.as_array().unwrap() {
        assert_eq!((&log["groups"], &log["dead"]), (&1.into(), &3.into()));
        let named = log["log"].as_str().unwrap();
        for named in [named, &format!("prod:app:log:{{{named}}}")] {
            let words = ["--namespace", "prod:app", "events", "dead", named];
            let shown = run(&url, &words, "").await.ok();
            assert!(shown.out.contains("mailer"), "{shown:?}");
            assert!(shown.out.contains("10 characters"), "{shown:?}");
            assert!(!shown.out.contains("secret"), "{shown:?}");
            let shown = run(
                &url,
                &[&words[..], &["--json", "--show-values"]].concat(),
                "",
            )
            .await;
            let shown = shown.json();
            assert_eq!(shown.as_array().unwrap().len(), 3, "{shown}");
            assert_eq!(shown[2]["deliveries"], 1);
            assert_eq!(shown[2]["value"], "\"secret-2\"");
            assert_eq!(shown[2]["reason"], "nobody\u{1b}[2J");
        }
    }
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let words = [
        "--namespace",
        "prod:app",
        "events",
        "dead",
        "orders:all",
        "--limit",
        "2",
        "--json",
    ];
    let cut = run(&url, &words, "").await.json();
    assert_eq!(
        (cut[1]["value"].is_null(), &cut[2]["more"]),
        (true, &true.into())
    );
    let none = larder(&url, "events dead orders:nobody").await;
    none.complains(2, "larder events ls");
    let wrong = run(&url, &["events", "dead", "}"], "").await;
    wrong.complains(2, "such as log:{orders:all}");
}

#[tokio::test]
async fn the_journal_of_a_write_behind_cache_is_explained_without_its_values() {
    let (server, store) = server().await;
    let films = crate::cache::films(&store);
    let journal = WriteBehind::builder(store, "films", films).without_worker();
    let behind = journal.start(async |_| Ok::<_, ()>(())).unwrap();
    behind.write(7, "Metropolis".to_owned()).await.unwrap();
    let shown = larder(&server.url(), "explain write-behind:{films} --json").await;
    assert!(!shown.out.contains("Metropolis"), "{shown:?}");
    let shown = shown.json();
    assert_eq!(
        (&shown["waiting"], &shown["dead"]),
        (&"1".into(), &"0".into()),
        "{shown}"
    );
}
