//! Traffic of every kind, round after round, while Redis is cut off, frozen and killed: in the end the
//! processes must use no more than in the beginning.
//!
//! Each round ends with the same calm visits to an empty store, and is measured when all visitors are gone.
//! `SOAK_SECONDS` makes it longer, and `SOAK_REPORT` names a file for the figures: `./scripts/prove soak`
//! sets both.

mod figures;
mod lasting;
mod traffic;

use std::thread;
use std::time::{Duration, Instant};

use self::figures::{Bounds, Figures};
use self::lasting::lasting_keys;
use self::traffic::Traffic;
use crate::app::App;
use crate::plan::Plan;

/// The minimum number of rounds until pools are full. Caches take longer: the long form gives them a third
/// of the time.
const WARM_UP: u32 = 2;
/// Longer than Redis takes to start, and the app to notice.
const WELL_AGAIN: Duration = Duration::from_secs(10);

#[test]
fn whatever_fails_memory_descriptors_tasks_and_keys_end_where_they_began() {
    let seconds = std::env::var("SOAK_SECONDS").ok();
    let time = seconds.map(|text| text.parse().expect("a number of seconds"));
    let time = time.map(Duration::from_secs);
    let mut app = Plan::redis().with("TRUSTED_PROXIES", "127.0.0.1").open();
    let traffic = Traffic::of(&app);
    let start = Instant::now();
    let (warm, end) = (
        start + time.unwrap_or_default() / 3,
        start + time.unwrap_or_default(),
    );
    let mut rounds = 0;
    while rounds < WARM_UP || Instant::now() < warm {
        round(&mut app, &traffic);
        rounds += 1;
    }
    let began = Figures::at_rest(&mut app, None);
    loop {
        round(&mut app, &traffic);
        rounds += 1;
        if Instant::now() >= end {
            break;
        }
    }
    let ended = Figures::at_rest(&mut app, Some(&began));
    let bounds = match time {
        None => Bounds::BRIEF,
        Some(_) => Bounds::LONG,
    };
    let rows = began.compare(&ended, &bounds);
    let seen = traffic.seen();
    println!("{rounds} rounds: {seen}\n{rows}");
    if let Some(report) = std::env::var_os("SOAK_REPORT") {
        let head = format!("rounds\t{rounds}\nrequests\t{}\n", seen.requests);
        std::fs::write(report, head + &rows.to_string()).unwrap();
    }
    assert_eq!((seen.unanswered, seen.unexpected), (0, 0), "{seen}");
    assert!(rows.all_hold(), "{rows}");
    // Each round empties Redis, so that the number of keys alone does not show what would stay.
    assert_eq!(lasting_keys(app.redis()), [""; 0], "keys without a TTL");
}

/// Causes every failure once while visitors come, and then visits an empty store in peace.
fn round(app: &mut App, traffic: &Traffic) {
    traffic.during(app, |redis| {
        let mut admin = redis.connect().unwrap();
        for _ in 0..5 {
            admin.call(&["CLIENT", "KILL", "TYPE", "normal"]).unwrap();
            thread::sleep(Duration::from_millis(60));
        }
        thread::sleep(Duration::from_millis(300));
        redis.stop().unwrap();
        thread::sleep(Duration::from_millis(500));
        redis.cont().unwrap();
        thread::sleep(Duration::from_millis(300));
        // What is left by visits of every kind, before Redis loses it.
        assert_eq!(lasting_keys(redis), [""; 0], "keys without a TTL");
        redis.kill();
        thread::sleep(Duration::from_millis(300));
    });
    app.redis().restart().unwrap();
    let deadline = Instant::now() + WELL_AGAIN;
    while !traffic.is_shared(app) {
        assert!(
            Instant::now() < deadline,
            "the processes share no films again"
        );
        thread::sleep(Duration::from_millis(50));
    }
    // Keys from these checks are not counted.
    app.redis().command(&["FLUSHALL"]).unwrap();
    traffic.calm(app);
}
