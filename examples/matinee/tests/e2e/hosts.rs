//! An app with a public URL answers for its host.

use std::io::Write as _;
use std::net::TcpStream;

use larder_test::server::Reply;

use crate::app::App;
use crate::corpus::wire;
use crate::plan::Plan;
use crate::visitor::Visitor;

on_both_backends! {
    an_app_with_a_public_url_keeps_no_page_for_another_host,
    a_page_is_kept_once_whatever_scheme_a_request_line_names,
}

fn an_app_with_a_public_url_keeps_no_page_for_another_host(plan: Plan) {
    let mut app = plan
        .with("PUBLIC_URL", "https://tickets.example")
        .with("ALLOWED_HOSTS", "inside:3000")
        .open();
    for host in [
        "evil.example",
        "tickets.example:81",
        "tickets.example.",
        "127.0.0.1",
    ] {
        for path in ["/", "/films/7", "/sign-in", "/showings/1", "/api/films/7"] {
            let stranger = Visitor::with_a_browser().with("host", host);
            let answer = stranger.get(app.first(), path);
            assert_eq!(answer.status, 421, "{host} {path}");
            assert_eq!(answer.header("cache-status"), "", "{host} {path}");
            assert_eq!(answer.header("ratelimit"), "", "{host} {path}");
            assert_eq!(answer.header("set-cookie"), "", "{host} {path}");
        }
        // Operators may use any name.
        let operator = Visitor::new().with("host", host);
        assert_eq!(operator.get(app.first(), "/readyz").status, 200);
    }
    assert_eq!(pages_kept(&mut app), 0);
    for host in ["tickets.example", "TICKETS.example:443", "inside:3000"] {
        let visitor = Visitor::new().with("host", host);
        assert_eq!(visitor.get(app.first(), "/films/7").status, 200, "{host}");
    }
    assert!(pages_kept(&mut app) > 0 || !app.shares_a_store());
}

fn a_page_is_kept_once_whatever_scheme_a_request_line_names(plan: Plan) {
    let app = plan.alone().open();
    let mut stream = TcpStream::connect(app.first().address()).unwrap();
    let mut how = |target: &str| {
        let request = format!("GET {target} HTTP/1.1\r\nHost: matinee.example\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let (reply, _) = wire::next_reply(&mut stream);
        assert_eq!(reply.status, 200, "{target}");
        reply.field("cache-status").unwrap_or_default().to_owned()
    };
    assert!(how("/films/7").contains("stored"));
    for scheme in ["http", "https", "HTTP", "ftp", "a", "a.b+c-1"] {
        let said = how(&format!("{scheme}://matinee.example/films/7"));
        assert!(said.contains("hit"), "{scheme}: {said}");
    }
}

#[test]
fn an_app_in_production_without_a_public_url_says_so() {
    let app = Plan::memory().with("APP_ENV", "production").open();
    let warned = ["WARN", "every Host is answered", "set PUBLIC_URL="];
    app.first().wait_for_log(&warned);
}

/// The number of keys of pages in the store, if it can be asked.
fn pages_kept(app: &mut App) -> usize {
    if !app.shares_a_store() {
        return 0;
    }
    let mut redis = app.redis().connect().unwrap();
    let Reply::Array(keys) = redis.call(&["KEYS", "*response*"]).unwrap() else {
        panic!("no keys");
    };
    keys.len()
}
