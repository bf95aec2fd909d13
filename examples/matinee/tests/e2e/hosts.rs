//! An app with a public URL answers for its host.

use larder_test::server::Reply;

use crate::app::App;
use crate::plan::Plan;
use crate::visitor::Visitor;

on_both_backends! {
    an_app_with_a_public_url_keeps_no_page_for_another_host,
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
        // Who looks after the app may ask by any name.
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

#[test]
fn an_app_in_production_without_a_public_url_says_so() {
    let app = Plan::memory().with("APP_ENV", "production").open();
    let warned = ["WARN", "every Host is answered", "set PUBLIC_URL="];
    app.first().wait_for_log(&warned);
}

/// How many keys of pages the store has, where it can be asked.
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
