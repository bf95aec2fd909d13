//! Runs the example against a collector of a few lines, and without one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::sync::mpsc;
use std::time::Duration;

fn example(collector: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larder-otlp"));
    command
        .env("OTLP_ENDPOINT", collector)
        .env("STORE_URL", "memory://")
        .env_remove("RUST_LOG");
    command.output().expect("the example runs")
}

#[test]
fn a_collector_receives_the_spans_and_no_key_or_value() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let collector = format!("http://{}", listener.local_addr().expect("an address"));
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        // A connection without a request is the question whether it listens.
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let (mut line, mut length) = (String::new(), None);
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                if let Some(found) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = found.trim().parse::<usize>().ok();
                }
                line.clear();
            }
            let Some(length) = length else { continue };
            let mut body = vec![0; length];
            if reader.read_exact(&mut body).is_ok() {
                let _ = send.send(String::from_utf8_lossy(&body).into_owned());
                let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
                let _ = reader.get_mut().write_all(answer.as_bytes());
            }
        }
    });
    let ran = example(&collector);
    assert!(ran.status.success(), "{ran:?}");
    let mut received = String::new();
    while let Ok(body) = receive.recv_timeout(Duration::from_millis(500)) {
        received.push_str(&body);
    }
    for text in [
        "larder-otlp",
        "cache.get",
        "cache.load",
        "cache.put",
        "cache.remove",
        "cache.hit",
        "send example-otlp",
        "process example-otlp",
        "messaging.destination.name",
    ] {
        assert!(received.contains(text), "{text}: {received}");
    }
    for secret in ["1927", "Metropolis", "\"ada\""] {
        assert!(!received.contains(secret), "{secret}: {received}");
    }
}

#[test]
fn without_a_collector_it_logs_and_works() {
    let ran = example("http://127.0.0.1:1");
    let (out, err) = (
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr),
    );
    assert!(
        ran.status.success() && out.contains("no collector listens there"),
        "{out} {err}"
    );
    assert!(out.contains("welcome") && err.is_empty(), "{out} {err}");
}
