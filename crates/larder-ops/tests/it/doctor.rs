//! Each check that can be brought about on a real server, both ways.

use std::sync::Arc;
use std::time::{Duration, Instant};

use larder_ops::doctor::{App, Doctor, Finding, Report, Status, Use, Uses, namespace_owner};
use larder_redis::RedisStore;
use larder_store::{Namespace, Prefixed, Store};
use larder_test::proxy::{Direction, FaultProxy};
use larder_test::server::{Connection, RedisCluster, RedisSentinels, RedisServer};

use crate::support::{PREFIX, connect, healthy, run, store};

fn doctor() -> Doctor {
    Doctor::new(Uses::ALL)
        .with_prefix(PREFIX)
        .with_app_user("app")
        // A busy machine is not what is examined here.
        .with_timeout(Duration::from_secs(1))
        .with_interval(Duration::ZERO)
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
    let report = Doctor::new(Uses::ALL)
        .with_interval(Duration::ZERO)
        .examine(&store)
        .await;
    // One after the other they take 15 s.
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

/// A state of a server: what brings it about, what the doctor then says, and what ends it.
struct State {
    id: &'static str,
    status: Status,
    begin: &'static str,
    end: &'static str,
}

const fn state(id: &'static str, status: Status, begin: &'static str, end: &'static str) -> State {
    State {
        id,
        status,
        begin,
        end,
    }
}

#[rustfmt::skip]
const STATES: &[State] = &[
    state("L003", Status::Fail, "CONFIG SET maxmemory-policy allkeys-lru", "CONFIG SET maxmemory-policy noeviction"),
    state("L003", Status::Fail, "CONFIG SET maxmemory-policy volatile-ttl", "CONFIG SET maxmemory-policy noeviction"),
    state("L004", Status::Warn, "CONFIG SET maxmemory 0", "CONFIG SET maxmemory 64mb"),
    state("L013", Status::Fail, "SET prod:app:film:{1} x", "DEL prod:app:film:{1}"),
    state("L016", Status::Warn, "CONFIG SET timeout 300", "CONFIG SET timeout 0"),
    state("L022", Status::Warn, "KEYS nothing", "CONFIG RESETSTAT"),
    state("L024", Status::Warn, "CONFIG SET appendfsync no", "CONFIG SET appendfsync everysec"),
    state("L026", Status::Fail, "REPLICAOF 127.0.0.1 1", ""),
    state("L027", Status::Fail, "", "REPLICAOF NO ONE"),
    state("L043", Status::Warn, "CONFIG SET notify-keyspace-events KEA", "CONFIG SET notify-keyspace-events \"\""),
];

#[tokio::test]
async fn each_state_of_a_server_is_found_and_passes_when_it_ends() {
    let server = healthy();
    let store = store(&server, "doctor").await;
    let mut connection = server.connect().unwrap();
    for state in STATES {
        run(&mut connection, state.begin);
        let report = doctor().examine(&store).await;
        let finding = find(&report, state.id);
        assert_eq!(finding.status, state.status, "{finding:?}");
        run(&mut connection, state.end);
    }
    let report = doctor().examine(&store).await;
    for state in STATES {
        let finding = find(&report, state.id);
        assert_eq!(finding.status, Status::Ok, "{finding:?}");
    }
}

#[tokio::test]
async fn a_server_whose_memory_is_full_is_found_in_each_way() {
    let server = healthy();
    let store = store(&server, "doctor").await;
    let mut connection = server.connect().unwrap();
    let fill = "for i=1,200 do redis.call('SET','prod:app:film:{'..i..'}',string.rep('x',10000),'PX',60000) end";
    connection.call(&["EVAL", fill, "0"]).unwrap();
    let used = used_memory(&mut connection);
    let limit = |part: f64| format!("CONFIG SET maxmemory {:.0}", used / part);

    run(&mut connection, &limit(0.80));
    let report = doctor().examine(&store).await;
    assert_eq!(find(&report, "L005").status, Status::Warn, "{report:?}");
    assert_eq!(find(&report, "L008").status, Status::Ok);

    run(&mut connection, &limit(1.05));
    let refused = connection.call(&["SET", "prod:app:film:{x}", "x"]).unwrap();
    assert!(
        refused
            .error()
            .is_some_and(|error| error.starts_with("OOM"))
    );
    let report = doctor().examine(&store).await;
    for (id, status) in [
        ("L005", Status::Fail),
        ("L008", Status::Warn),
        ("L010", Status::Warn),
    ] {
        assert_status(&report, id, status);
    }

    // A cache that is full evicts, which is a loss for sessions and none for a cache.
    run(&mut connection, "CONFIG SET maxmemory-policy allkeys-lru");
    for _ in 0..20 {
        let value = "x".repeat(50_000);
        connection
            .call(&["SET", "prod:app:film:{new}", &value, "PX", "60000"])
            .unwrap();
    }
    let report = doctor().examine(&store).await;
    // It may go on evicting while it is looked at.
    let evicted = find(&report, "L007");
    assert!(evicted.status >= Status::Warn, "{evicted:?}");
    let cache = Doctor::new(Uses::new([Use::Cache])).with_prefix(PREFIX);
    let report = cache.with_interval(Duration::ZERO).examine(&store).await;
    assert_eq!(find(&report, "L003").status, Status::Ok);
    assert_eq!(find(&report, "L007").status, Status::Ok);
}

fn used_memory(connection: &mut Connection) -> f64 {
    let info = connection.call(&["INFO", "memory"]).unwrap();
    let info = info.text().unwrap().into_owned();
    let mut lines = info.lines();
    let used = lines.find_map(|line| line.strip_prefix("used_memory:"));
    used.unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn what_other_clients_do_is_found() {
    let server = healthy();
    let store = store(&server, "doctor").await;
    let mut connection = server.connect().unwrap();
    for script in 0..1_001 {
        let text = format!("return {script}");
        connection.call(&["SCRIPT", "LOAD", &text]).unwrap();
    }
    connection.call(&["DEBUG", "SLEEP", "1.2"]).unwrap();
    let miss = "for i=1,2000 do redis.call('GET','prod:app:film:{'..i..'}') end";
    connection.call(&["EVAL", miss, "0"]).unwrap();
    let large = "x".repeat(2 << 20);
    connection
        .call(&["SET", "prod:app:film:{1}", &large, "PX", "60000"])
        .unwrap();

    let report = doctor().examine(&store).await;
    for id in ["L011", "L020", "L021", "L037"] {
        let finding = find(&report, id);
        assert_eq!(finding.status, Status::Warn, "{finding:?}");
    }
    assert!(find(&report, "L020").seen.contains("DEBUG"));
    let cache = Doctor::new(Uses::new([Use::Cache])).with_interval(Duration::ZERO);
    let report = cache.examine(&store).await;
    assert_eq!(find(&report, "L040").status, Status::Warn);

    run(
        &mut connection,
        "SCRIPT FLUSH\nSLOWLOG RESET\nLATENCY RESET\nDEL prod:app:film:{1}",
    );
    let report = doctor().examine(&store).await;
    for id in ["L011", "L020", "L021", "L037"] {
        assert_status(&report, id, Status::Ok);
    }
}

#[tokio::test]
async fn a_server_without_room_for_connections_is_found() {
    let server = healthy();
    let store = store(&server, "doctor").await;
    let mut connection = server.connect().unwrap();
    run(&mut connection, "CONFIG SET maxclients 2");
    // One more is refused, perhaps while it logs in.
    assert!(server.command(&["PING"]).is_err());
    let report = doctor().examine(&store).await;
    assert_status(&report, "L014", Status::Fail);
    assert_status(&report, "L015", Status::Warn);
    run(
        &mut connection,
        "CONFIG SET maxclients 1000\nCONFIG RESETSTAT",
    );
    let report = doctor().examine(&store).await;
    for id in ["L014", "L015"] {
        assert_status(&report, id, Status::Ok);
    }
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
async fn the_default_user_of_a_server_without_a_password_has_too_many_rights() {
    let server = larder_test::server::RedisServer::start().unwrap();
    let store = connect(&server.url()).await;
    let all = Doctor::new(Uses::ALL).with_interval(Duration::ZERO);
    let report = all.examine(&store).await;
    assert_status(&report, "L033", Status::Warn);
    // What Redis does by itself is not what sessions need.
    for (id, status) in [
        ("L004", Status::Warn),
        ("L024", Status::Warn),
        ("L032", Status::Ok),
    ] {
        assert_status(&report, id, status);
    }
}

#[tokio::test]
async fn a_server_that_is_gone_is_a_finding_and_not_an_error() {
    let mut server = healthy();
    let brisk = RedisStore::builder(&server.url_as("doctor", "secret"));
    let brisk = brisk.with_connect_timeout(Duration::from_millis(200));
    let store = std::sync::Arc::new(brisk.connect().await.unwrap());
    server.kill();
    let report = doctor().examine(&store).await;
    let finding = find(&report, "L001");
    assert_eq!(finding.status, Status::Fail, "{finding:?}");
    assert_eq!(find(&report, "L003").status, Status::Unknown);
}

#[tokio::test]
async fn a_cluster_is_examined_node_by_node() {
    let cluster = RedisCluster::start().unwrap();
    for node in cluster.masters() {
        node.command(&["CONFIG", "SET", "cluster-require-full-coverage", "no"])
            .unwrap();
    }
    let store = connect(&cluster.url()).await;
    let examine = || async {
        Doctor::new(Uses::ALL)
            .with_interval(Duration::ZERO)
            .examine(&store)
            .await
    };
    let report = examine().await;
    for id in ["L029", "L030", "L026", "L027"] {
        let findings = report.findings.iter().filter(|it| it.id.as_str() == id);
        let findings: Vec<_> = findings.collect();
        assert_eq!(findings.len(), 3, "{id}");
        for finding in findings {
            assert_eq!(finding.status, Status::Ok, "{finding:?}");
        }
    }
    let broken = cluster.masters()[0];
    broken
        .command(&["CONFIG", "SET", "cluster-require-full-coverage", "yes"])
        .unwrap();
    let report = examine().await;
    let wrong = report.findings.iter().filter(|it| it.id.as_str() == "L030");
    assert_eq!(wrong.filter(|it| it.status == Status::Warn).count(), 1);
    let owner = cluster.master_of("a").unwrap();
    let slot = larder_test::server::slot_of("a").to_string();
    owner.command(&["CLUSTER", "DELSLOTS", &slot]).unwrap();
    let report = examine().await;
    let mut states = report.findings.iter().filter(|it| it.id.as_str() == "L029");
    let failed = states.find(|it| it.status == Status::Fail);
    assert!(failed.is_some_and(|it| it.seen.contains("16383 slots")));
}

#[tokio::test]
async fn sentinels_that_wait_too_long_are_found() {
    let servers = RedisSentinels::start().unwrap();
    let store = connect(&servers.url()).await;
    let examine = || async {
        Doctor::new(Uses::ALL)
            .with_interval(Duration::ZERO)
            .examine(&store)
            .await
    };
    let report = examine().await;
    assert_status(&report, "L031", Status::Ok);
    assert_eq!(find(&report, "L027").status, Status::Ok);
    let name = servers.master_name();
    servers.sentinels()[1]
        .command(&["SENTINEL", "SET", name, "down-after-milliseconds", "30000"])
        .unwrap();
    let report = examine().await;
    assert_status(&report, "L031", Status::Warn);
    servers.sentinels()[1].kill();
    servers.sentinels()[2].kill();
    let report = examine().await;
    let finding = find(&report, "L031");
    assert_ne!(finding.status, Status::Ok, "{finding:?}");
}

#[tokio::test]
async fn a_hot_key_is_found_under_an_lfu_policy_alone() {
    let server = healthy();
    let store = store(&server, "doctor").await;
    let mut connection = server.connect().unwrap();
    run(
        &mut connection,
        "CONFIG SET maxmemory-policy allkeys-lfu
         CONFIG SET lfu-log-factor 0
         SET prod:app:film:{1} x PX 60000",
    );
    assert_status(&doctor().examine(&store).await, "L038", Status::Ok);
    let reads = "for i=1,400 do redis.call('GET','prod:app:film:{1}') end";
    connection.call(&["EVAL", reads, "0"]).unwrap();
    assert_status(&doctor().examine(&store).await, "L038", Status::Warn);
    run(&mut connection, "CONFIG SET maxmemory-policy noeviction");
    let report = doctor().examine(&store).await;
    assert!(report.findings.iter().all(|it| it.id.as_str() != "L038"));
}

#[tokio::test]
async fn a_namespace_of_two_apps_is_found_and_one_that_may_not_look_does_not_know() {
    let server = healthy();
    let shared = store(&server, "app").await;
    let prefixed = |app| {
        let namespace = Namespace::new("prod", app).unwrap();
        Prefixed::new(namespace, shared.clone() as Arc<dyn Store>)
    };
    let ours = prefixed("app");
    let long = "x".repeat(100);
    for (app, status) in [
        ("matinee", Status::Ok),
        ("matinee", Status::Ok),
        ("\u{1b}[2Jother", Status::Fail),
        (long.as_str(), Status::Fail),
    ] {
        let finding = namespace_owner(&ours, app).await;
        assert_eq!(finding.status, status, "{finding:?}");
        assert_eq!(finding.seen.contains("'matinee'"), status == Status::Fail);
    }
    // The user may use no other namespace.
    let finding = namespace_owner(&prefixed("other"), "matinee").await;
    assert_eq!(finding.status, Status::Unknown, "{finding:?}");
}

#[tokio::test]
async fn a_journal_is_as_durable_as_its_server() {
    let server = healthy();
    let store = store(&server, "doctor").await;
    let status = |report: &Report| {
        let app = App::new().with_journal_on(report).examine();
        find(&app, "A010").status
    };
    assert_eq!(status(&doctor().examine(&store).await), Status::Ok);
    server
        .command(&["CONFIG", "SET", "appendonly", "no"])
        .unwrap();
    assert_eq!(status(&doctor().examine(&store).await), Status::Fail);
    let narrow = crate::support::store(&server, "narrow").await;
    assert_eq!(status(&doctor().examine(&narrow).await), Status::Unknown);
}
