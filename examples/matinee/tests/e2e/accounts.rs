//! Signing in and out.

use crate::plan::Plan;
use crate::visitor::{ADA, ADMIN, GRACE, Visitor};

on_both_backends! {
    the_demo_accounts_of_a_development_environment_sign_in,
    a_wrong_password_and_an_unknown_account_are_told_the_same,
}

fn the_demo_accounts_of_a_development_environment_sign_in(plan: Plan) {
    let house = plan.open();
    let form = house.get("/sign-in");
    assert_eq!(form.status, 200);
    for account in [ADA, GRACE, ADMIN] {
        assert!(form.body.contains(account.email) && form.body.contains(account.password));
        let visitor = Visitor::new();
        let answer = visitor.sign_in(house.first(), account);
        assert_eq!(answer.header("location"), "/account");
        let cookie = answer.header("set-cookie");
        assert!(
            cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax"),
            "{cookie}"
        );
        assert_eq!(
            visitor.cookies().header().unwrap().split('=').next(),
            Some("matinee-session")
        );
    }
}

fn a_wrong_password_and_an_unknown_account_are_told_the_same(plan: Plan) {
    let house = plan.open();
    let told = |email| {
        let answer = Visitor::new().try_sign_in(house.first(), email, "popcorn");
        assert_eq!(answer.status, 401);
        assert_eq!(answer.header("set-cookie"), "");
        answer.body.replace(&format!("value=\"{email}\""), "")
    };
    assert_eq!(told(ADA.email), told("nobody@matinee.example"));
}
