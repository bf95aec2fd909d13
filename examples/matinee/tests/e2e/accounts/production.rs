//! An app in production.

use crate::plan::Plan;
use crate::visitor::{ADA, ADMIN, GRACE, Visitor};

on_both_backends! {
    nobody_signs_in_with_what_stands_in_the_documentation,
    the_administrator_in_the_settings_can_sign_in,
    cookies_are_bound_to_the_host_and_to_https,
}

const EMAIL: &str = "boss@cinema.example";
const FIRST: &str = "correct horse battery";
const SECOND: &str = "another staple of it";

fn production(plan: Plan) -> Plan {
    plan.with_a_new_database()
        .with("APP_ENV", "production")
        .with("PUBLIC_URL", "https://tickets.example")
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

fn the_administrator_in_the_settings_can_sign_in(plan: Plan) {
    let plan = production(plan)
        .with("ADMIN_EMAIL", EMAIL)
        .with("ADMIN_PASSWORD", FIRST);
    let mut app = plan.open();
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

fn cookies_are_bound_to_the_host_and_to_https(plan: Plan) {
    let plan = production(plan)
        .with("ADMIN_EMAIL", EMAIL)
        .with("ADMIN_PASSWORD", FIRST);
    let app = plan.open();
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
