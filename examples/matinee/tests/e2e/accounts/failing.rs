//! While the store fails, pages are served and nobody is signed in.

use std::time::{Duration, Instant};

use crate::app::App;
use crate::plan::Plan;
use crate::visitor::{ADA, Visitor};

/// The longest wait of a visitor, whatever the store does.
const WORST: Duration = Duration::from_millis(1_500);
const WELL_AGAIN: Duration = Duration::from_secs(5);

#[test]
fn while_redis_is_frozen_pages_come_and_nobody_signs_in_and_then_all_is_as_it_was() {
    let mut app = Plan::redis().alone().open();
    let ada = signed_in(&app);
    app.redis().stop().unwrap();
    assert_nobody_comes_in(&app, &ada);
    app.redis().cont().unwrap();
    assert_well_again(&app);
    // That signed nobody out.
    assert_eq!(ada.get(app.last(), "/account").status, 200);
}

#[test]
fn while_redis_is_dead_pages_come_and_nobody_signs_in_and_then_they_sign_in_again() {
    let mut app = Plan::redis().alone().open();
    let ada = signed_in(&app);
    app.redis().kill();
    assert_nobody_comes_in(&app, &ada);
    app.redis().restart().unwrap();
    assert_well_again(&app);
    // A server that loses its sessions signs visitors out, but never in.
    assert_eq!(ada.get(app.last(), "/account").status, 303);
    ada.sign_in(app.last(), ADA);
    assert_eq!(ada.get(app.first(), "/account").status, 200);
}

fn signed_in(app: &App) -> Visitor {
    let ada = Visitor::with_a_browser();
    ada.sign_in(app.first(), ADA);
    assert_eq!(ada.get(app.last(), "/account").status, 200);
    ada
}

fn assert_nobody_comes_in(app: &App, ada: &Visitor) {
    let stranger = Visitor::with_a_browser();
    for server in app.servers() {
        for path in ["/", "/films/7", "/sign-in", "/healthz"] {
            for visitor in [ada, &stranger] {
                let answer = visitor.get(server, path);
                assert_eq!(answer.status, 200, "{path}");
                assert!(answer.took <= WORST, "{path}: {:?}", answer.took);
            }
        }
        let sign_in = |password| stranger.try_sign_in(server, ADA.email, password);
        let account = ada.get(server, "/account");
        for answer in [sign_in(ADA.password), sign_in("wrong"), account] {
            assert_eq!(answer.status, 503, "{}", answer.body);
            assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
            assert!(answer.body.contains("The film tore"), "{}", answer.body);
            assert!(!answer.body.contains(ADA.password));
            assert!(answer.took <= WORST, "{:?}", answer.took);
        }
        assert_eq!(stranger.cookies().header(), None);
        assert!(
            ada.cookies().header().is_some(),
            "a visitor stays signed in"
        );
    }
}

fn assert_well_again(app: &App) {
    let since = Instant::now();
    for server in app.servers() {
        let sign_in = || Visitor::new().try_sign_in(server, ADA.email, ADA.password);
        while sign_in().status != 303 {
            assert!(since.elapsed() < WELL_AGAIN, "nobody signs in again");
        }
    }
    println!("signing in again after {:?}", since.elapsed());
}
