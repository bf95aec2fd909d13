//! The bytes on the wire, and their timing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use crate::corpus::wire;
use crate::plan::Plan;
use crate::server::Server;

on_both_backends! {
    a_page_that_is_made_anew_comes_without_a_pause_between_its_head_and_its_body,
    a_form_that_comes_too_slowly_is_a_408_and_no_failure_of_ours,
    http_2_is_spoken_without_tls,
}

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// A client delays an acknowledgement by 40 ms, which is how long the rest of a page waits for it if
/// `TCP_NODELAY` is not set.
const PAUSE: Duration = Duration::from_millis(30);

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends a request on a connection that stays open, and returns how long after its first bytes the rest of
/// the page came.
fn pause(stream: &mut TcpStream, path: &str) -> Duration {
    let request = format!("GET {path} HTTP/1.1\r\nHost: matinee.example\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    wire::next_reply(stream).1
}

fn a_page_that_is_made_anew_comes_without_a_pause_between_its_head_and_its_body(plan: Plan) {
    let app = plan.alone().open();
    let mut stream = connect(app.first());
    // For a while, a new connection is acknowledged at once.
    let mut pauses: Vec<_> = (1..=60)
        .map(|film| pause(&mut stream, &format!("/films/{film}")))
        .skip(30)
        .collect();
    pauses.sort_unstable();
    let median = pauses[pauses.len() / 2];
    assert!(median < PAUSE, "{pauses:?}");
}

fn a_form_that_comes_too_slowly_is_a_408_and_no_failure_of_ours(plan: Plan) {
    let mut app = plan.with("REQUEST_TIMEOUT", "2s").open();
    let mut stream = connect(app.first());
    let begun = "POST /sign-in HTTP/1.1\r\nHost: matinee.example\r\nContent-Length: 100\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\n\r\nemail=";
    stream.write_all(begun.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("took too long to arrive"), "{answer}");
    for server in app.take_servers() {
        server.terminate();
        let log = server.end(PATIENCE).log;
        // Findings of the doctor about the test's server do not count.
        let is_error = |line: &&String| line.contains("ERROR") && !line.contains("doctor: ");
        let errors: Vec<_> = log.iter().filter(is_error).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
}

fn http_2_is_spoken_without_tls(plan: Plan) {
    let app = plan.open();
    let mut stream = connect(app.first());
    // The preface of a client, and its empty SETTINGS (RFC 9113, section 3.4).
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    stream.write_all(preface).unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).unwrap();
    assert_eq!(frame[3], 4, "not SETTINGS: {frame:?}");
}

/// Tests of the whole workspace are built with the features of all its crates: a protocol that this
/// program speaks only there would be missing for its users.
///
/// The benchmarks are left out, as `scripts/test` leaves them out: a machine that has built only the other crates
/// has not downloaded what the benchmarks compare larder with.
#[test]
fn the_program_speaks_the_same_built_alone_and_with_the_whole_workspace() {
    let features = |package: &str, selection: &[&str]| {
        let output = Command::new(env!("CARGO"))
            .args(["tree", "--offline", "--locked", "--prefix", "none"])
            .args(["--format", "{p} {f}"])
            .args(selection)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        let found = told.lines().find_map(|line| {
            let mut words = line.split(' ');
            (words.next() == Some(package)).then(|| words.nth(1).unwrap_or_default().to_owned())
        });
        let found = found.unwrap_or_else(|| panic!("no {package}: {complaint}"));
        // Other features of a client or a server change nothing on the wire.
        let of_protocols =
            |feature: &&str| !package.starts_with("hyper") || feature.starts_with("http");
        let found = found.split(',').filter(of_protocols);
        found.map(str::to_owned).collect::<Vec<_>>()
    };
    for package in ["axum", "hyper", "hyper-util", "tower-http", "larder-redis"] {
        let alone = features(package, &["-p", "matinee", "-e", "normal"]);
        let all = features(
            package,
            &[
                "--workspace",
                "--exclude",
                "larder-benches",
                "--all-features",
                "-e",
                "normal,dev",
            ],
        );
        assert_eq!(alone, all, "{package}: name them in matinee's Cargo.toml");
    }
}
