//! Visitors see seats change while the page is open.

use std::thread;
use std::time::{Duration, Instant};

use super::{a_showing, ask, signed_in};
use crate::plan::Plan;
use crate::server::Server;
use crate::visitor::{ADA, Event, GRACE, Visitor};

on_both_backends! {
    a_visitor_sees_the_seats_change_that_others_hold_give_back_and_book,
    a_browser_that_comes_back_is_shown_what_it_missed,
    an_app_that_stops_ends_the_streams_of_those_who_watch,
    the_stream_of_a_device_that_is_signed_out_ends,
    one_address_does_not_take_the_places_of_all_who_watch,
}

/// Returns the position that a page contains.
fn position(visitor: &Visitor, server: &Server, showing: &str) -> String {
    let page = visitor.get(server, showing).body;
    let (_, rest) = page.split_once("data-after=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// Returns the state of a seat in an event, or an empty text if it is not named.
fn state<'a>(event: &'a Event, seat: &str) -> &'a str {
    event.data["seats"][seat].as_str().unwrap_or("")
}

fn a_visitor_sees_the_seats_change_that_others_hold_give_back_and_book(plan: Plan) {
    let app = plan.open();
    let showing = a_showing(&app);
    let (here, there) = (app.first(), app.last());
    let ada = signed_in(here, ADA);
    let grace = signed_in(there, GRACE);
    let live = format!("{showing}/live?after={}", position(&grace, there, &showing));
    // The seats change between the page and its stream.
    assert_eq!(ask(&ada, here, &showing, "hold", &["C3", "C4"]).status, 303);
    let (mut hers, mut others) = (
        ada.watch(here, &live, None),
        grace.watch(there, &live, None),
    );
    let held = others.next().unwrap();
    assert_eq!((state(&held, "C3"), state(&held, "C4")), ("held", "held"));
    assert_eq!(held.data["all"], false);
    assert_eq!(state(&hers.next().unwrap(), "C3"), "yours");
    for (what, seat, seen, own) in [
        ("release", "C4", "free", "free"),
        ("book", "C3", "booked", "ticket"),
    ] {
        assert_eq!(ask(&ada, here, &showing, what, &[seat]).status, 303);
        assert_eq!(state(&others.next().unwrap(), seat), seen);
        assert_eq!(state(&hers.next().unwrap(), seat), own);
    }
    for id in ["0", "x", "99999999"] {
        let path = format!("/showings/{id}/live");
        assert_eq!(grace.get(here, &path).status, 404, "{id}");
    }
}

fn a_browser_that_comes_back_is_shown_what_it_missed(plan: Plan) {
    let app = plan.open();
    let showing = a_showing(&app);
    let (here, there) = (app.first(), app.last());
    let (ada, stranger) = (signed_in(here, ADA), Visitor::new());
    let live = format!(
        "{showing}/live?after={}",
        position(&stranger, here, &showing)
    );
    assert_eq!(ask(&ada, here, &showing, "hold", &["A1"]).status, 303);
    let seen = stranger.watch(here, &live, None).next().unwrap();
    assert_eq!(state(&seen, "A1"), "held");
    for (what, seats) in [("hold", &["A2", "A3"][..]), ("release", &["A1"])] {
        assert_eq!(ask(&ada, there, &showing, what, seats).status, 303);
    }
    // At another server, it continues after the last event, not after the page.
    let mut back = stranger.watch(there, &live, Some(&seen.id));
    let mut missed = std::collections::BTreeMap::new();
    while missed.len() < 3 {
        let event = back.next().unwrap();
        assert_eq!(event.data["all"], false, "{event:?}");
        for seat in ["A1", "A2", "A3"] {
            if !state(&event, seat).is_empty() {
                missed.insert(seat, state(&event, seat).to_owned());
            }
        }
    }
    assert_eq!(
        missed.into_values().collect::<Vec<_>>(),
        ["free", "held", "held"]
    );
    // A position that is too old or malformed is told to forget what it has.
    for last in ["1-1", "x"] {
        let all = stranger.watch(there, &live, Some(last)).next().unwrap();
        assert_eq!(all.data["all"], true);
        let states = ["A1", "A2", "A3"].map(|seat| state(&all, seat));
        assert_eq!(states, ["", "held", "held"]);
    }
}

fn an_app_that_stops_ends_the_streams_of_those_who_watch(plan: Plan) {
    let mut app = plan.open();
    let live = format!("{}/live", a_showing(&app));
    let watch = |server: &Server| Visitor::new().watch(server, &live, None);
    let mut watching: Vec<_> = app.servers().iter().map(watch).collect();
    for events in &mut watching {
        assert_eq!(events.next().unwrap().data["all"], true);
    }
    app.servers().iter().for_each(Server::terminate);
    for server in app.take_servers() {
        let end = server.end(Duration::from_secs(5));
        assert_eq!(end.status.code(), Some(0), "{end:?}");
    }
    for mut events in watching {
        assert!(events.next().is_none());
    }
}

fn the_stream_of_a_device_that_is_signed_out_ends(plan: Plan) {
    let app = plan.open();
    let showing = a_showing(&app);
    let live = format!("{showing}/live");
    let (here, there) = (app.first(), app.last());
    let (ada, phone) = (signed_in(here, ADA), signed_in(there, ADA));
    let mut hers = ada.watch(here, &live, None);
    let mut of_phone = phone.watch(there, &live, None);
    for events in [&mut hers, &mut of_phone] {
        assert_eq!(events.next().unwrap().data["all"], true);
    }
    let revoked = ada.post(here, "/account/revoke-others", &[]);
    assert_eq!(revoked.status, 303);
    assert!(of_phone.next().is_none());
    assert_eq!(ask(&ada, here, &showing, "hold", &["C3"]).status, 303);
    assert_eq!(state(&hers.next().unwrap(), "C3"), "yours");
}

fn one_address_does_not_take_the_places_of_all_who_watch(plan: Plan) {
    let app = plan.with("TRUSTED_PROXIES", "127.0.0.1").open();
    let live = format!("{}/live", a_showing(&app));
    let from = |address: &str| Visitor::forwarded(address);
    let greedy = from("203.0.113.7");
    let mut open: Vec<_> = (0..20)
        .map(|_| from("203.0.113.7").watch(app.first(), &live, None))
        .collect();
    for events in &mut open {
        assert_eq!(events.next().unwrap().data["all"], true);
    }
    assert_eq!(greedy.get(app.first(), &live).status, 429);
    let mut other = from("203.0.113.8").watch(app.first(), &live, None);
    assert_eq!(other.next().unwrap().data["all"], true);
    // Once one of its streams has ended, it may open another.
    open.pop();
    let since = Instant::now();
    while greedy.try_open(app.first(), &live).unwrap() != 200 {
        assert!(
            since.elapsed() < Duration::from_secs(10),
            "its place is still taken"
        );
        thread::sleep(Duration::from_millis(50));
    }
}
