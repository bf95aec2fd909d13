//! Sessions of one user on several devices, at several servers.

use crate::app::App;
use crate::plan::Plan;
use crate::server::Server;
use crate::visitor::{ADA, GRACE, Visitor};

on_both_backends! {
    devices_are_listed_by_name_and_the_one_at_hand_is_marked,
    a_device_that_is_revoked_on_one_server_is_signed_out_on_the_next,
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

fn on(agent: &str, server: &Server) -> Visitor {
    let visitor = Visitor::with_a_browser().with("user-agent", agent);
    visitor.sign_in(server, ADA);
    visitor
}

fn is_in(visitor: &Visitor, server: &Server) -> bool {
    let answer = visitor.get(server, "/account");
    assert!(
        answer.status == 200 || answer.header("location").starts_with("/sign-in"),
        "{answer:?}"
    );
    answer.status == 200
}

/// Returns whether the visitor is signed in; all servers must agree.
fn is_in_everywhere(visitor: &Visitor, app: &App) -> bool {
    let first = is_in(visitor, app.first());
    assert_eq!(first, is_in(visitor, app.last()));
    first
}

/// The handle of the only other device.
fn other_device(visitor: &Visitor, server: &Server) -> String {
    let page = visitor.get(server, "/account").body;
    let (_, rest) = page.split_once("name=\"device\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

fn devices_are_listed_by_name_and_the_one_at_hand_is_marked(plan: Plan) {
    let app = plan.open();
    on(IPHONE, app.first());
    let firefox = on(FIREFOX, app.last());
    let page = firefox.get(app.first(), "/account").body;
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
    // No page contains anything that opens a session.
    let cookie = firefox.cookies().header().unwrap();
    let secret = cookie.rsplit('.').next().unwrap();
    assert!(secret.len() >= 22 && !page.contains(secret), "{page}");
}

fn a_device_that_is_revoked_on_one_server_is_signed_out_on_the_next(plan: Plan) {
    let app = plan.open();
    let phone = on(IPHONE, app.first());
    let firefox = on(FIREFOX, app.last());
    assert!(is_in_everywhere(&phone, &app) && is_in_everywhere(&firefox, &app));

    let device = other_device(&firefox, app.last());
    let done = firefox.post(app.first(), "/account/revoke", &[("device", &device)]);
    assert_eq!(
        (done.status.as_u16(), done.header("location")),
        (303, "/account")
    );
    assert!(!is_in(&phone, app.last()) && !is_in(&phone, app.first()));
    // The message is shown once.
    let said = |page: &str| page.contains("That device has been signed out.");
    assert!(said(&firefox.get(app.last(), "/account").body));
    let page = firefox.get(app.first(), "/account").body;
    assert!(
        !said(&page) && page.matches("class=\"device\"").count() == 1,
        "{page}"
    );
}

fn the_others_are_signed_out_and_this_one_is_not(plan: Plan) {
    let app = plan.open();
    let (phone, tablet) = (on(IPHONE, app.first()), on(IPHONE, app.last()));
    let firefox = on(FIREFOX, app.last());
    let done = firefox.post(app.first(), "/account/revoke-others", &[]);
    assert_eq!(done.header("location"), "/account");
    assert!(!is_in_everywhere(&phone, &app) && !is_in_everywhere(&tablet, &app));
    assert!(is_in_everywhere(&firefox, &app));
}

fn everything_is_signed_out_at_once(plan: Plan) {
    let app = plan.open();
    let (phone, firefox) = (on(IPHONE, app.first()), on(FIREFOX, app.last()));
    let grace = Visitor::new();
    grace.sign_in(app.first(), GRACE);
    let done = firefox.post(app.first(), "/account/revoke-all", &[]);
    assert_eq!(done.header("location"), "/sign-in");
    assert_eq!(firefox.cookies().header(), None);
    assert!(!is_in_everywhere(&phone, &app));
    assert!(is_in_everywhere(&grace, &app));
}

fn nobody_revokes_a_device_of_somebody_else(plan: Plan) {
    let app = plan.open();
    let phone = on(IPHONE, app.first());
    let device = other_device(&on(FIREFOX, app.first()), app.first());
    let grace = Visitor::new();
    grace.sign_in(app.first(), GRACE);
    grace.post(app.last(), "/account/revoke", &[("device", &device)]);
    assert!(is_in_everywhere(&phone, &app));
    for device in ["", "x", "../../..", &"A".repeat(22)] {
        let answer = grace.post(app.last(), "/account/revoke", &[("device", device)]);
        assert!(answer.status == 400 || answer.status == 303, "{answer:?}");
    }
    assert!(is_in_everywhere(&grace, &app));
}

fn signing_out_ends_the_session_for_whoever_has_its_cookie(plan: Plan) {
    let app = plan.open();
    let ada = on(FIREFOX, app.first());
    let thief = Visitor::new();
    thief.cookies().copy(ada.cookies());
    assert!(is_in_everywhere(&thief, &app));
    let done = ada.post(app.last(), "/sign-out", &[]);
    assert_eq!(
        (done.status.as_u16(), done.header("location")),
        (303, "/sign-in")
    );
    assert_eq!(ada.cookies().header(), None);
    assert!(!is_in_everywhere(&thief, &app) && !is_in_everywhere(&ada, &app));
    // A second sign-out is not an error.
    assert_eq!(ada.post(app.first(), "/sign-out", &[]).status, 303);
}

fn a_cookie_of_before_the_sign_in_is_dead_after_it(plan: Plan) {
    let app = plan.open();
    // Grace plants her own session in Ada's browser, and waits for Ada to sign in on it.
    let grace = Visitor::new();
    grace.sign_in(app.first(), GRACE);
    let victim = Visitor::new();
    victim.cookies().copy(grace.cookies());
    victim.sign_in(app.last(), ADA);
    assert_ne!(victim.cookies().header(), grace.cookies().header());
    assert!(victim.get(app.first(), "/account").body.contains(ADA.email));
    assert!(!is_in_everywhere(&grace, &app));
    // The same happens if she signs in again as herself.
    let before = Visitor::new();
    before.cookies().copy(victim.cookies());
    victim.sign_in(app.first(), ADA);
    assert!(!is_in_everywhere(&before, &app) && is_in_everywhere(&victim, &app));
}

fn a_cookie_that_nobody_was_given_is_never_adopted(plan: Plan) {
    let app = plan.open();
    let real = on(FIREFOX, app.first()).cookies().header().unwrap();
    let (name, token) = real.split_once('=').unwrap();
    let chosen = format!("{}{}", "A".repeat(22), &token[22..]);
    for value in ["chosen", &chosen, &"A".repeat(5_000)] {
        let visitor = Visitor::new();
        visitor.cookies().set(name, value);
        assert!(!is_in_everywhere(&visitor, &app));
        visitor.sign_in(app.first(), ADA);
        let given = visitor.cookies().header().unwrap();
        assert!(
            !given.contains(value)
                && given[..30] != format!("{name}={value}")[..30.min(name.len() + 1 + value.len())],
            "{given}"
        );
    }
}
