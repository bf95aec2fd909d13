//! Recorded facts of a healthy server, and tests that several checks share.

use std::time::Duration;

use super::super::facts::{Facts, KeySample, Right, Sentinel, User};
use super::super::uses::{Use, Uses};
use super::*;
use crate::fields::{Fields, Missing};

/// The lines of INFO that checks read, as a healthy Redis 7.0 returned them.
const INFO: &str = "\
redis_version:7.0.15\nuptime_in_seconds:7200\nconnected_clients:3\nmaxclients:100\n\
client_recent_max_output_buffer:0\nused_memory:6291456\nused_memory_peak:6391456\n\
maxmemory:10485760\nmaxmemory_policy:noeviction\nmem_fragmentation_ratio:9.51\n\
mem_fragmentation_bytes:7340032\nmem_clients_normal:5400\nnumber_of_cached_scripts:12\n\
rdb_last_bgsave_status:ok\naof_enabled:1\naof_last_write_status:ok\naof_last_bgrewrite_status:ok\n\
aof_delayed_fsync:0\nrejected_connections:0\nsync_partial_err:0\nexpired_stale_perc:0.00\n\
evicted_keys:0\ncurrent_eviction_exceeded_time:0\nkeyspace_hits:900\nkeyspace_misses:100\n\
latest_fork_usec:400\nrole:master\nconnected_slaves:1\n\
slave0:ip=127.0.0.1,port=7001,state=online,offset=14,lag=1\nevicted_scripts:0\n\
cmdstat_info:calls=1,usec=60,usec_per_call=60.00\n";

const CONFIG: &str = "timeout:0\nappendfsync:everysec\nnotify-keyspace-events:\n\
                      latency-monitor-threshold:50\ncluster-require-full-coverage:no\n\
                      cluster-node-timeout:2000\n";

const CLUSTER: &str = "cluster_state:ok\ncluster_slots_assigned:16384\ncluster_slots_pfail:0\n\
                       cluster_slots_fail:0\n";

pub(super) fn healthy() -> Facts {
    Facts {
        server: "redis://127.0.0.1:6379".to_owned(),
        addresses: vec!["127.0.0.1".parse().unwrap()],
        pings: Ok([1, 1, 2, 2, 3].map(Duration::from_millis).to_vec()),
        info: Ok(Fields::parse(INFO)),
        later: Some(Fields::parse(INFO)),
        config: Ok(Fields::parse(CONFIG)),
        slow: Ok(Vec::new()),
        events: Ok(Vec::new()),
        cluster: Some(Ok(Fields::parse(CLUSTER))),
        user: Ok(Ok(User {
            name: "app".to_owned(),
            ..User::default()
        })),
        rights: Ok(rights(&[])),
        certificate: Some(Ok(90.0)),
        clock: Ok(0.002),
        keys: Some(Ok(KeySample {
            keys: 9,
            without_ttl: 0,
            largest: Some(300),
            hottest: Some(9),
            uses_missing: None,
        })),
        sentinels: Some([1, 2, 3].map(sentinel).to_vec()),
    }
}

pub(super) fn sentinel(port: u16) -> Sentinel {
    Sentinel {
        location: format!("127.0.0.1:{port}"),
        answers: true,
        has_quorum: Ok(true),
        down_after: Ok(Duration::from_secs(1)),
    }
}

pub(super) fn rights(denied: &[&str]) -> Vec<Right> {
    let right = |need: &'static _| {
        let super::super::facts::Need { command, .. } = need;
        let is_granted = !denied.contains(&command.join(" ").as_str());
        Right { need, is_granted }
    };
    NEEDS.iter().map(right).collect()
}

/// Returns a healthy server, except for some lines of `INFO`.
pub(super) fn info(lines: &str) -> Facts {
    let text = format!("{INFO}{lines}");
    Facts {
        info: Ok(Fields::parse(&text)),
        later: Some(Fields::parse(&text)),
        ..healthy()
    }
}

/// Returns a healthy server, except for some lines of `INFO` an interval later.
fn later(lines: &str) -> Facts {
    Facts {
        later: Some(Fields::parse(&format!("{INFO}{lines}"))),
        ..healthy()
    }
}

fn config(lines: &str) -> Facts {
    let config = Ok(Fields::parse(&format!("{CONFIG}{lines}")));
    Facts {
        config,
        ..healthy()
    }
}

pub(super) fn cluster(lines: &str) -> Facts {
    let fields = Fields::parse(&format!("{CLUSTER}{lines}"));
    Facts {
        cluster: Some(Ok(fields)),
        ..healthy()
    }
}

pub(super) const ALL: Context = Context {
    uses: Uses::ALL,
    timeout: Duration::from_millis(100),
    needs_replicas: true,
};

fn cache() -> Context {
    Context {
        uses: Uses::new([Use::Cache]),
        ..ALL
    }
}

pub(super) fn find(id: &str) -> &'static ServerCheck {
    let mut all = SERVER_CHECKS.iter();
    all.find(|check| check.id.0 == id).unwrap()
}

#[track_caller]
pub(super) fn is(id: &str, facts: &Facts, context: &Context, status: Status) {
    let finding = find(id).judge(facts, context);
    let finding = finding.unwrap_or_else(|| panic!("{id} does not apply"));
    assert_eq!(finding.status, status, "{id}: {}", finding.seen);
}

#[test]
fn a_healthy_server_passes_every_check() {
    for check in SERVER_CHECKS {
        if let Some(found) = check.judge(&healthy(), &ALL) {
            assert_eq!(found.status, Status::Ok, "{}: {}", found.id, found.seen);
        }
    }
}

#[test]
fn each_line_of_info_that_is_wrong_fails_its_check() {
    use Status::{Fail, Warn};
    for (id, lines, status) in [
        ("L002", "redis_version:6.2.14", Fail),
        ("L003", "maxmemory_policy:allkeys-lru", Fail),
        ("L003", "maxmemory_policy:volatile-ttl", Fail),
        ("L004", "maxmemory:0", Warn),
        ("L005", "used_memory:8388608", Warn),
        ("L005", "used_memory:9961472", Fail),
        ("L006", "current_eviction_exceeded_time:12", Fail),
        ("L007", "evicted_keys:3", Warn),
        ("L008", "errorstat_OOM:count=2", Warn),
        (
            "L009",
            "mem_fragmentation_ratio:1.5\nmem_fragmentation_bytes:20971520",
            Warn,
        ),
        (
            "L009",
            "mem_fragmentation_ratio:0.8\nmem_fragmentation_bytes:-20971520",
            Warn,
        ),
        ("L010", "used_memory_peak:10066329", Warn),
        ("L011", "number_of_cached_scripts:1001", Warn),
        ("L014", "connected_clients:80", Warn),
        ("L014", "connected_clients:95", Fail),
        ("L015", "rejected_connections:1", Warn),
        ("L017", "mem_clients_normal:900000", Warn),
        ("L018", "client_recent_max_output_buffer:9437184", Warn),
        ("L022", "cmdstat_keys:calls=2,usec=9", Warn),
        ("L022", "cmdstat_flushall:calls=9,usec=9", Warn),
        ("L023", "rdb_last_bgsave_status:err", Fail),
        ("L023", "aof_last_write_status:err", Fail),
        ("L024", "aof_enabled:0", Warn),
        ("L025", "latest_fork_usec:60000", Warn),
        ("L026", "role:slave", Fail),
        ("L027", "role:slave\nmaster_link_status:down", Fail),
        (
            "L027",
            "slave0:ip=a,port=1,state=wait_bgsave,offset=0,lag=0",
            Fail,
        ),
        (
            "L027",
            "slave1:ip=a,port=2,state=online,offset=0,lag=30",
            Warn,
        ),
        ("L028", "sync_partial_err:2", Warn),
        ("L039", "expired_stale_perc:11.5", Warn),
    ] {
        is(id, &info(lines), &ALL, status);
    }
}

#[test]
fn a_counter_that_rises_now_is_worse_than_one_that_rose_before() {
    for (id, lines, status) in [
        ("L007", "evicted_keys:1", Status::Fail),
        ("L008", "errorstat_OOM:count=1", Status::Fail),
        ("L012", "evicted_scripts:1", Status::Warn),
        ("L015", "rejected_connections:1", Status::Fail),
        ("L024", "aof_delayed_fsync:1", Status::Warn),
    ] {
        is(id, &later(lines), &ALL, status);
    }
}

#[test]
fn a_counter_that_starts_again_meanwhile_has_not_risen() {
    for (id, before, after) in [
        ("L007", "evicted_keys:9", "evicted_keys:2"),
        ("L008", "errorstat_OOM:count=9", "errorstat_OOM:count=2"),
        ("L015", "rejected_connections:9", "rejected_connections:2"),
    ] {
        let facts = Facts {
            later: later(after).later,
            ..info(before)
        };
        let finding = find(id).judge(&facts, &ALL).unwrap();
        assert_eq!(finding.status, Status::Warn, "{finding:?}");
        assert!(finding.seen.starts_with("2 since"), "{finding:?}");
        assert!(finding.seen.contains(" 0 just now"), "{finding:?}");
    }
}

#[test]
fn what_a_cache_alone_needs_is_another_server() {
    let cache = cache();
    is("L003", &healthy(), &cache, Status::Warn);
    is(
        "L003",
        &info("maxmemory_policy:allkeys-lfu"),
        &cache,
        Status::Ok,
    );
    let volatile = info("maxmemory_policy:volatile-ttl");
    is("L003", &volatile, &cache, Status::Fail);
    for (context, policy) in [(&cache, "allkeys-lru"), (&ALL, "noeviction")] {
        let fix = find("L003").judge(&volatile, context).unwrap().fix;
        assert!(fix.ends_with(policy), "{fix}");
    }
    is("L007", &later("evicted_keys:99"), &cache, Status::Ok);
    is("L024", &info("aof_enabled:0"), &cache, Status::Ok);
    is("L040", &healthy(), &cache, Status::Ok);
    is("L040", &info("keyspace_misses:9000"), &cache, Status::Warn);
    is(
        "L040",
        &info("keyspace_hits:1\nkeyspace_misses:9"),
        &cache,
        Status::Ok,
    );
    assert!(find("L040").judge(&healthy(), &ALL).is_none());
}

#[test]
fn each_setting_that_is_wrong_fails_its_check() {
    for (id, lines) in [
        ("L016", "timeout:300"),
        ("L024", "appendfsync:no"),
        ("L030", "cluster-require-full-coverage:yes"),
        ("L030", "cluster-node-timeout:15000"),
        ("L043", "notify-keyspace-events:KEA"),
    ] {
        is(id, &config(lines), &ALL, Status::Warn);
    }
}

#[test]
fn what_may_not_be_asked_is_unknown_and_says_why() {
    let denied = || Missing::new("not permitted here: this user may not run INFO");
    let facts = Facts {
        info: Err(denied()),
        config: Err(denied()),
        slow: Err(denied()),
        events: Err(denied()),
        cluster: Some(Err(denied())),
        user: Err(denied()),
        rights: Err(denied()),
        certificate: Some(Err(denied())),
        clock: Err(denied()),
        keys: Some(Err(denied())),
        ..healthy()
    };
    let known = ["L001", "L019", "L031", "L034"];
    for check in SERVER_CHECKS
        .iter()
        .filter(|check| !known.contains(&check.id.0))
    {
        if let Some(found) = check.judge(&facts, &ALL) {
            assert_eq!(found.status, Status::Unknown, "{}", found.id);
            assert_eq!(found.seen, denied().0);
        }
    }
}

#[test]
fn a_field_that_a_server_does_not_report_is_unknown() {
    let facts = Facts {
        info: Ok(Fields::parse("role:master")),
        ..healthy()
    };
    is("L005", &facts, &ALL, Status::Unknown);
    is("L026", &facts, &ALL, Status::Ok);
}

#[test]
fn each_check_has_a_section_of_the_page_with_its_fix() {
    let page = include_str!("../../../../../docs/doctor.md");
    let mut last = "";
    for (id, title) in all_checks() {
        let is_first = last.get(..1) != id.0.get(..1);
        assert!(is_first || last < id.0, "{id} is out of order");
        last = id.0;
        let heading = format!("\n### {id} {title}\n");
        assert!(page.contains(&heading), "no section '{}'", heading.trim());
        assert_eq!(id.0.to_lowercase().parse(), Ok(id));
    }
    for check in SERVER_CHECKS {
        let (_, section) = page.split_once(&format!("### {} ", check.id)).unwrap();
        let section = section.split("\n### ").next().unwrap();
        let command = check.fix.split(" (").next().unwrap();
        let is_command = command.starts_with("CONFIG SET");
        let name = command.split(' ').nth(2).unwrap_or_default();
        assert!(
            !is_command || section.contains(name),
            "{}: {command}",
            check.id
        );
    }
}

#[test]
fn what_a_server_says_is_shown_up_to_a_length() {
    let facts = info(&format!("role:{}\r\n", "\u{1b}[2Jé".repeat(1 << 20)));
    let check = SERVER_CHECKS.iter().find(|check| check.id.0 == "L026");
    let found = check.unwrap().judge(&facts, &ALL).unwrap();
    assert_eq!(found.status, Status::Fail);
    assert_eq!(found.seen.chars().count(), LONGEST + 1);
}

#[test]
fn a_store_without_a_known_server_fails() {
    let found = no_server();
    assert_eq!((found.id.as_str(), found.status), ("L001", Status::Fail));
}
