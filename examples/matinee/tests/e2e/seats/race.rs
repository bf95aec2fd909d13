//! Two hundred visitors compete for one seat.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;

use super::{a_showing, ask, insist, seat};
use crate::app::App;
use crate::plan::Plan;
use crate::server::Server;
use crate::visitor::{ADA, Visitor};

on_both_backends! {
    of_two_hundred_people_who_want_a_seat_one_gets_it,
}

const PEOPLE: usize = 200;
/// How many sign in at a time: that needs the processor, not the store.
const AT_ONCE: usize = 8;

fn of_two_hundred_people_who_want_a_seat_one_gets_it(plan: Plan) {
    let app = plan.alone().open();
    let showing = a_showing(&app);
    let people = arrive(&app);
    let together = Barrier::new(PEOPLE);
    let try_it = |person: &Visitor, server: &Server| {
        together.wait();
        let held = insist(|| ask(person, server, &showing, "hold", &["C3"]));
        together.wait();
        let booked = insist(|| ask(person, server, &showing, "book", &["C3"]));
        let tickets = insist(|| person.get(server, "/tickets")).body;
        let has_it = tickets.contains("<dd>C3</dd>");
        (held.status.as_u16(), booked.status.as_u16(), has_it)
    };
    let answers: Vec<_> = thread::scope(|scope| {
        let try_it = &try_it;
        let crowd: Vec<_> = people
            .iter()
            .zip(app.servers().iter().cycle())
            .map(|(person, server)| scope.spawn(move || try_it(person, server)))
            .collect();
        crowd.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let (got, missed): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.2);
    assert_eq!(got, [(303, 303, true)]);
    let missed: BTreeSet<_> = missed.into_iter().collect();
    assert_eq!(missed, BTreeSet::from([(409, 409, false)]));
    let stranger = Visitor::new();
    assert_eq!(seat(&stranger, app.last(), &showing, "C3"), "taken");
}

/// Creates an account for everybody, and signs them in.
fn arrive(app: &App) -> Vec<Visitor> {
    let email = |number| format!("person-{number}@matinee.example");
    let sql = "INSERT INTO users (email, name, password_hash, is_demo)
               SELECT 'person-' || value || '@matinee.example', name, password_hash, is_demo
               FROM users, generate_series WHERE email = 'ada@matinee.example'";
    let numbers = format!(
        "WITH RECURSIVE generate_series (value) AS
         (SELECT 0 UNION ALL SELECT value + 1 FROM generate_series WHERE value < {}) {sql}",
        PEOPLE - 1
    );
    app.execute(&numbers);
    let people: Vec<_> = (0..PEOPLE).map(|number| (number, Visitor::new())).collect();
    thread::scope(|scope| {
        for people in people.chunks(PEOPLE / AT_ONCE) {
            scope.spawn(move || {
                for (number, person) in people {
                    let email = email(*number);
                    let answer = insist(|| person.try_sign_in(app.first(), &email, ADA.password));
                    assert_eq!(answer.status, 303, "{answer:?}");
                }
            });
        }
    });
    people.into_iter().map(|(_, person)| person).collect()
}
