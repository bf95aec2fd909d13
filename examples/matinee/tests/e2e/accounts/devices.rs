//! Sessions of one user on several devices, at several doors.

use crate::door::Door;
use crate::house::House;
use crate::plan::Plan;
use crate::visitor::{ADA, GRACE, Visitor};

on_both_backends! {
    devices_are_listed_by_name_and_the_one_at_hand_is_marked,
    a_device_that_is_revoked_at_one_door_is_out_at_the_next,
    the_others_are_signed_out_and_this_one_is_not,
    everything_is_signed_out_at_once,
    nobody_revokes_a_device_of_somebody_else,
    signing_out_ends_the_session_for_whoever_has_its_cookie,
    a_cookie_of_before_the_sign_in_is_dead_after_it,
    a_cookie_that_nobody_was_given_is_never_adopted,
}

const FIREFOX: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0";
const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 \
                      (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1";

fn on(agent: &str, door: &Door) -> Visitor {
    let visitor = Visitor::with_a_browser().with("user-agent", agent);
    visitor.sign_in(door, ADA);
    visitor
}

fn is_in(visitor: &Visitor, door: &Door) -> bool {
    let answer = visitor.get(door, "/account");
    assert!(
        answer.status == 200 || answer.header("location").starts_with("/sign-in"),
        "{answer:?}"
    );
    answer.status == 200
}

/// Whether at every door, which have to agree.
fn is_in_everywhere(visitor: &Visitor, house: &House) -> bool {
    let first = is_in(visitor, house.first());
    assert_eq!(first, is_in(visitor, house.last()));
    first
}

/// The handle of the one other device.
fn other_device(visitor: &Visitor, door: &Door) -> String {
    let page = visitor.get(door, "/account").body;
    let (_, rest) = page.split_once("name=\"device\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

fn devices_are_listed_by_name_and_the_one_at_hand_is_marked(plan: Plan) {
    let house = plan.open();
    on(IPHONE, house.first());
    let firefox = on(FIREFOX, house.last());
    let page = firefox.get(house.first(), "/account").body;
    let at = |text: &str| {
        page.find(text)
            .unwrap_or_else(|| panic!("no {text:?} in {page}"))
    };
    assert_eq!(page.matches("class=\"device\"").count(), 2);
    let (mine, mark, phone) = (
        at("Firefox on Windows"),
        at("this one"),
        at("Safari on iPhone"),
    );
    assert!(mine < mark && (phone < mine || mark < phone), "{page}");
    assert_eq!(page.matches("this one").count(), 1);
    assert_eq!(page.matches("seen just now").count(), 2);
    assert!(page.contains("Signed in <time"), "{page}");
    // No page holds what opens a session.
    let cookie = firefox.cookies().header().unwrap();
    let secret = cookie.rsplit('.').next().unwrap();
    assert!(secret.len() >= 22 && !page.contains(secret), "{page}");
}

fn a_device_that_is_revoked_at_one_door_is_out_at_the_next(plan: Plan) {
    let house = plan.open();
    let phone = on(IPHONE, house.first());
    let firefox = on(FIREFOX, house.last());
    assert!(is_in_everywhere(&phone, &house) && is_in_everywhere(&firefox, &house));

    let device = other_device(&firefox, house.last());
    let done = firefox.post(house.first(), "/account/revoke", &[("device", &device)]);
    assert_eq!(
        (done.status.as_u16(), done.header("location")),
        (303, "/account")
    );
    assert!(!is_in(&phone, house.last()) && !is_in(&phone, house.first()));
    // It is said once.
    let said = |page: &str| page.contains("That device is signed out.");
    assert!(said(&firefox.get(house.last(), "/account").body));
    let page = firefox.get(house.first(), "/account").body;
    assert!(
        !said(&page) && page.matches("class=\"device\"").count() == 1,
        "{page}"
    );
}

fn the_others_are_signed_out_and_this_one_is_not(plan: Plan) {
    let house = plan.open();
    let (phone, tablet) = (on(IPHONE, house.first()), on(IPHONE, house.last()));
    let firefox = on(FIREFOX, house.last());
    let done = firefox.post(house.first(), "/account/revoke-others", &[]);
    assert_eq!(done.header("location"), "/account");
    assert!(!is_in_everywhere(&phone, &house) && !is_in_everywhere(&tablet, &house));
    assert!(is_in_everywhere(&firefox, &house));
}

fn everything_is_signed_out_at_once(plan: Plan) {
    let house = plan.open();
    let (phone, firefox) = (on(IPHONE, house.first()), on(FIREFOX, house.last()));
    let grace = Visitor::new();
    grace.sign_in(house.first(), GRACE);
    let done = firefox.post(house.first(), "/account/revoke-all", &[]);
    assert_eq!(done.header("location"), "/sign-in");
    assert_eq!(firefox.cookies().header(), None);
    assert!(!is_in_everywhere(&phone, &house));
    assert!(is_in_everywhere(&grace, &house));
}

fn nobody_revokes_a_device_of_somebody_else(plan: Plan) {
    let house = plan.open();
    let phone = on(IPHONE, house.first());
    let device = other_device(&on(FIREFOX, house.first()), house.first());
    let grace = Visitor::new();
    grace.sign_in(house.first(), GRACE);
    grace.post(house.last(), "/account/revoke", &[("device", &device)]);
    assert!(is_in_everywhere(&phone, &house));
    for device in ["", "x", "../../..", &"A".repeat(22)] {
        let answer = grace.post(house.last(), "/account/revoke", &[("device", device)]);
        assert!(answer.status == 400 || answer.status == 303, "{answer:?}");
    }
    assert!(is_in_everywhere(&grace, &house));
}

fn signing_out_ends_the_session_for_whoever_has_its_cookie(plan: Plan) {
    let house = plan.open();
    let ada = on(FIREFOX, house.first());
    let thief = Visitor::new();
    thief.cookies().copy(ada.cookies());
    assert!(is_in_everywhere(&thief, &house));
    let done = ada.post(house.last(), "/sign-out", &[]);
    assert_eq!(
        (done.status.as_u16(), done.header("location")),
        (303, "/sign-in")
    );
    assert_eq!(ada.cookies().header(), None);
    assert!(!is_in_everywhere(&thief, &house) && !is_in_everywhere(&ada, &house));
    // Twice is no error.
    assert_eq!(ada.post(house.first(), "/sign-out", &[]).status, 303);
}

fn a_cookie_of_before_the_sign_in_is_dead_after_it(plan: Plan) {
    let house = plan.open();
    // Grace plants her own session into Ada's browser, and waits for Ada to sign in on it.
    let grace = Visitor::new();
    grace.sign_in(house.first(), GRACE);
    let victim = Visitor::new();
    victim.cookies().copy(grace.cookies());
    victim.sign_in(house.last(), ADA);
    assert_ne!(victim.cookies().header(), grace.cookies().header());
    assert!(
        victim
            .get(house.first(), "/account")
            .body
            .contains(ADA.email)
    );
    assert!(!is_in_everywhere(&grace, &house));
    // The same where she signs in again as herself.
    let before = Visitor::new();
    before.cookies().copy(victim.cookies());
    victim.sign_in(house.first(), ADA);
    assert!(!is_in_everywhere(&before, &house) && is_in_everywhere(&victim, &house));
}

fn a_cookie_that_nobody_was_given_is_never_adopted(plan: Plan) {
    let house = plan.open();
    let real = on(FIREFOX, house.first()).cookies().header().unwrap();
    let (name, token) = real.split_once('=').unwrap();
    let chosen = format!("{}{}", "A".repeat(22), &token[22..]);
    for value in ["chosen", &chosen, &"A".repeat(5_000)] {
        let visitor = Visitor::new();
        visitor.cookies().set(name, value);
        assert!(!is_in_everywhere(&visitor, &house));
        visitor.sign_in(house.first(), ADA);
        let given = visitor.cookies().header().unwrap();
        assert!(
            !given.contains(value)
                && given[..30] != format!("{name}={value}")[..30.min(name.len() + 1 + value.len())],
            "{given}"
        );
    }
}
