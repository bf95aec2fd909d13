//! Commands about servers, on one, a cluster, and behind sentinels.

use std::sync::Arc;
use std::time::Duration;

use larder::rate_limit::{Quota, RateLimiter};
use larder_test::server::{AclUser, RedisCluster, RedisOptions, RedisSentinels};

use crate::support::{Meanwhile, connect, larder, run, run_with, server};

#[tokio::test]
async fn a_store_in_the_process_of_an_app_is_refused_in_clear_words() {
    let ran = larder("memory://?", "scan").await;
    ran.complains(2, "no other process can see it");
    assert!(ran.out.is_empty());
}

#[tokio::test]
async fn a_wrong_command_line_or_url_is_exit_code_2_and_says_what_to_do() {
    for (url, line, text) in [
        ("redis://127.0.0.1:1", "ping", "no server listens there"),
        (
            "redis://app:hunter2@127.0.0.1:1",
            "ping",
            "no server listens there",
        ),
        ("memcached://h", "ping", "scheme"),
        ("redis://127.0.0.1:1", "session revoke", "--user"),
        (
            "redis://127.0.0.1:1",
            "doctor --only X999",
            "expected the number of a check",
        ),
        ("redis://127.0.0.1:1", "--namespace prod ping", "prod:app"),
        ("redis://127.0.0.1:1", "cache purge", "--tag"),
        ("redis://127.0.0.1:1", "nonsense", "unrecognized subcommand"),
    ] {
        let ran = larder(url, line).await;
        ran.complains(2, text);
        assert!(!format!("{ran:?}").contains("hunter2"), "{ran:?}");
    }
    let help = larder("redis://h", "--help").await.ok();
    for command in ["doctor", "scan", "session", "queue", "explain"] {
        assert!(help.out.contains(command), "{help:?}");
    }
}

#[tokio::test]
async fn the_doctor_says_what_is_wrong_and_its_exit_code_follows_fail_on() {
    let (server, _) = server().await;
    server
        .command(&["CONFIG", "SET", "timeout", "300"])
        .unwrap();
    let url = server.url();
    let ran = larder(&url, "doctor --interval 0 --uses cache").await;
    assert_eq!(ran.code, 0, "{ran:?}");
    for text in [
        "L016",
        "timeout 300",
        "fix: CONFIG SET timeout 0",
        "docs/doctor.md#l016-idle-timeout",
    ] {
        assert!(ran.out.contains(text), "{ran:?}");
    }
    assert!(!ran.out.contains("L001"), "what is ok is left out: {ran:?}");
    let ran = larder(&url, "doctor --interval 0 --only L016 --fail-on warn").await;
    assert_eq!(ran.code, 1, "{ran:?}");
    let ran = larder(
        &url,
        "doctor --interval 0 --only L016,L001 --silence L016 --fail-on warn",
    )
    .await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = larder(&url, "doctor --interval 0 --only L029").await.ok();
    assert!(ran.out.contains("L029 does not apply"), "{ran:?}");
    for (id, expected) in [("A004", "a check of the app"), ("A012", "--lock")] {
        let ran = larder(&url, &format!("doctor --interval 0 --only {id}")).await;
        ran.complains(2, expected);
    }
    let json = larder(&url, "doctor --interval 0 --only L016 --json")
        .await
        .json();
    let finding = &json["findings"][0];
    assert_eq!(
        (&finding["id"], &finding["status"]),
        (&"L016".into(), &"warn".into())
    );

    let lock = std::env::temp_dir().join(format!("larder-cli-{}.lock", std::process::id()));
    let package =
        |version| format!("[[package]]\nname = \"larder-store\"\nversion = \"{version}\"\n");
    std::fs::write(&lock, package("0.1.0") + &package("0.2.0")).unwrap();
    let line = [
        "doctor",
        "--interval",
        "0",
        "--only",
        "A012",
        "--lock",
        lock.to_str().unwrap(),
    ];
    let ran = run(&url, &line, "").await;
    std::fs::remove_file(&lock).unwrap();
    ran.prints(1, "0.1.0 and 0.2.0");
}

#[tokio::test]
async fn a_live_view_clears_the_screen_only_where_it_is_a_terminal() {
    let (server, _) = server().await;
    for clears_screen in [false, true] {
        let (mut out, mut err, mut input) = (Vec::new(), Vec::new(), &b""[..]);
        let io = larder_cli::Io {
            out: &mut out,
            err: &mut err,
            input: &mut input,
            // As in `larder top | tee log`.
            shows_progress: true,
            clears_screen,
        };
        let url = format!("{}?timeout_ms=5000&connect_timeout_ms=5000", server.url());
        let words = ["larder", "--url", &url, "top", "-n", "1"];
        let code = larder_cli::run(words.map(std::ffi::OsString::from), io).await;
        let out = String::from_utf8(out).unwrap();
        assert_eq!((code, out.contains('\u{1b}')), (0, clears_screen), "{out}");
    }
}

#[tokio::test]
async fn ping_bench_and_top_measure_a_server_and_leave_nothing_behind() {
    let (server, _) = server().await;
    let url = server.url();
    let ping = larder(&url, "ping -n 3 --json").await.json();
    assert_eq!(ping[0]["server"], url);
    assert!(ping[0]["min_ms"].as_f64() <= ping[0]["max_ms"].as_f64());
    let bench = larder(&url, "bench --millis 30 --json").await.json();
    let rows = bench.as_array().unwrap();
    assert_eq!(rows.len(), 6);
    assert!(
        rows.iter().all(|row| row["per_second"].as_u64() > Some(0)),
        "{rows:?}"
    );
    assert_eq!(server.command(&["DBSIZE"]).unwrap().int(), Some(0));
    let top = larder(&url, "top -n 2 --interval 1").await.ok();
    assert_eq!(top.out.matches("ops/s").count(), 2, "{top:?}");
    assert!(top.out.contains(&url));
}

#[tokio::test]
async fn a_scan_counts_by_kind_and_sees_only_its_prefix() {
    let (server, store) = server().await;
    for visitor in 0..7_u32 {
        let limiter = RateLimiter::new(store.clone(), "pages", Quota::per_hour(9)).unwrap();
        let _ = limiter.check(visitor).await.unwrap();
    }
    server
        .command(&["SET", "film:{v0:1}", "x", "PX", "60000"])
        .unwrap();
    let url = server.url();
    let ran = larder(&url, "scan").await.ok();
    assert!(
        ran.out.contains("limit") && ran.out.contains("film"),
        "{ran:?}"
    );
    let json = larder(&url, "scan limit:{ --json").await.json();
    assert_eq!(json["keys"], 7);
    assert_eq!(json["kinds"]["limit"]["without_ttl"], 0);
    assert!(json["kinds"]["film"].is_null());
}

#[tokio::test]
async fn a_cluster_is_seen_as_one_store_and_its_nodes_by_themselves() {
    let cluster = RedisCluster::start().unwrap();
    let url = cluster.url();
    let store = connect(&url).await;
    let limiter = RateLimiter::new(store, "pages", Quota::per_hour(9)).unwrap();
    for visitor in 0..20_u32 {
        let _ = limiter.check(visitor).await.unwrap();
    }
    assert_eq!(
        larder(&url, "ping -n 1 --json")
            .await
            .json()
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let json = larder(&url, "scan limit --json").await.json();
    assert_eq!(
        (&json["keys"], &json["kinds"]["limit"]["measured"]),
        (&20.into(), &20.into())
    );
    larder(&url, "limit ban pages ann --for 1h --yes")
        .await
        .ok();
    larder(&url, "limit forgive pages ann").await.ok();
    let absent = larder(&url, "explain http://example.org/").await;
    assert_eq!(absent.code, 1, "{absent:?}");
    let reset = larder(&url, "limit reset pages --all --yes --json")
        .await
        .json();
    assert_eq!(reset["done"], 20);
    let doctor = larder(&url, "doctor --interval 0 --only L029 --all")
        .await
        .ok();
    assert_eq!(
        doctor.out.matches("16384 slots assigned").count(),
        3,
        "{doctor:?}"
    );
    let doctor = larder(&url, "doctor --interval 0 --only L004").await.ok();
    let told = ["no limit", "fix:"].map(|text| doctor.out.matches(text).count());
    assert_eq!(told, [3, 1], "{doctor:?}");
}

#[tokio::test]
async fn a_master_is_found_by_its_sentinels() {
    let servers = RedisSentinels::start().unwrap();
    let url = servers.url();
    let store = connect(&url).await;
    let lock = larder::structures::lock::Lock::new(store, "report").unwrap();
    let guard = lock.lock(Duration::from_secs(5)).await.unwrap().unwrap();
    let locks = larder(&url, "lock ls --json").await.json();
    assert_eq!(locks[0]["lock"], "report");
    drop(guard);
    larder(&url, "limit ban pages ann --for 1h --yes")
        .await
        .ok();
    let banned = larder(&url, "limit show pages ann").await.ok();
    assert!(banned.out.contains("banned for"), "{banned:?}");
    let absent = larder(&url, "explain http://example.org/").await;
    assert_eq!(absent.code, 1, "{absent:?}");
    let doctor = larder(&url, "doctor --interval 0 --only L031 --all")
        .await
        .ok();
    assert!(doctor.out.contains("3 with a quorum"), "{doctor:?}");
}

#[tokio::test]
async fn a_node_that_is_down_hides_no_other() {
    let cluster = RedisCluster::start().unwrap();
    let url = format!("{}?timeout_ms=2000&connect_timeout_ms=2000", cluster.url());
    cluster.masters()[0].kill();
    let ping = larder(&url, "ping -n 1 --json").await;
    assert_eq!(ping.code, 1, "{ping:?}");
    let rows: serde_json::Value = serde_json::from_str(&ping.out).unwrap();
    let rows = rows.as_array().unwrap();
    let failed = rows.iter().filter(|row| !row["error"].is_null()).count();
    assert_eq!((rows.len(), failed), (3, 1), "{rows:?}");
    let top = larder(&url, "top -n 1 --json").await.json();
    let failed = top.as_array().unwrap().iter();
    let failed = failed.filter(|row| row["error"].is_string() && row["ops/s"].is_null());
    assert_eq!(failed.count(), 1, "{top}");
    let doctor = larder(&url, "doctor --interval 0 --only L001 --json").await;
    assert_eq!(
        (doctor.code, doctor.out.matches("\"fail\"").count()),
        (1, 1),
        "{doctor:?}"
    );
}

#[tokio::test]
async fn a_user_who_may_do_little_is_told_so_by_each_command() {
    let server = RedisOptions::new()
        .with_acl_user(
            AclUser::new("narrow", "secret")
                .with_key_prefix("prod:app:")
                .with_commands("+hello +auth +ping +get +set"),
        )
        .start()
        .unwrap();
    let url = server.url_as("narrow", "secret");
    larder(&url, "ping -n 1").await.ok();
    let doctor = larder(&url, "doctor --interval 0 --only L003").await.ok();
    assert!(doctor.out.contains("1 unknown"), "{doctor:?}");
    for line in [
        "scan",
        "session ls",
        "session ls --user ann",
        "session revoke --user ann --yes",
        "session revoke --all --yes",
        "limit show pages",
        "limit reset pages ann --yes",
        "limit ban pages ann --for 1h --yes",
        "limit forgive pages ann",
        "queue ls",
        "queue inspect mail",
        "queue pause mail",
        "lock ls",
        "lock break report --yes",
        "cache purge film:{v0:1} --yes",
        "cache purge --tag films --yes",
        "explain session:{x}",
        "explain http://example.org/",
        "bench --millis 1",
    ] {
        let ran = larder(&url, line).await;
        assert_eq!(ran.code, 2, "{line}: {ran:?}");
        assert!(ran.err.starts_with("error: "), "{line}: {ran:?}");
        assert!(!ran.err.contains("secret"), "{line}: {ran:?}");
    }
}

#[tokio::test]
async fn a_prefix_with_the_signs_of_a_pattern_is_taken_as_it_is() {
    let (server, _) = server().await;
    for key in [
        "film:{1}",
        "f*lm:{1}",
        "f[i]lm:{1}",
        "f?lm:{1}",
        "f\\lm:{1}",
    ] {
        server.command(&["SET", key, "x", "PX", "60000"]).unwrap();
    }
    for prefix in ["f*", "f[i]", "f?", "f\\"] {
        let found = run(&server.url(), &["scan", prefix, "--json"], "")
            .await
            .json();
        assert_eq!(found["keys"], 1, "{prefix}: {found}");
        let words = ["limit", "reset", prefix, "--all", "--yes", "--json"];
        assert_eq!(run(&server.url(), &words, "").await.json()["done"], 0);
    }
}

#[tokio::test]
async fn help_gives_examples_and_exit_codes() {
    let help = larder("redis://h", "--help").await.ok();
    for text in [
        "Examples:",
        "Exit codes:",
        "larder doctor redis://",
        "  2  the command failed",
    ] {
        assert!(help.out.contains(text), "{help:?}");
    }
    for command in [
        "session", "limit", "queue", "events", "lock", "cache", "explain",
    ] {
        let help = larder("redis://h", &format!("{command} --help")).await.ok();
        assert!(help.out.contains(&format!("larder {command} ")), "{help:?}");
        assert!(help.out.contains("Example"), "{help:?}");
    }
}

#[tokio::test]
async fn a_server_that_answers_late_is_waited_for_longer_than_an_app_waits() {
    let (server, store) = server().await;
    let server = Arc::new(server);
    let url = server.url();
    crate::session::sign_in(&store, "ann").await;
    let films = crate::cache::films(&store);
    films.insert(7, "Metropolis".to_owned()).await.unwrap();
    for line in [
        "cache expire film:{v0:7}",
        "cache purge film:{v0:7}",
        "cache purge --uri http://cinema.example/films --tag noir",
        "session revoke --user ann",
    ] {
        let paused = server.clone();
        let mut input = Meanwhile::new(&url, async move |_| {
            paused.command(&["CLIENT", "PAUSE", "500"]).unwrap();
        });
        let words: Vec<_> = line.split(' ').collect();
        let ran = run_with(&url, &words, &mut input).await;
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
    }
}
