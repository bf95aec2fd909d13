//! Seats are held, released and booked.

mod faults;
mod live;
mod locked;
mod race;

use std::iter;
use std::thread;
use std::time::{Duration, Instant};

use crate::app::App;
use crate::plan::Plan;
use crate::server::Server;
use crate::visitor::{ADA, Account, Answer, GRACE, Visitor};

on_both_backends! {
    a_visitor_holds_seats_and_books_them,
    a_seat_that_is_held_or_booked_cannot_be_taken_by_another,
    a_hold_comes_back_by_itself,
    the_seat_map_says_why_a_seat_was_not_held,
    an_unknown_showing_or_seat_is_a_client_error,
    a_stranger_sees_the_seats_and_is_sent_to_the_sign_in_form,
}

/// Returns a visitor who is signed in at a server.
fn signed_in(server: &Server, account: Account) -> Visitor {
    let visitor = Visitor::new();
    visitor.sign_in(server, account);
    visitor
}

/// Returns a future showing, on the last day of the season.
pub(crate) fn a_showing(app: &App) -> String {
    let catalogue = app.get("/api/films").json();
    let films = catalogue["films"].as_array().unwrap();
    let shown = films.iter().map(|it| it["film"]["id"].as_u64().unwrap());
    let showings = shown.map(|film| app.get(&format!("/api/films/{film}")).json());
    let last = |film: serde_json::Value| film["showings"].as_array().unwrap().last().cloned();
    let last = showings.filter_map(last);
    let last = last.max_by_key(|it| it["starts_at_ms"].as_i64()).unwrap();
    format!("/showings/{}", last["id"])
}

pub(crate) fn ask(
    visitor: &Visitor,
    server: &Server,
    showing: &str,
    what: &str,
    seats: &[&str],
) -> Answer {
    let form: Vec<_> = seats.iter().map(|seat| ("seat", *seat)).collect();
    visitor.post(server, &format!("{showing}/{what}"), &form)
}

/// Tries again after a 503, as people do: with so many processes on one machine, the store cannot
/// always answer in time. An action that was refused then is not done twice.
pub(crate) fn insist(ask: impl Fn() -> Answer) -> Answer {
    let answers = iter::repeat_with(ask).take(100);
    let mut answers = answers.skip_while(|answer| answer.status == 503);
    answers.next().expect("the store came back")
}

/// Returns how the seat map shows a seat to this visitor, such as `free` or `held for you`.
pub(crate) fn seat(visitor: &Visitor, server: &Server, showing: &str, seat: &str) -> String {
    let map = visitor.get(server, showing);
    assert_eq!(map.status, 200, "{}", map.body);
    state(&map, seat)
}

fn state(map: &Answer, seat: &str) -> String {
    let label = format!(">{seat}, ");
    let (_, rest) = map.body.split_once(&label).unwrap();
    rest.split('<').next().unwrap().to_owned()
}

fn a_visitor_holds_seats_and_books_them(plan: Plan) {
    let app = plan.open();
    let showing = a_showing(&app);
    let (here, there) = (app.first(), app.last());
    let ada = signed_in(here, ADA);
    assert_eq!(seat(&ada, here, &showing, "C3"), "free");

    let held = ask(&ada, here, &showing, "hold", &["C3", "C4", "C5"]);
    assert_eq!(
        (held.status.as_u16(), held.header("location")),
        (303, &*format!("{showing}#yours"))
    );
    let map = ada.get(there, &showing);
    assert!(map.body.contains("Held for you until"));
    assert_eq!(state(&map, "C4"), "held for you");
    assert!(map.body.contains("Book 3 seats for $"), "{}", map.body);

    let back = ask(&ada, there, &showing, "release", &["C5"]);
    assert_eq!(
        (back.status.as_u16(), back.header("location")),
        (303, &*showing)
    );
    let map = ada.get(here, &showing);
    assert_eq!(state(&map, "C5"), "free");
    assert!(map.body.contains("You gave back C5."), "{}", map.body);

    let booked = ask(&ada, there, &showing, "book", &["C3", "C4"]);
    assert_eq!(
        (booked.status.as_u16(), booked.header("location")),
        (303, "/tickets")
    );
    let tickets = ada.get(here, "/tickets");
    assert_eq!(tickets.status, 200);
    assert!(tickets.body.contains("<dd>C3, C4</dd>"), "{}", tickets.body);
    assert!(
        tickets.body.contains("You have booked C3, C4."),
        "{}",
        tickets.body
    );
    let code = tickets.body.split_once("class=\"ticket-code\">").unwrap().1;
    let code = code.split('<').next().unwrap();
    assert!(
        code.len() == 12 && code.bytes().all(|it| it.is_ascii_alphanumeric()),
        "{code}"
    );
    let map = ada.get(here, &showing);
    assert_eq!(state(&map, "C3"), "booked by you");
    assert!(!map.body.contains("Held for you until"));

    // A form that is sent twice books once.
    let again = ask(&ada, here, &showing, "book", &["C3", "C4"]);
    assert_eq!(
        (again.status.as_u16(), again.header("location")),
        (303, "/tickets")
    );
    let tickets = ada.get(here, "/tickets").body;
    assert_eq!(tickets.matches("class=\"stub\"").count(), 1);
    // Nobody else can see them.
    let grace = signed_in(there, GRACE).get(there, "/tickets");
    assert!(grace.body.contains("No tickets yet") && !grace.body.contains(code));
}

fn a_seat_that_is_held_or_booked_cannot_be_taken_by_another(plan: Plan) {
    let app = plan.open();
    let showing = a_showing(&app);
    let (here, there) = (app.first(), app.last());
    let (ada, grace) = (signed_in(here, ADA), signed_in(there, GRACE));
    let get = |who: &Visitor, server, what, seats: &[&str]| {
        let answer = ask(who, server, &showing, what, seats);
        let notice = answer.body.split_once("id=\"notice\">");
        let notice = notice.map_or("", |(_, it)| it.split('<').next().unwrap());
        (answer.status.as_u16(), notice.to_owned())
    };
    assert_eq!(get(&ada, here, "hold", &["B2"]).0, 303);
    assert_eq!(seat(&grace, there, &showing, "B2"), "held by somebody");
    let faster = "Someone else was faster: B2 is taken. Please choose another seat.";
    let refused = (409, faster.to_owned());
    assert_eq!(get(&grace, there, "hold", &["B1", "B2"]), refused);
    assert_eq!(seat(&grace, there, &showing, "B1"), "free");
    let ran_out = get(&grace, there, "book", &["B2"]);
    assert!(
        ran_out.0 == 409 && ran_out.1.contains("has expired"),
        "{ran_out:?}"
    );
    // Nobody can release the seats of another visitor.
    assert_eq!(get(&grace, there, "release", &["B2"]).0, 303);
    let map = grace.get(there, &showing).body;
    assert!(map.contains("You did not hold these seats."), "{map}");
    assert_eq!(seat(&ada, here, &showing, "B2"), "held for you");

    assert_eq!(get(&ada, here, "book", &["B2"]).0, 303);
    assert_eq!(seat(&grace, there, &showing, "B2"), "taken");
    assert_eq!(get(&grace, there, "hold", &["B1", "B2"]), refused);
    assert_eq!(seat(&grace, there, &showing, "B1"), "free");
    assert_eq!(get(&grace, there, "book", &["B2"]).0, 409);
}

fn a_hold_comes_back_by_itself(plan: Plan) {
    let app = plan.with("HOLD_FOR", "2s").open();
    let showing = a_showing(&app);
    let (here, there) = (app.first(), app.last());
    let (ada, grace) = (signed_in(here, ADA), signed_in(there, GRACE));
    let since = Instant::now();
    assert_eq!(ask(&ada, here, &showing, "hold", &["A1"]).status, 303);
    assert!(ada.get(here, &showing).body.contains("for 2 seconds"));
    while seat(&grace, there, &showing, "A1") == "held by somebody" {
        assert!(
            since.elapsed() < Duration::from_secs(15),
            "it never came back"
        );
        thread::sleep(Duration::from_millis(20));
    }
    assert!(
        since.elapsed() >= Duration::from_secs(2),
        "{:?}",
        since.elapsed()
    );
    assert_eq!(seat(&ada, here, &showing, "A1"), "free");
    assert_eq!(ask(&ada, here, &showing, "book", &["A1"]).status, 409);
    assert_eq!(ask(&grace, there, &showing, "hold", &["A1"]).status, 303);
    assert_eq!(ask(&grace, there, &showing, "book", &["A1"]).status, 303);
    assert_eq!(ask(&ada, here, &showing, "book", &["A1"]).status, 409);
}

fn the_seat_map_says_why_a_seat_was_not_held(plan: Plan) {
    let app = plan.open();
    let showing = a_showing(&app);
    let server = app.first();
    let ada = signed_in(server, ADA);
    let many = ["A1", "A2", "A3", "A4", "A5", "A6", "A7", "B1", "B2"];
    for (seats, status, told) in [
        (&many[..], 409, "You can hold up to 8 seats for a showing."),
        (
            &[][..],
            400,
            "Please choose at least one seat on this plan.",
        ),
        (
            &["Z99"][..],
            400,
            "Please choose at least one seat on this plan.",
        ),
    ] {
        let answer = ask(&ada, server, &showing, "hold", seats);
        assert_eq!(answer.status, status, "{seats:?}");
        assert!(answer.body.contains(told) && answer.body.contains("Hold the chosen seats"));
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    assert_eq!(ask(&ada, server, &showing, "hold", &many[..8]).status, 303);
    assert_eq!(
        ask(&ada, app.last(), &showing, "hold", &many[8..]).status,
        409
    );
    let problem = Visitor::new().with("accept", "application/json");
    problem.sign_in(server, GRACE);
    let answer = ask(&problem, server, &showing, "hold", &["A1"]);
    assert_eq!(answer.status, 409);
    assert_eq!(answer.header("content-type"), "application/problem+json");
}

fn an_unknown_showing_or_seat_is_a_client_error(plan: Plan) {
    let app = plan.open();
    let (showing, server) = (a_showing(&app), app.first());
    let ada = signed_in(server, ADA);
    for id in ["0", "-1", "x", "99999999", "99999999999999999999", "%00"] {
        let showing = format!("/showings/{id}");
        assert_eq!(ada.get(server, &showing).status, 404, "{id}");
        assert_eq!(
            ask(&ada, server, &showing, "hold", &["A1"]).status,
            404,
            "{id}"
        );
        assert_eq!(
            ask(&ada, server, &showing, "book", &["A1"]).status,
            404,
            "{id}"
        );
    }
    for seat in [
        "",
        "A",
        "a1",
        "A01",
        "A1 ",
        "1A",
        "'; DROP TABLE bookings; --",
        "Ａ1",
        "A1\0",
    ] {
        let answer = ask(&ada, server, &showing, "hold", &[seat]);
        assert_eq!(answer.status, 400, "{seat:?}");
    }
}

fn a_stranger_sees_the_seats_and_is_sent_to_the_sign_in_form(plan: Plan) {
    let app = plan.open();
    let (showing, server) = (a_showing(&app), app.first());
    let stranger = Visitor::new();
    let map = stranger.get(server, &showing);
    assert_eq!(state(&map, "A1"), "free");
    let link = format!("href=\"/sign-in?next={showing}\"");
    assert!(
        map.body.contains(&link) && !map.body.contains("Hold the chosen"),
        "{}",
        map.body
    );
    assert!(map.headers.get("set-cookie").is_none());
    for what in ["hold", "book", "release"] {
        let sent = ask(&stranger, server, &showing, what, &["A1"]);
        assert_eq!(sent.status, 303);
        assert!(sent.header("location").starts_with("/sign-in"), "{sent:?}");
    }
    assert_eq!(seat(&stranger, server, &showing, "A1"), "free");
    let sent = stranger.get(server, "/tickets");
    assert!(
        sent.header("location").ends_with("next=%2Ftickets"),
        "{sent:?}"
    );
}
