//! Locks, sessions and messages.

use std::time::{Duration, Instant};

use super::two_clients;

#[test]
fn a_lock_that_is_deleted_without_a_comparison_was_that_of_the_next_holder() {
    let (_server, mut first, mut next) = two_clients();
    first.run("SET lock:report first NX PX 20");
    // Its lease ends while it works.
    next.until_expired("lock:report");
    assert_eq!(
        next.text("SET lock:report next NX PX 30000").as_deref(),
        Some("OK")
    );
    assert_eq!(first.int("DEL lock:report"), 1);

    let third = first.text("SET lock:report third NX PX 30000");
    assert_eq!(third.as_deref(), Some("OK"), "two hold it now");
}

#[test]
fn a_session_that_is_one_value_comes_back_after_its_sign_out() {
    let (_server, mut page, mut sign_out) = two_clients();
    page.run("SET session:1 {\"user\":\"ada\"} EX 1800");
    let session = page.text("GET session:1").expect("a session");
    sign_out.run("DEL session:1");
    // The page is slow, and stores at its end what it has read.
    page.run(&format!("SET session:1 {session} EX 1800"));
    let back = sign_out.text("GET session:1");
    assert_eq!(back.as_deref(), Some("{\"user\":\"ada\"}"));
}

#[test]
fn of_two_changes_of_a_session_that_is_one_value_the_first_is_lost() {
    let (_server, mut one, mut other) = two_clients();
    one.run("SET session:1 seats=;theme=light");
    let (_seen, seen_too) = (one.text("GET session:1"), other.text("GET session:1"));
    one.run("SET session:1 seats=F12;theme=light");
    let changed = seen_too.expect("a session").replace("light", "dark");
    other.run(&format!("SET session:1 {changed}"));
    assert_eq!(
        one.text("GET session:1").as_deref(),
        Some("seats=;theme=dark")
    );
}

#[test]
fn a_list_of_devices_in_a_set_keeps_those_whose_session_has_ended() {
    let (_server, mut app, _) = two_clients();
    app.run("SET session:1 ada PX 20");
    app.run("SADD devices:ada session:1");
    app.until_expired("session:1");
    assert_eq!(app.texts("SMEMBERS devices:ada"), ["session:1"]);
}

#[test]
fn a_message_that_nobody_hears_is_gone() {
    let (server, mut publisher, mut subscriber) = two_clients();
    subscriber.run("SUBSCRIBE seats");
    drop(subscriber); // its connection breaks
    let deadline = Instant::now() + Duration::from_secs(10);
    while publisher.int("PUBLISH seats F12-is-sold") > 0 {
        assert!(Instant::now() < deadline, "the server has not noticed");
    }
    let mut back = super::Client::of(&server);
    back.run("SUBSCRIBE seats");
    publisher.run("PUBLISH seats F13-is-sold");
    let heard = back.0.receive().expect("a message");
    let heard = heard.array().expect("a message").last().expect("a payload");
    assert_eq!(
        heard.text().as_deref(),
        Some("F13-is-sold"),
        "F12 was never told"
    );
}
