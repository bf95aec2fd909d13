//! The store fails while the app serves, on Redis only.
//!
//! The tests assert states, not times: the bounds are generous, and the figures are printed.

mod load;
mod visit;

use std::thread;
use std::time::{Duration, Instant};

use crate::app::App;
use crate::plan::Plan;
use crate::visitor::Visitor;

use self::load::Load;

/// The longest wait of a visitor, whatever the store does. The deadlines add up to less than a second; the rest is for
/// a busy machine.
const WORST: Duration = Duration::from_secs(5);
/// The longest recovery of the app on a busy machine. It usually takes a quarter of a second.
const WELL_AGAIN: Duration = Duration::from_secs(5);
/// The longest time until a film that one process loads is a far hit for the next.
const SHARED_AGAIN: Duration = Duration::from_secs(4);
/// How much one visitor may request while the app is observed.
const LIMIT: usize = 10;

/// An app in which every visitor of the load has an address, and so a limit, of their own.
fn open() -> App {
    Plan::redis()
        .with("RATE_LIMIT", format!("{LIMIT}/hour"))
        .with("TRUSTED_PROXIES", "127.0.0.1")
        .alone()
        .open()
}

#[test]
fn every_page_comes_while_every_connection_is_killed() {
    let mut app = open();
    let admin = app.redis().connect();
    let mut admin = admin.unwrap();
    let mut kills = 0;
    let seen = Load::new().during(&app, || {
        let end = Instant::now() + Duration::from_millis(1_500);
        while Instant::now() < end {
            let killed = admin.call(&["CLIENT", "KILL", "TYPE", "normal"]).unwrap();
            kills += killed.int().unwrap();
            // Sometimes it takes time to reconnect.
            thread::sleep(Duration::from_millis(50));
        }
    });
    println!("{kills} connections killed: {seen}");
    assert!(kills > 10 && seen.requests > 20, "{kills}: {seen}");
    assert!(seen.worst <= WORST, "{seen}");
    assert_well_again(&app, LIMIT);
}

#[test]
fn every_page_comes_while_redis_is_frozen_and_all_is_well_once_it_thaws() {
    let mut app = open();
    let spent = 4;
    assert_eq!(pass(&app, "203.0.113.7", spent), spent);
    app.redis().stop().unwrap();
    let seen = Load::new().during(&app, || assert_degraded(&app));
    println!("frozen: {seen}");
    assert!(seen.worst <= WORST, "{seen}");
    app.redis().cont().unwrap();
    // Units that were used before are still used.
    assert_well_again(&app, LIMIT - spent);
}

#[test]
fn every_page_comes_while_redis_is_dead_and_all_is_well_once_it_is_back() {
    let mut app = open();
    let spent = 4;
    assert_eq!(pass(&app, "203.0.113.7", spent), spent);
    app.redis().kill();
    let seen = Load::new().during(&app, || assert_degraded(&app));
    println!("dead: {seen}");
    assert!(seen.worst <= WORST, "{seen}");
    app.redis().restart().unwrap();
    // The new server has lost the used units.
    assert_well_again(&app, LIMIT);
}

#[test]
fn a_request_that_waits_for_a_frozen_store_is_answered_by_an_app_that_stops() {
    let mut app = Plan::redis()
        .with("RUST_LOG", "info,tower_http=debug")
        .open();
    app.redis().stop().unwrap();
    let answers = thread::scope(|scope| {
        let ask = |server| scope.spawn(move || Visitor::new().get(server, "/films/1"));
        let waiting: Vec<_> = app.servers().iter().map(ask).collect();
        for server in app.servers() {
            server.wait_for_log(&["/films/1", "started processing request"]);
            server.terminate();
        }
        let answers = waiting.into_iter().map(|it| it.join().unwrap());
        answers.collect::<Vec<_>>()
    });
    for answer in answers {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.source(), "miss loaded");
    }
    for server in app.take_servers() {
        assert_eq!(server.end(Duration::from_secs(5)).status.code(), Some(0));
    }
}

/// Returns how many of this many requests of the visitor pass, through all servers in turn.
fn pass(app: &App, address: &str, requests: usize) -> usize {
    let passes = |number: &usize| {
        let server = &app.servers()[number % app.servers().len()];
        let answer = Visitor::forwarded(address).get(server, "/api/films/1");
        assert!(answer.status == 200 || answer.status == 429, "{answer:?}");
        answer.status == 200
    };
    (0..requests).filter(passes).count()
}

/// Checks that every process is alive and takes visitors, and says that its store does not answer.
fn assert_degraded(app: &App) {
    for _ in 0..3 {
        for server in app.servers() {
            let visitor = Visitor::new();
            assert_eq!(visitor.get(server, "/healthz").status, 200);
            let answer = visitor.get(server, "/readyz");
            assert_eq!(answer.status, 200, "{}", answer.body);
            assert!(answer.took <= WORST, "{:?}", answer.took);
            let told = answer.json();
            assert_eq!(told["status"], "degraded");
            assert_eq!(told["parts"][0]["status"], "ok", "the database is well");
            assert_ne!(told["parts"][1]["status"], "ok");
        }
        thread::sleep(Duration::from_millis(300));
    }
}

/// Checks that every process is ready, that a film that one loads is soon a far hit for the next, and
/// that the limit is shared.
fn assert_well_again(app: &App, left: usize) {
    let since = Instant::now();
    let visitor = Visitor::forwarded("203.0.113.200");
    while !app
        .servers()
        .iter()
        .all(|server| visitor.get(server, "/readyz").json()["status"] == "ready")
    {
        assert!(since.elapsed() < WELL_AGAIN, "not ready again");
        thread::sleep(Duration::from_millis(5));
    }
    println!("ready again after {:?}", since.elapsed());

    // A cache does not call a store that has failed for a second, and then tries it again.
    let is_shared = |film: u32| {
        let visitor = Visitor::forwarded(format!("203.0.114.{}", film - 3000));
        let path = format!("/api/films/{film}");
        let loaded = visitor.get(app.first(), &path);
        assert_eq!(loaded.source(), "miss loaded");
        visitor.get(app.last(), &path).source() == "hit far"
    };
    let mut film = 3000;
    while !is_shared(film) {
        assert!(since.elapsed() < SHARED_AGAIN, "films are not shared again");
        film += 1;
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(pass(app, "203.0.113.7", LIMIT * 2), left);
}
