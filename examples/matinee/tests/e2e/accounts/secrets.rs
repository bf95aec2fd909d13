//! What no log may hold, however much is logged.

use std::time::Duration;

use crate::plan::Plan;
use crate::visitor::{ADA, Visitor};

on_both_backends! {
    no_secret_is_in_a_log_that_holds_everything,
}

fn no_secret_is_in_a_log_that_holds_everything(plan: Plan) {
    let mut house = plan.with("RUST_LOG", "trace").open();
    let ada = Visitor::new();
    ada.sign_in(house.first(), ADA);
    let first = ada.cookies().header().unwrap();
    ada.try_sign_in(house.first(), ADA.email, "a-wrong-password");
    ada.sign_in(house.last(), ADA);
    let second = ada.cookies().header().unwrap();
    ada.get(house.first(), "/account");
    ada.post(
        house.last(),
        "/account/revoke",
        &[("device", "no-such-device")],
    );
    ada.post(house.last(), "/account/revoke-others", &[]);
    ada.post(house.first(), "/sign-out", &[]);
    ada.get(house.last(), "/account");

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
    for door in house.take_doors() {
        door.terminate();
        for line in door.end(Duration::from_secs(10)).log {
            is_everything_logged |= line.contains("TRACE");
            for secret in &secrets {
                assert!(!line.contains(secret), "{secret:?} is in the log: {line}");
            }
        }
    }
    assert!(is_everything_logged);
}
