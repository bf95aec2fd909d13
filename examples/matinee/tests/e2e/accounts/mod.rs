//! Signing in and out, and the protection of other people's accounts.

mod attempts;
mod bans;
mod devices;
mod endings;
mod failing;
mod forged;
mod production;
mod secrets;

use crate::plan::Plan;
use crate::visitor::{ADA, ADMIN, GRACE, Visitor};

on_both_backends! {
    the_demo_accounts_of_a_development_environment_sign_in,
    a_wrong_password_and_an_unknown_account_get_the_same_answer,
    an_email_has_one_form_and_a_password_has_every,
    whoever_is_not_signed_in_is_sent_to_the_form_and_back,
    no_form_leads_to_another_site,
    a_personal_page_is_stored_by_no_cache,
}

fn the_demo_accounts_of_a_development_environment_sign_in(plan: Plan) {
    let app = plan.open();
    let form = app.get("/sign-in");
    assert_eq!(
        (form.status.as_u16(), form.header("vary").contains("cookie")),
        (200, false)
    );
    for account in [ADA, GRACE, ADMIN] {
        assert!(form.body.contains(account.email) && form.body.contains(account.password));
        let visitor = Visitor::new();
        let answer = visitor.sign_in(app.first(), account);
        assert_eq!(answer.header("location"), "/account");
        let cookie = answer.header("set-cookie");
        assert!(cookie.starts_with("matinee-session="), "{cookie}");
        assert!(
            cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax"),
            "{cookie}"
        );
        assert!(
            visitor
                .get(app.last(), "/account")
                .body
                .contains(account.email)
        );
    }
}

fn a_wrong_password_and_an_unknown_account_get_the_same_answer(plan: Plan) {
    let app = plan.open();
    let told = |email| {
        let answer = Visitor::new().try_sign_in(app.first(), email, "popcorn");
        assert_eq!(answer.status, 401);
        assert_eq!(answer.header("set-cookie"), "");
        assert!(answer.header("www-authenticate").starts_with("Cookie "));
        answer.body.replace(&format!("value=\"{email}\""), "")
    };
    assert_eq!(told(ADA.email), told("nobody@matinee.example"));
}

fn an_email_has_one_form_and_a_password_has_every(plan: Plan) {
    let app = plan.open();
    let status = |email: &str, password: &str| {
        let answer = Visitor::new().try_sign_in(app.first(), email, password);
        answer.status.as_u16()
    };
    assert_eq!(status(" ADA@Matinee.Example\t", ADA.password), 303);
    for password in [
        "",
        " front-row-centre",
        "Front-row-centre",
        "front-row-centre\0",
    ] {
        assert_eq!(status(ADA.email, password), 401, "{password:?}");
    }
    let long = "x".repeat(20_000);
    assert_eq!(status(&long, &long), 401);
    assert_eq!(status("' OR 1=1 --", ADA.password), 401);
}

fn whoever_is_not_signed_in_is_sent_to_the_form_and_back(plan: Plan) {
    let app = plan.open();
    let visitor = Visitor::new();
    let sent = visitor.get(app.first(), "/account?tab=devices&x=%20y");
    let form = sent.header("location").to_owned();
    assert_eq!(
        (sent.status.as_u16(), &*form),
        (303, "/sign-in?next=%2Faccount%3Ftab%3Ddevices%26x%3D%2520y")
    );
    let form = visitor.get(app.last(), &form);
    let next = "/account?tab=devices&#38;x=%20y";
    assert!(
        form.body
            .contains(&format!("name=\"next\" value=\"{next}\"")),
        "{}",
        form.body
    );

    let fields = [
        ("email", ADA.email),
        ("password", ADA.password),
        ("next", "/account?tab=devices&x=%20y"),
    ];
    let back = visitor.post(app.last(), "/sign-in", &fields);
    assert_eq!(back.header("location"), "/account?tab=devices&x=%20y");
    // A form is not sent twice: visitors are only led back to pages that they read.
    let sent = Visitor::new().post(app.first(), "/account/revoke-all", &[]);
    assert_eq!(
        (sent.status.as_u16(), sent.header("location")),
        (303, "/sign-in?next=%2Faccount")
    );
}

fn no_form_leads_to_another_site(plan: Plan) {
    let app = plan.open();
    for next in [
        "//evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "/\t/evil.example",
        "/\r\n/evil.example",
        "/.//evil.example",
        "https:",
        "https:evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/sign-out",
    ] {
        let fields = [
            ("email", ADA.email),
            ("password", ADA.password),
            ("next", next),
        ];
        let answer = Visitor::new().post(app.first(), "/sign-in", &fields);
        assert_eq!(
            (answer.status.as_u16(), answer.header("location")),
            (303, "/account"),
            "{next:?}"
        );
    }
    let form = app.get("/sign-in?next=%2F%2Fevil.example");
    assert!(!form.body.contains("evil"), "{}", form.body);
}

fn a_personal_page_is_stored_by_no_cache(plan: Plan) {
    let app = plan.open();
    let ada = Visitor::new();
    let signed_in = ada.sign_in(app.first(), ADA);
    let account = ada.get(app.first(), "/account");
    let wrong = Visitor::new().try_sign_in(app.first(), ADA.email, "wrong");
    let out = ada.post(app.first(), "/sign-out", &[]);
    for answer in [signed_in, account, wrong, out] {
        assert!(
            answer.header("cache-control").contains("no-store"),
            "{answer:?}"
        );
    }
}
