use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::time::Instant;

use super::*;

type Flights = SingleFlight<String, u32>;

fn flights() -> Arc<Flights> {
    SingleFlight::new(100)
}

fn join(flights: &Arc<Flights>, key: &str) -> Joined<String, u32, ()> {
    flights.join(key, || None)
}

fn lead(flights: &Arc<Flights>, key: &str) -> Leader<String, u32> {
    match join(flights, key) {
        Joined::Leader(leader) => leader,
        _ => panic!("'{key}' has a leader already"),
    }
}

fn follow(flights: &Arc<Flights>, key: &str) -> Follower<u32> {
    match join(flights, key) {
        Joined::Follower(follower) => follower,
        _ => panic!("'{key}' has no leader"),
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

#[tokio::test(start_paused = true)]
async fn all_followers_get_the_outcome() {
    let flights = flights();
    let leader = lead(&flights, "a");
    let (one, two) = (follow(&flights, "a"), follow(&flights, "a"));
    let other = lead(&flights, "b");
    assert_eq!(flights.in_flight(), 2);
    leader.complete(7);
    assert_eq!(one.outcome(soon()).await, Ok(7));
    assert_eq!(two.outcome(soon()).await, Ok(7));
    drop(other);
    assert_eq!(flights.in_flight(), 0);
    drop(lead(&flights, "a"));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_dropped_strands_nobody() {
    let flights = flights();
    let leader = lead(&flights, "a");
    let one = follow(&flights, "a");
    drop(leader);
    assert_eq!(one.outcome(soon()).await, Err(Failure::Abandoned));
    drop(lead(&flights, "a"));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_panics_says_so() {
    let flights = flights();
    let leader = lead(&flights, "a");
    let one = follow(&flights, "a");
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _leader = leader;
        panic!("the work failed");
    }));
    assert!(panicked.is_err());
    assert_eq!(one.outcome(soon()).await, Err(Failure::Panicked));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_stalls_is_replaced_and_its_end_harms_no_successor() {
    let flights = flights();
    let stalled = lead(&flights, "a");
    let one = follow(&flights, "a");
    assert_eq!(one.outcome(soon()).await, Err(Failure::TimedOut));
    flights.abandon("a", &one);
    let next = lead(&flights, "a");
    assert_eq!(stalled.if_current(|| "kept"), None);
    drop(stalled);
    let two = follow(&flights, "a");
    next.complete(8);
    assert_eq!(two.outcome(soon()).await, Ok(8));
}

#[tokio::test(start_paused = true)]
async fn an_outcome_from_elsewhere_releases_the_followers_of_whoever_leads() {
    let flights = flights();
    let slow = lead(&flights, "a");
    flights.abandon("a", &slow.follow());
    let next = lead(&flights, "a");
    let one = follow(&flights, "a");
    flights.complete("a", 7);
    slow.complete(7);
    assert_eq!(one.outcome(soon()).await, Ok(7));
    assert_eq!(next.if_current(|| "kept"), None);
    let later = lead(&flights, "a");
    next.complete(8);
    let two = follow(&flights, "a");
    later.complete(9);
    assert_eq!(two.outcome(soon()).await, Ok(9));
    assert_eq!(flights.in_flight(), 0);
    flights.complete("a", 10);
}

#[test]
fn a_leader_whose_flight_was_completed_from_elsewhere_keeps_nothing_that_is_invalidated_next() {
    let flights = flights();
    for _ in 0..500 {
        let leader = lead(&flights, "a");
        std::thread::scope(|scope| {
            scope.spawn(|| flights.complete("a", 7));
            while flights.is_in_flight("a") {
                std::thread::yield_now();
            }
            flights.invalidate("a");
            assert_eq!(leader.if_current(|| "kept"), None);
        });
    }
}

#[test]
fn when_all_flights_are_invalidated_each_is_joined_by_nobody_and_keeps_nothing() {
    let flights = flights();
    let keys: Vec<_> = (0..50).map(|key| key.to_string()).collect();
    let leaders: Vec<_> = keys.iter().map(|key| lead(&flights, key)).collect();
    flights.invalidate_all();
    for (key, old) in keys.iter().zip(leaders) {
        assert_eq!(old.if_current(|| "kept"), None);
        assert_eq!(lead(&flights, key).if_current(|| "kept"), Some("kept"));
    }
    assert_eq!(flights.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_invalidated_flight_is_joined_by_nobody_and_keeps_nothing() {
    let flights = flights();
    let (old, neighbour) = (lead(&flights, "a"), lead(&flights, "b"));
    assert_eq!(old.if_current(|| "kept"), Some("kept"));
    let waiting = follow(&flights, "a");
    flights.invalidate("a");
    assert_eq!(old.if_current(|| "kept"), None);
    assert!(!neighbour.is_invalidated());
    let new = lead(&flights, "a");
    old.complete(1);
    assert_eq!(
        waiting.outcome(soon()).await,
        Ok(1),
        "it asked before the change"
    );
    let later = follow(&flights, "a");
    new.complete(2);
    assert_eq!(later.outcome(soon()).await, Ok(2));
}

#[test]
fn a_flight_that_began_before_a_replacement_keeps_nothing_and_a_later_one_waits_for_it() {
    let flights = flights();
    let old = lead(&flights, "a");
    std::thread::scope(|scope| {
        flights.replace("a".to_owned(), |_| {
            let later = scope.spawn(|| lead(&flights, "a").if_current(|| "kept"));
            let since = std::time::Instant::now();
            while since.elapsed().as_millis() < 20 {
                assert!(!later.is_finished(), "it keeps before the replacement does");
                std::thread::yield_now();
            }
        });
    });
    assert_eq!(old.if_current(|| "kept"), None);
}

#[test]
fn no_more_flights_than_permitted_are_under_way() {
    let flights = SingleFlight::new(2);
    let leaders = [lead(&flights, "a"), lead(&flights, "b")];
    assert!(matches!(join(&flights, "c"), Joined::Full));
    assert!(matches!(join(&flights, "a"), Joined::Follower(_)));
    drop(leaders);
    drop(lead(&flights, "c"));
}

#[test]
fn a_caller_that_finds_the_outcome_at_the_second_look_neither_leads_nor_follows() {
    let flights = flights();
    assert!(matches!(flights.join("a", || Some(7)), Joined::Hit(7)));
    assert_eq!(flights.in_flight(), 0);
}

#[test]
fn a_gauge_shows_the_flights_that_are_under_way() {
    let bits = Arc::new(AtomicU64::new(0));
    let shown = || f64::from_bits(bits.load(Ordering::SeqCst));
    let flights = SingleFlight::with_gauge(2, Gauge::from_arc(bits.clone()));
    let leaders = [lead(&flights, "a"), lead(&flights, "b")];
    assert!(matches!(join(&flights, "c"), Joined::Full));
    assert_eq!(shown(), 2.0);
    drop(leaders);
    assert_eq!(shown(), 0.0);
}
