//! An app in production.

use crate::plan::Plan;
use crate::visitor::{ADA, ADMIN, GRACE, Visitor};

on_both_backends! {
    nobody_signs_in_with_what_stands_in_the_documentation,
    the_administrator_in_the_settings_can_sign_in,
    nobody_but_the_account_in_the_settings_stays_an_administrators,
    an_account_that_was_disabled_is_enabled_as_that_of_the_administrator,
    cookies_are_bound_to_the_host_and_to_https,
}

const EMAIL: &str = "boss@cinema.example";
const OTHER: &str = "other@cinema.example";
const FIRST: &str = "correct horse battery";
const SECOND: &str = "another staple of it";

fn production(plan: Plan) -> Plan {
    plan.with_a_new_database()
        .with("APP_ENV", "production")
        .with("PUBLIC_URL", "https://tickets.example")
}

/// Names the administrator's account in the settings.
fn with_boss(plan: Plan) -> Plan {
    plan.with("ADMIN_EMAIL", EMAIL)
        .with("ADMIN_PASSWORD", FIRST)
}

/// A visitor who uses the app's name, as everybody does.
fn visitor() -> Visitor {
    Visitor::new().with("host", "tickets.example")
}

fn nobody_signs_in_with_what_stands_in_the_documentation(plan: Plan) {
    // The database has demo accounts, from its time in development.
    let mut app = plan.open();
    Visitor::new().sign_in(app.first(), ADMIN);
    app.reopen_with("APP_ENV", "production");
    let form = app.get("/sign-in").body;
    for account in [ADA, GRACE, ADMIN] {
        assert!(!form.contains(account.email) && !form.contains(account.password));
        let visitor = Visitor::new();
        let answer = visitor.try_sign_in(app.last(), account.email, account.password);
        assert_eq!(answer.status, 401);
        assert_eq!(visitor.cookies().header(), None);
    }
}

#[test]
fn demo_accounts_that_other_machines_reach_are_warned_of() {
    for (listen, is_warned) in [("0.0.0.0:0", true), ("127.0.0.1:0", false)] {
        let app = Plan::memory().with("LISTEN", listen).open();
        let warned = ["WARN", "demo accounts", "set APP_ENV=production"];
        assert_eq!(app.first().has_logged(&warned), is_warned, "{listen}");
    }
}

fn the_administrator_in_the_settings_can_sign_in(plan: Plan) {
    let mut app = with_boss(production(plan)).open();
    let boss = visitor();
    assert_eq!(boss.try_sign_in(app.first(), EMAIL, FIRST).status, 303);
    let page = boss.get(app.last(), "/account");
    assert!(
        page.body.contains("You manage this cinema"),
        "{}",
        page.body
    );

    // A start with the same password changes nothing if sessions outlive the process.
    let shares_a_store = app.shares_a_store();
    app.reopen_with("ADMIN_PASSWORD", FIRST);
    assert_eq!(
        boss.get(app.first(), "/account").status == 200,
        shares_a_store
    );
    // With a new password, anybody who knew the old one is signed out.
    app.reopen_with("ADMIN_PASSWORD", SECOND);
    assert_eq!(boss.get(app.first(), "/account").status, 303);
    assert_eq!(boss.try_sign_in(app.first(), EMAIL, FIRST).status, 401);
    assert_eq!(boss.try_sign_in(app.first(), EMAIL, SECOND).status, 303);
}

fn nobody_but_the_account_in_the_settings_stays_an_administrators(plan: Plan) {
    let mut app = with_boss(plan.with_a_new_database()).open();
    let boss = Visitor::new();
    assert_eq!(boss.try_sign_in(app.first(), EMAIL, FIRST).status, 303);
    assert_eq!(boss.get(app.first(), "/admin").status, 200);
    // With another email, the next start would add a second account for the administrator.
    boss.post(app.first(), "/account/email", &[("email", OTHER)]);
    let page = boss.get(app.first(), "/account").body;
    assert!(
        page.contains("ADMIN_EMAIL") && page.contains(EMAIL),
        "{page}"
    );

    app.reopen_with("ADMIN_EMAIL", OTHER);
    assert_eq!(boss.get(app.last(), "/account").status, 303);
    let other = Visitor::new();
    assert_eq!(other.try_sign_in(app.first(), OTHER, FIRST).status, 303);
    assert_eq!(other.get(app.first(), "/admin").status, 200);
    assert_eq!(boss.try_sign_in(app.first(), EMAIL, FIRST).status, 303);
    assert_eq!(boss.get(app.first(), "/admin").status, 403);
}

fn an_account_that_was_disabled_is_enabled_as_that_of_the_administrator(plan: Plan) {
    let mut app = with_boss(plan.with_a_new_database()).open();
    let boss = Visitor::new();
    assert_eq!(boss.try_sign_in(app.first(), EMAIL, FIRST).status, 303);
    let page = boss.get(app.first(), "/admin/accounts").body;
    let (before, _) = page.split_once("Disable the account of Grace").unwrap();
    let (_, path) = before.rsplit_once("action=\"").unwrap();
    let path = path.split('"').next().unwrap();
    let disabled = boss.post(app.first(), path, &[("disabled", "yes")]);
    assert_eq!(disabled.status, 303);

    app.reopen_with("ADMIN_EMAIL", GRACE.email);
    let grace = Visitor::new();
    let answer = grace.try_sign_in(app.last(), GRACE.email, FIRST);
    assert_eq!(answer.status, 303, "{}", answer.body);
    assert_eq!(grace.get(app.first(), "/admin").status, 200);
}

fn cookies_are_bound_to_the_host_and_to_https(plan: Plan) {
    let app = with_boss(production(plan)).open();
    let boss = visitor();
    let answer = boss.try_sign_in(app.first(), EMAIL, FIRST);
    let out = boss.post(app.first(), "/sign-out", &[]);
    for cookie in [answer.header("set-cookie"), out.header("set-cookie")] {
        assert!(cookie.starts_with("__Host-session="), "{cookie}");
        for attribute in ["; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
}
