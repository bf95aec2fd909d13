//! The store fails between a hold and a booking.

use std::thread;
use std::time::{Duration, Instant};

use super::{a_showing, ask, seat, signed_in};
use crate::app::App;
use crate::plan::Plan;
use crate::server::Server;
use crate::visitor::{ADA, Answer, GRACE, Visitor};

/// The longest wait of a visitor, whatever the store does.
const WORST: Duration = Duration::from_millis(1_500);
/// More time than the app needs to recover.
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn while_redis_is_frozen_pages_come_and_seats_are_not_sold_and_then_the_hold_is_still_there() {
    let mut app = Plan::redis().alone().open();
    let showing = a_showing(&app);
    let (here, there) = (0, 1);
    let ada = signed_in(&app.servers()[here], ADA);
    let held = ask(&ada, &app.servers()[here], &showing, "hold", &["C3"]);
    assert_eq!(held.status, 303);

    app.redis().stop().unwrap();
    assert_pages_come_and_nothing_is_sold(&app, &ada, &showing);
    app.redis().cont().unwrap();

    let there = &app.servers()[there];
    let booked = once_well(|| ask(&ada, there, &showing, "book", &["C3"]));
    assert_eq!(
        (booked.status.as_u16(), booked.header("location")),
        (303, "/tickets")
    );
    assert_eq!(stubs(&ada, there), 1);
}

#[test]
fn when_redis_has_lost_every_hold_the_seat_is_still_sold_once() {
    let mut app = Plan::redis().alone().open();
    let showing = a_showing(&app);
    let ada = signed_in(app.first(), ADA);
    for seats in [&["C3"][..], &["C4"]] {
        assert_eq!(ask(&ada, app.first(), &showing, "hold", seats).status, 303);
    }
    assert_eq!(
        ask(&ada, app.first(), &showing, "book", &["C3"]).status,
        303
    );

    app.redis().kill();
    assert_pages_come_and_nothing_is_sold(&app, &ada, &showing);
    app.redis().restart().unwrap();

    // It has lost who is signed in, and who holds what.
    let grace = Visitor::new();
    for (visitor, server, account) in [(&grace, app.last(), GRACE), (&ada, app.first(), ADA)] {
        let welcome = once_well(|| visitor.try_sign_in(server, account.email, account.password));
        assert_eq!(welcome.status, 303);
    }
    assert_eq!(seat(&grace, app.last(), &showing, "C3"), "taken");
    assert_eq!(
        ask(&grace, app.last(), &showing, "hold", &["C3"]).status,
        409
    );
    assert_eq!(
        ask(&grace, app.last(), &showing, "hold", &["C4"]).status,
        303
    );
    assert_eq!(
        ask(&ada, app.first(), &showing, "book", &["C4"]).status,
        409
    );
    assert_eq!(
        ask(&grace, app.last(), &showing, "book", &["C4"]).status,
        303
    );
    assert_eq!(
        (stubs(&ada, app.first()), stubs(&grace, app.first())),
        (1, 1)
    );
}

#[test]
fn while_redis_is_full_the_seats_are_shown_and_none_can_be_held() {
    let mut app = Plan::redis().alone().open();
    let showing = a_showing(&app);
    let ada = signed_in(app.first(), ADA);
    set_maxmemory(&mut app, "1mb");
    let map = ada.get(app.first(), &showing);
    assert_eq!(map.status, 200, "{}", map.body);
    assert!(map.body.contains("data-after=\"\""), "{}", map.body);
    let held = ask(&ada, app.first(), &showing, "hold", &["C3"]);
    assert_is_503(&held, "hold");

    set_maxmemory(&mut app, "0");
    let held = once_well(|| ask(&ada, app.first(), &showing, "hold", &["C3"]));
    assert_eq!(held.status, 303);
    let map = ada.get(app.first(), &showing);
    assert!(!map.body.contains("data-after=\"\""), "{}", map.body);
}

fn set_maxmemory(app: &mut App, limit: &str) {
    let set = ["CONFIG", "SET", "maxmemory", limit];
    app.redis().command(&set).unwrap();
}

fn assert_pages_come_and_nothing_is_sold(app: &App, ada: &Visitor, showing: &str) {
    for server in app.servers() {
        for path in ["/", "/films/7", "/films/7"] {
            let page = ada.get(server, path);
            assert_eq!(page.status, 200, "{path}");
            assert!(page.took <= WORST, "{path}: {:?}", page.took);
        }
        for what in ["hold", "release", "book"] {
            let answer = ask(ada, server, showing, what, &["C3"]);
            assert_is_503(&answer, what);
        }
        for path in [showing, "/tickets"] {
            assert_is_503(&ada.get(server, path), path);
        }
    }
}

fn assert_is_503(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 503, "{what}");
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert!(
        answer.body.contains("The film tore"),
        "{what}: {}",
        answer.body
    );
    assert!(answer.took <= WORST, "{what}: {:?}", answer.took);
}

/// Returns the first answer other than 503.
fn once_well(ask: impl Fn() -> Answer) -> Answer {
    let since = Instant::now();
    loop {
        let answer = ask();
        if answer.status != 503 {
            return answer;
        }
        assert!(since.elapsed() < PATIENCE, "it is not well again");
        thread::sleep(Duration::from_millis(5));
    }
}

fn stubs(visitor: &Visitor, server: &Server) -> usize {
    let tickets = visitor.get(server, "/tickets");
    assert_eq!(tickets.status, 200);
    tickets.body.matches("class=\"stub\"").count()
}
