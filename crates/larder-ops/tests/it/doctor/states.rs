//! States of a server, which are brought about and ended.

use std::time::Duration;

use larder_ops::doctor::{Doctor, Status, Use, Uses};
use larder_test::server::Connection;

use super::{assert_status, doctor, find};
use crate::support::{PREFIX, healthy, run, store};

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

    // A full cache evicts, which is a loss for sessions but not for a cache.
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
    // One more is refused, perhaps during its login.
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
