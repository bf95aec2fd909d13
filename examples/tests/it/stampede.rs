//! The stampede, with real processes on a real Redis.

use std::process::Command;

use larder_test::server::{RedisServer, Sandbox};

use crate::example::built;

/// Runs the example, and returns the number of loads, and the milliseconds until all were answered.
fn stampede(options: &[&str]) -> (usize, u64) {
    let redis = RedisServer::start().unwrap();
    let sandbox = Sandbox::new().unwrap();
    let log = redis.dir().join("loads.log");
    let mut command = Command::new(built("stampede"));
    command
        .args(options)
        .env("STORE_URL", redis.url())
        .env("LOAD_LOG", &log);
    let output = sandbox.adopt(&mut command).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{printed}{complaint}");
    let loads = std::fs::read_to_string(&log).unwrap().lines().count();
    let row = |name: &str| {
        let row = format!("| {name} | ");
        let line = printed.lines().find_map(|line| line.strip_prefix(&row));
        line.unwrap().split(' ').next().unwrap().parse::<u64>()
    };
    assert_eq!(row("loads"), Ok(loads as u64), "{printed}");
    (loads, row("last answer").unwrap())
}

#[test]
fn a_thousand_callers_in_each_of_ten_processes_run_one_load() {
    let (loads, _) = stampede(&["--processes", "10", "--callers", "1000"]);
    assert_eq!(loads, 1);
}

#[test]
fn a_leader_that_is_killed_costs_one_load_more_and_two_seconds_at_most() {
    let (loads, millis) = stampede(&["--processes", "4", "--callers", "200", "--kill-leader"]);
    assert_eq!(loads, 2);
    // 1 s for the lease and 0.3 s for the load. A busy machine may be a little late.
    assert!(millis < 2_500, "{millis} ms");
}

#[test]
fn without_the_cache_every_caller_loads() {
    let (loads, _) = stampede(&["--processes", "2", "--callers", "100", "--naive"]);
    assert!(loads > 100, "{loads} loads");
}
