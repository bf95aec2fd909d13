//! How a house closes.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::door::{Door, End};
use crate::house::House;
use crate::plan::Plan;
use crate::visitor::Visitor;

on_both_backends! {
    a_busy_house_closes_at_once_and_answers_every_request_that_it_took,
    visitors_who_say_nothing_do_not_keep_a_house_open,
}

/// The app lets requests go on for ten seconds, and then closes its database.
const DRAIN: Duration = Duration::from_secs(15);
/// With nothing to wait for it closes at once; this is a machine that compiles meanwhile.
const AT_ONCE: Duration = Duration::from_secs(5);

fn a_busy_house_closes_at_once_and_answers_every_request_that_it_took(plan: Plan) {
    let mut house = plan
        .with("RUST_LOG", "info,tower_http=debug")
        .alone()
        .open();
    let answered: Vec<usize> = thread::scope(|scope| {
        let house = &house;
        let crowd = scope.spawn(|| {
            house.crowd(8, |visitor, door, number| {
                let mut films = 0..;
                let mut ask = || {
                    let film = films.next().unwrap_or(0) % 400 + number * 400 + 1;
                    visitor.try_get(door, &format!("/films/{film}"))
                };
                let mut answered = 0;
                while let Ok(answer) = ask() {
                    assert_eq!(answer.status, 200);
                    answered += 1;
                }
                answered
            })
        });
        thread::sleep(Duration::from_millis(300));
        house.doors().iter().for_each(Door::terminate);
        crowd.join().unwrap()
    });
    let received: usize = answered.iter().sum();
    assert!(received > 8, "there was nothing to interrupt");

    let ends = close(&mut house, AT_ONCE);
    let count = |what: &str| {
        let lines = ends.iter().flat_map(|end| &end.log);
        let lines = lines.filter(|line| line.contains("/films/") && line.contains(what));
        lines.count()
    };
    let (taken, answered) = (count("started processing request"), count(": answered "));
    println!("{received} requests answered until the house closed");
    assert_eq!((taken, answered), (received, received));
}

fn visitors_who_say_nothing_do_not_keep_a_house_open(plan: Plan) {
    let mut house = plan.open();
    let mut silent = Vec::new();
    for door in house.doors() {
        silent.push(say(door, ""));
        // One who has had an answer, and keeps the connection for later.
        let mut served = say(door, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_ne!(served.read(&mut [0; 1024]).unwrap(), 0);
        silent.push(served);
        wait_for_the_silent(door);
    }
    house.doors().iter().for_each(Door::terminate);
    close(&mut house, AT_ONCE);
}

/// The one test that takes as long as the drain, so it is made on one backend.
#[test]
fn a_visitor_who_never_ends_a_request_is_cut_off_after_the_drain() {
    let mut house = Plan::memory().unminding().open();
    let half = say(house.first(), "GET / HTTP/1.1\r\nHost: x\r\n");
    wait_for_the_silent(house.first());
    house.first().terminate();
    let ends = close(&mut house, DRAIN);
    let told = |line: &String| line.contains("some requests were cut off");
    assert!(ends[0].log.iter().any(told), "{:?}", ends[0].log);
    drop(half);
}

fn say(door: &Door, said: &str) -> TcpStream {
    let mut connection = TcpStream::connect(door.address()).unwrap();
    connection.write_all(said.as_bytes()).unwrap();
    connection
}

/// Connections are taken in order: those before this one are taken when it is answered.
fn wait_for_the_silent(door: &Door) {
    assert_eq!(Visitor::new().get(door, "/healthz").status, 200);
}

/// Waits until every process has ended as it should.
fn close(house: &mut House, patience: Duration) -> Vec<End> {
    let ends: Vec<_> = house
        .take_doors()
        .into_iter()
        .map(|door| door.end(patience))
        .collect();
    for end in &ends {
        assert_eq!(end.status.code(), Some(0), "{end:?}");
        assert_eq!(end.stderr, "");
        let last = end.log.last().unwrap();
        assert!(last.contains("matinee is closed"), "{last}");
    }
    ends
}
