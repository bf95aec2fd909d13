//! Letters: confirmations and reminders, in a maildir.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::app::App;
use crate::plan::Plan;
use crate::seats::{a_showing, ask};
use crate::server::Server;
use crate::visitor::{ADA, Account, GRACE, Visitor};

on_both_backends! {
    each_booking_is_confirmed_by_one_letter,
    a_letter_of_a_new_database_is_not_taken_for_an_earlier_one,
    no_confirmation_is_lost_though_every_process_is_killed,
    a_letter_that_cannot_be_sent_is_sent_later_also_by_another_process,
    visitors_are_reminded_of_their_showing_once,
}

/// More time than a worker needs to take over the letters of a killed one.
const PATIENCE: Duration = Duration::from_secs(40);

fn book(server: &Server, account: Account, showing: &str, seats: &[&str]) {
    let visitor = Visitor::new();
    visitor.sign_in(server, account);
    for step in ["hold", "book"] {
        let answer = ask(&visitor, server, showing, step, seats);
        assert_eq!(answer.status, 303, "{step} {seats:?}: {}", answer.body);
    }
}

/// Waits until there are this many letters, and returns them.
fn letters(app: &App, many: usize) -> Vec<String> {
    let since = Instant::now();
    loop {
        let new = fs::read_dir(app.path("target/mail/new")).unwrap();
        let letters = new.map(|letter| fs::read_to_string(letter.unwrap().path()).unwrap());
        let letters: Vec<_> = letters.collect();
        if letters.len() >= many {
            assert_eq!(letters.len(), many, "{letters:?}");
            return letters;
        }
        assert!(since.elapsed() < PATIENCE, "{} of {many}", letters.len());
        thread::sleep(Duration::from_millis(20));
    }
}

fn each_booking_is_confirmed_by_one_letter(plan: Plan) {
    let app = plan.open();
    let showing = a_showing(&app);
    book(app.first(), ADA, &showing, &["C3", "C4"]);
    book(app.last(), GRACE, &showing, &["D5"]);
    let letters = letters(&app, 2);
    let to = |account: Account| {
        let to = format!("To: <{}>\r\n", account.email);
        let letter = letters.iter().find(|letter| letter.contains(&to));
        letter.unwrap_or_else(|| panic!("nothing for {to}: {letters:?}"))
    };
    let ada = Visitor::new();
    ada.sign_in(app.first(), ADA);
    let tickets = ada.get(app.first(), "/tickets").body;
    let code = tickets.split_once("class=\"ticket-code\">").unwrap().1;
    let code = code.split('<').next().unwrap();
    assert!(
        to(ADA).contains("2 seats for ") && to(ADA).contains(code),
        "{}",
        to(ADA)
    );
    assert!(to(GRACE).contains("1 seat for ") && !to(GRACE).contains(code));
}

fn a_letter_of_a_new_database_is_not_taken_for_an_earlier_one(plan: Plan) {
    let app = plan.open();
    let showing = a_showing(&app);
    book(app.first(), ADA, &showing, &["C3"]);
    letters(&app, 1);
    // The next booking and its letter have the same numbers as those that are gone.
    app.execute("DELETE FROM outbox; DELETE FROM booked_seats; DELETE FROM bookings");
    book(app.last(), GRACE, &showing, &["D5"]);
    letters(&app, 2);
}

fn no_confirmation_is_lost_though_every_process_is_killed(plan: Plan) {
    let mut app = plan.open();
    let showing = a_showing(&app);
    let seats = ["A1", "A2", "A3", "A4"];
    for (number, seat) in seats.iter().enumerate() {
        book(app.last(), [ADA, GRACE][number % 2], &showing, &[*seat]);
        // The letter is in the outbox, in the queue, being sent, or sent.
        app.crash_and_reopen();
    }
    letters(&app, seats.len());
}

fn a_letter_that_cannot_be_sent_is_sent_later_also_by_another_process(plan: Plan) {
    let mut app = plan.open();
    let showing = a_showing(&app);
    let (drafts, away) = (app.path("target/mail/tmp"), app.path("target/mail/away"));
    fs::rename(&drafts, &away).unwrap();
    book(app.first(), ADA, &showing, &["B2"]);
    let is_tried = |server: &Server| server.has_logged(&["the job failed"]);
    let since = Instant::now();
    while !app.servers().iter().any(is_tried) {
        assert!(since.elapsed() < PATIENCE, "nobody tries to send it");
        thread::sleep(Duration::from_millis(20));
    }
    letters(&app, 0);
    fs::rename(&away, &drafts).unwrap();
    app.crash_and_reopen();
    letters(&app, 1);
}

fn visitors_are_reminded_of_their_showing_once(plan: Plan) {
    let app = plan.with("REMIND_EVERY", "1s").open();
    let showing = a_showing(&app);
    book(app.first(), ADA, &showing, &["C3"]);
    // This one is for another showing, which is not soon.
    let other = a_showing_but(&app, &showing);
    book(app.first(), GRACE, &other, &["C3"]);
    letters(&app, 2);
    let id = showing.rsplit('/').next().unwrap();
    app.execute(&format!(
        "UPDATE showings SET starts_at_ms = (unixepoch() + 3600) * 1000 WHERE id = {id};
         UPDATE bookings SET booked_at_ms = booked_at_ms - 86400000"
    ));
    let all = letters(&app, 3);
    let reminders = all.iter().filter(|it| it.contains("Subject: Reminder: "));
    assert_eq!(reminders.count(), 1);
    // Three checks later there is no further one.
    thread::sleep(Duration::from_secs(3));
    letters(&app, 3);
}

/// A showing that is not this one.
fn a_showing_but(app: &App, showing: &str) -> String {
    let id: u64 = showing.rsplit('/').next().unwrap().parse().unwrap();
    let other = format!("/showings/{}", id - 1);
    assert_eq!(app.get(&other).status, 200);
    other
}
