//! The program itself.

use std::process::{Command, Output};

use crate::support::server;

fn larder(url: Option<&str>, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larder"));
    command.args(args).env_remove("STORE_URL");
    if let Some(url) = url {
        command.env("STORE_URL", url);
    }
    command.output().unwrap()
}

#[tokio::test]
async fn the_program_takes_the_store_from_the_environment_and_returns_its_exit_code() {
    let (server, _) = server().await;
    let url = format!("{}?timeout_ms=5000&connect_timeout_ms=5000", server.url());
    let ran = larder(Some(&url), &["ping", "-n", "1", "--json"]);
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    assert!(String::from_utf8_lossy(&ran.stdout).contains(&server.url()));
    let ran = larder(
        Some(&url),
        &[
            "doctor",
            "--interval",
            "0",
            "--only",
            "L004",
            "--fail-on",
            "warn",
        ],
    );
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    let ran = larder(None, &["ping"]);
    assert_eq!(ran.status.code(), Some(2), "{ran:?}");
    assert!(
        String::from_utf8_lossy(&ran.stderr).contains("set STORE_URL"),
        "{ran:?}"
    );
}

#[tokio::test]
async fn a_program_whose_output_was_closed_ends_without_a_message() {
    let (server, _) = server().await;
    for args in [&["--help"][..], &["scan"], &["scan", "--json"]] {
        let (reader, closed) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_larder"));
        command.args(args).env("STORE_URL", server.url());
        let ran = command.stdout(closed).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&ran.stderr), "", "{args:?}");
    }
}
