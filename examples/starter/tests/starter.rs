//! Runs the starter as its page says: it shows what the page shows, and stops when told to.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../tests/it/curl.rs"]
mod curl;
#[path = "../../tests/it/example.rs"]
#[allow(dead_code, reason = "other examples use the rest")]
mod example;
#[path = "../../tests/it/transcript.rs"]
mod transcript;

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use larder_test::server::RedisServer;
use rustix::process::{Pid, Signal, kill_process};

use curl::Shell;
use example::Example;

const PROGRAM: &str = env!("CARGO_BIN_EXE_starter");
/// Longer than the starter waits for requests in flight.
const PATIENCE: Duration = Duration::from_secs(20);

fn start(store_url: &str) -> Example {
    Example::start_program(PROGRAM.into(), &[("STORE_URL", store_url)])
}

#[test]
fn the_starter_does_what_its_page_says() {
    let redis = RedisServer::start().unwrap();
    for store_url in ["memory://", &redis.url()] {
        let starter = start(store_url);
        let mut shell = Shell::new();
        for step in transcript::of("src/main.rs") {
            step.expect(&shell.run(&step.command, starter.address()));
        }
    }
}

#[test]
fn a_film_that_is_not_there_is_no_failure_of_the_database() {
    let starter = start("memory://");
    let mut shell = Shell::new();
    let mut run = |command: &str| shell.run(command, starter.address());
    let head = run("curl -si http://127.0.0.1:3000/films/8 | grep HTTP");
    assert_eq!(head, "HTTP/1.1 404 Not Found");
    let loads = run("curl -s http://127.0.0.1:3000/metrics | grep larder_cache_loads_total{");
    let absent = r#"larder_cache_loads_total{kind="film",outcome="not_found"} 1"#;
    let failed = r#"larder_cache_loads_total{kind="film",outcome="error"} 0"#;
    assert!(loads.contains(absent) && loads.contains(failed), "{loads}");
}

#[test]
fn the_starter_warns_while_its_cookies_are_not_secure() {
    for (environment, warns) in [("development", true), ("production", false)] {
        let mut command = Command::new(PROGRAM);
        // It ends where it would listen.
        command.env_clear().env("LISTEN", "nowhere");
        if environment != "development" {
            command.env("APP_ENV", environment);
        }
        let printed = command.output().unwrap().stdout;
        let printed = String::from_utf8_lossy(&printed);
        assert_eq!(
            printed.contains("not Secure"),
            warns,
            "{environment}: {printed}"
        );
    }
}

#[test]
fn the_starter_ends_well_when_it_is_told_to_stop() {
    let mut starter = start("memory://");
    let process = starter.process();
    kill_process(Pid::from_child(process), Signal::TERM).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        match process.try_wait().unwrap() {
            Some(status) => break status,
            None => assert!(Instant::now() < deadline, "it does not stop"),
        }
        sleep(Duration::from_millis(10));
    };
    assert!(status.success(), "{status}");
}
