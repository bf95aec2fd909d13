//! Each check that can be brought about on a real server, both ways.

mod app;
mod servers;
mod states;

use std::sync::Arc;
use std::time::{Duration, Instant};

use larder_ops::doctor::{Doctor, Finding, Report, Status, Uses};
use larder_redis::RedisStore;
use larder_test::proxy::{Direction, FaultProxy};
use larder_test::server::{RedisServer, Reply};

use crate::support::{PREFIX, connect, healthy, store};

fn doctor() -> Doctor {
    Doctor::new(Uses::ALL)
        .with_prefix(PREFIX)
        .with_app_user("app")
        // A busy machine is not the subject of this test.
        .with_timeout(Duration::from_secs(1))
        .with_interval(Duration::ZERO)
}

/// Examines servers that no app is known to use.
async fn examine(store: &Arc<RedisStore>) -> Report {
    let doctor = Doctor::new(Uses::ALL).with_interval(Duration::ZERO);
    doctor.examine(store).await
}

#[track_caller]
fn find<'a>(report: &'a Report, id: &str) -> &'a Finding {
    let mut findings = report.findings.iter();
    let found = findings.find(|finding| finding.id.as_str() == id);
    found.unwrap_or_else(|| panic!("no finding {id}"))
}

#[track_caller]
fn assert_status(report: &Report, id: &str, status: Status) {
    let finding = find(report, id);
    assert_eq!(finding.status, status, "{finding:?}");
}

#[tokio::test]
async fn a_healthy_server_is_all_ok() {
    let server = healthy();
    let store = store(&server, "doctor").await;
    let report = doctor().examine(&store).await;
    for finding in &report.findings {
        assert_eq!(finding.status, Status::Ok, "{finding:?}");
    }
    assert!(report.findings.len() >= 33, "{}", report.findings.len());
    assert_eq!(report.worst(), Status::Ok);
}

#[tokio::test]
async fn keys_of_a_distant_server_are_measured_together() {
    let server = RedisServer::start().unwrap();
    let write = "for i = 1, 500 do redis.call('SET', 'film:{' .. i .. '}', i, 'EX', 600) end";
    server.command(&["EVAL", write, "0"]).unwrap();
    let proxy = FaultProxy::start(server.address()).unwrap();
    let store = connect(&proxy.url()).await;
    proxy.delay(Direction::Replies, Duration::from_millis(30));
    let started = Instant::now();
    let report = examine(&store).await;
    // One by one, they would take 15 s.
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_status(&report, "L013", Status::Ok);
}

#[tokio::test]
async fn a_narrow_user_sees_unknown_and_neither_ok_nor_an_error() {
    let server = healthy();
    let store = store(&server, "narrow").await;
    let report = doctor().examine(&store).await;
    for finding in &report.findings {
        let id = finding.id.as_str();
        let is_seen_by_all = matches!(id, "L001" | "L019" | "L034");
        let expected = match is_seen_by_all {
            true => Status::Ok,
            false => Status::Unknown,
        };
        assert_eq!(finding.status, expected, "{finding:?}");
        let says_why = is_seen_by_all || finding.seen.contains("this user may not run");
        assert!(
            says_why || matches!(id, "L013" | "L037" | "L038"),
            "{finding:?}"
        );
    }
    assert_eq!(report.worst(), Status::Unknown);
}

#[tokio::test]
async fn a_missing_right_of_the_app_names_the_lost_feature() {
    let server = healthy();
    let store = store(&server, "doctor").await;
    let soft = doctor().with_app_user("nokill").examine(&store).await;
    let finding = find(&soft, "L032");
    assert_eq!(finding.status, Status::Warn, "{finding:?}");
    assert!(
        finding.seen.contains("ending hung connections"),
        "{finding:?}"
    );
    let vital = doctor().with_app_user("noeval").examine(&store).await;
    let finding = find(&vital, "L032");
    assert_eq!(finding.status, Status::Fail, "{finding:?}");
    assert!(finding.seen.contains("EVAL (programs"), "{finding:?}");
}

#[tokio::test]
async fn a_user_who_does_not_exist_is_a_failure() {
    let server = healthy();
    let store = store(&server, "doctor").await;
    let report = doctor().with_app_user("nobody").examine(&store).await;
    for (id, status) in [("L032", Status::Fail), ("L033", Status::Unknown)] {
        let finding = find(&report, id);
        assert_eq!(finding.status, status, "{finding:?}");
        assert_eq!(finding.seen, "there is no user 'nobody'");
    }
}

#[tokio::test]
async fn keys_of_other_apps_that_may_not_be_named_hide_none_of_ours() {
    let server = healthy();
    let store = store(&server, "doctor").await;
    let all = Doctor::new(Uses::ALL).with_interval(Duration::ZERO);
    let set = |key| server.command(&["SET", key, "x"]).unwrap();
    let _ = set("other:app:film:{1}");
    let report = all.examine(&store).await;
    assert_status(&report, "L013", Status::Unknown);
    let _ = set("prod:app:film:{1}");
    let finding = find(&all.examine(&store).await, "L013").clone();
    assert_eq!(finding.status, Status::Fail, "{finding:?}");
    assert_eq!(finding.seen, "1 of a sample of 1 keys");
}

#[tokio::test]
async fn the_default_user_of_a_server_without_a_password_has_too_many_rights() {
    let server = RedisServer::start().unwrap();
    let store = connect(&server.url()).await;
    let report = examine(&store).await;
    assert_status(&report, "L033", Status::Warn);
    // The defaults of Redis are not what sessions need.
    for (id, status) in [
        ("L004", Status::Warn),
        ("L024", Status::Warn),
        ("L032", Status::Ok),
    ] {
        assert_status(&report, id, status);
    }
}

#[tokio::test]
async fn a_user_with_nearly_all_rights_has_too_many() {
    let server = healthy();
    let store = store(&server, "doctor").await;
    for (rules, status) in [
        ("~prod:app:* +@all -debug", Status::Warn),
        ("~prod:app:* +@read +@admin", Status::Warn),
        ("~prod:app:* +@read +@dangerous", Status::Warn),
        ("~prod:app:* +@read (+@all ~*)", Status::Warn),
        ("%R~* +@read -@dangerous", Status::Warn),
        ("~prod:app:* +@all -@dangerous", Status::Ok),
        ("~prod:app:* +@read (+set %W~prod:app:*)", Status::Warn),
        ("~prod:app:* +@read -keys (+set %W~prod:app:*)", Status::Ok),
        ("~prod:app:* +get +config", Status::Warn),
        ("~prod:app:* +get +config|get", Status::Ok),
        ("~prod:app:* +get +shutdown", Status::Warn),
    ] {
        // A selector is one word.
        let (words, selector) = rules.split_once(" (").unwrap_or((rules, ""));
        let selector = (!selector.is_empty()).then(|| format!("({selector}"));
        let mut command = vec!["ACL", "SETUSER", "wide", "reset", "on", ">secret"];
        command.extend(words.split(' ').chain(selector.as_deref()));
        let reply = server.command(&command).unwrap();
        assert!(!matches!(reply, Reply::Error(_)), "{rules}: {reply:?}");
        let report = doctor().with_app_user("wide").examine(&store).await;
        assert_eq!(find(&report, "L033").status, status, "{rules}");
    }
}

#[tokio::test]
async fn a_server_that_is_gone_is_a_finding_and_not_an_error() {
    let mut server = healthy();
    let brisk = RedisStore::builder(&server.url_as("doctor", "secret"));
    let brisk = brisk.with_connect_timeout(Duration::from_millis(200));
    let store = Arc::new(brisk.connect().await.unwrap());
    server.kill();
    let report = doctor().examine(&store).await;
    let finding = find(&report, "L001");
    assert_eq!(finding.status, Status::Fail, "{finding:?}");
    assert_eq!(find(&report, "L003").status, Status::Unknown);
}
