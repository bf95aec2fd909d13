//! An app that cannot start says why in one line, and how to fix it.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use larder_test::server::{RedisOptions, Sandbox};

use crate::server::program;

/// Far more time than the app takes to give up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts with these settings, and returns the one line that it ends with.
fn complaint(settings: &[(&'static str, &str)]) -> String {
    complaint_in(&Sandbox::new().unwrap(), settings)
}

fn complaint_in(sandbox: &Sandbox, settings: &[(&'static str, &str)]) -> String {
    let mut all = vec![
        ("LISTEN", "127.0.0.1:0".to_owned()),
        ("DATABASE_URL", "sqlite://matinee.db".to_owned()),
    ];
    all.extend(
        settings
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned())),
    );
    let start = Instant::now();
    let output = program(sandbox, &all).output().unwrap();
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    let [stdout, stderr] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
    assert_eq!(output.status.code(), Some(1), "{stdout}{stderr}");
    assert_eq!(stdout, "", "it complains on standard error alone");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("matinee: ") && stderr.ends_with('\n'));
    for secret in ["hush", "s3cret"] {
        assert!(!stderr.contains(secret), "{stderr}");
    }
    stderr
}

fn assert_says(line: &str, parts: &[&str]) {
    for part in parts {
        assert!(line.contains(part), "no {part:?} in: {line}");
    }
}

#[test]
fn a_store_of_an_unknown_scheme_stops_the_start() {
    let line = complaint(&[("STORE_URL", "memcached://u:hush@cache")]);
    assert_says(&line, &["STORE_URL", "expected memory://, redis://"]);
    let line = complaint(&[("STORE_URL", "hush-s3cret")]);
    assert_says(
        &line,
        &[
            "STORE_URL is",
            "set STORE_URL=memory:// or STORE_URL=redis://",
        ],
    );
}

#[test]
fn a_redis_that_is_not_there_stops_the_start() {
    // Nothing listens on the first port of a machine.
    let line = complaint(&[("STORE_URL", "redis://u:hush@127.0.0.1:1")]);
    assert_says(&line, &["STORE_URL", "127.0.0.1:1"]);
}

#[test]
fn a_wrong_password_stops_the_start() {
    let redis = RedisOptions::new().with_password("s3cret").start().unwrap();
    let host = redis.address();
    for login in ["", ":hush@", "nobody:hush@"] {
        let line = complaint(&[("STORE_URL", &format!("redis://{login}{host}"))]);
        assert_says(&line, &["STORE_URL", "password"]);
    }
}

#[test]
fn an_invalid_address_stops_the_start() {
    for listen in ["localhost", "127.0.0.1", "127.0.0.1:99999", ":3000"] {
        let line = complaint(&[("LISTEN", listen)]);
        assert_says(&line, &["LISTEN", listen, "LISTEN=127.0.0.1:3000"]);
    }
}

#[test]
fn a_port_that_is_taken_stops_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let line = complaint(&[("LISTEN", &address)]);
    assert_says(
        &line,
        &[&address, "set LISTEN to another", "LISTEN=127.0.0.1:"],
    );
}

#[test]
fn a_database_that_cannot_be_opened_stops_the_start() {
    let line = complaint(&[("DATABASE_URL", "postgres://u:hush@db/films")]);
    assert_says(&line, &["DATABASE_URL", "set DATABASE_URL=sqlite://"]);

    for url in ["hush", "sqlite:", "sqlite://?mode=rwc"] {
        let line = complaint(&[("DATABASE_URL", url)]);
        assert_says(&line, &["DATABASE_URL", "set DATABASE_URL=sqlite://"]);
    }

    let sandbox = Sandbox::new().unwrap();
    fs::write(
        sandbox.path().join("file"),
        "not a database, but some text\n".repeat(99),
    )
    .unwrap();
    fs::create_dir(sandbox.path().join("directory")).unwrap();
    for path in ["file", "file/below.db", "directory", "/proc/none/films.db"] {
        let line = complaint_in(&sandbox, &[("DATABASE_URL", &format!("sqlite://{path}"))]);
        assert_says(
            &line,
            &[path, "set DATABASE_URL to a file that this user may write"],
        );
    }
    let line = complaint(&[("DATABASE_URL", "sqlite://matinee.db?mode=hm")]);
    assert_says(&line, &["DATABASE_URL"]);
}

#[test]
fn a_directory_of_mail_that_cannot_be_made_stops_the_start() {
    let line = complaint(&[("MAIL_DIR", "/proc/none/mail")]);
    assert_says(
        &line,
        &[
            "/proc/none/mail",
            "set MAIL_DIR to a directory that this user may write",
        ],
    );
}

#[test]
fn every_other_invalid_setting_stops_the_start() {
    for (name, value) in [
        ("RATE_LIMIT", "plenty"),
        ("RATE_LIMIT", "0/minute"),
        ("APP_ENV", "Prod!"),
        ("ALLOWED_HOSTS", "http://inside:3000"),
        ("TRUSTED_PROXIES", "0.0.0.0/0"),
        ("TRUSTED_PROXIES", "proxy.example"),
        ("HOLD_FOR", "2h"),
        ("REMIND_EVERY", "2h"),
        ("RUST_LOG", "info,=,="),
        ("LOG_FORMAT", "xml"),
    ] {
        let line = complaint(&[(name, value)]);
        assert_says(&line, &[name, value, &format!("set {name}=")]);
    }
}

#[test]
fn settings_that_are_not_safe_stop_the_start() {
    let public = |environment, url| complaint(&[("APP_ENV", environment), ("PUBLIC_URL", url)]);
    for environment in ["production", "staging"] {
        let line = public(environment, "http://tickets.example");
        assert_says(
            &line,
            &["PUBLIC_URL is", "cookies are Secure", "PUBLIC_URL=https://"],
        );
    }
    let line = public("", "https://tickets.example");
    assert_says(
        &line,
        &["PUBLIC_URL is", "demo accounts", "set APP_ENV=production"],
    );
    let line = public("development", "tickets.example");
    assert_says(&line, &["PUBLIC_URL is", "set PUBLIC_URL=https://"]);
    for (email, password) in [
        ("boss@cinema.example", "s3cret"),
        ("boss@cinema.example", "lights-camera-admin"),
        ("boss@cinema.example", "my-password-hush"),
        ("boss@cinema.example", ""),
    ] {
        let line = complaint(&[("ADMIN_EMAIL", email), ("ADMIN_PASSWORD", password)]);
        assert_says(&line, &["ADMIN_PASSWORD is", "set ADMIN_PASSWORD="]);
        assert!(password.is_empty() || !line.contains(password), "{line}");
    }
    let line = complaint(&[("ADMIN_PASSWORD", "correct horse battery hush")]);
    assert_says(&line, &["ADMIN_EMAIL is", "set ADMIN_EMAIL="]);
    let line = complaint(&[("SIGN_IN_LIMIT", "5/day")]);
    assert_says(
        &line,
        &["SIGN_IN_LIMIT", "5/day", "set SIGN_IN_LIMIT=5/15minutes"],
    );
}
