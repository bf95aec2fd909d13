//! Secrets that no log may contain, at any level.

use std::time::Duration;

use crate::plan::Plan;
use crate::visitor::{ADA, Visitor};

on_both_backends! {
    no_secret_is_in_a_log_that_holds_everything,
}

fn no_secret_is_in_a_log_that_holds_everything(plan: Plan) {
    let mut app = plan.with("RUST_LOG", "trace").open();
    let ada = Visitor::new();
    ada.sign_in(app.first(), ADA);
    let first = ada.cookies().header().unwrap();
    ada.try_sign_in(app.first(), ADA.email, "a-wrong-password");
    ada.sign_in(app.last(), ADA);
    let second = ada.cookies().header().unwrap();
    ada.get(app.first(), "/account");
    ada.post(
        app.last(),
        "/account/revoke",
        &[("device", "no-such-device")],
    );
    ada.post(app.last(), "/account/revoke-others", &[]);
    ada.post(app.first(), "/sign-out", &[]);
    ada.get(app.last(), "/account");

    let mut secrets = vec![
        ADA.password,
        "a-wrong-password",
        ADA.email,
        "ada%40",
        "no-such-device",
    ];
    for cookie in [&first, &second] {
        let (_, token) = cookie.split_once('=').unwrap();
        secrets.extend(token.split('.'));
    }
    let mut is_everything_logged = false;
    for server in app.take_servers() {
        server.terminate();
        for line in server.end(Duration::from_secs(10)).log {
            is_everything_logged |= line.contains("TRACE");
            for secret in &secrets {
                assert!(!line.contains(secret), "{secret:?} is in the log: {line}");
            }
        }
    }
    assert!(is_everything_logged);
}
