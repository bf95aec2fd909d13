//! An address that keeps guessing is banned for a while, and the support desk helps visitors who
//! are locked out.

use std::thread;
use std::time::{Duration, Instant};

use super::attempts::{five, guess};
use crate::app::App;
use crate::plan::Plan;
use crate::visitor::{ADA, ADMIN, Account, Answer, GRACE, Visitor};

on_both_backends! {
    whoever_guesses_on_is_banned_and_told_until_when_and_nobody_else_is,
    an_attempt_that_one_limit_refuses_is_charged_to_none,
    an_address_that_tries_account_after_account_is_banned_from_all,
    a_ban_ends_by_itself,
    an_administrator_ends_a_ban_and_forgets_wrong_passwords,
}

const HERE: &str = "203.0.113.7";
const ELSEWHERE: &str = "198.51.100.9";

/// Five wrong passwords are checked, ten more are refused, and then the ban begins.
fn guess_on(app: &App, email: &str) -> Answer {
    let refused: Vec<_> = (0..15)
        .map(|number| guess(app, number, HERE, email, "wrong").status.as_u16())
        .collect();
    assert_eq!(refused, [[401; 5], [429; 5], [429; 5]].concat());
    guess(app, 15, HERE, email, "wrong")
}

fn is_let_in(app: &App, number: usize, from: &str, account: Account) -> bool {
    let answer = guess(app, number, from, account.email, account.password);
    assert!([303, 429].contains(&answer.status.as_u16()), "{answer:?}");
    answer.status == 303
}

fn whoever_guesses_on_is_banned_and_told_until_when_and_nobody_else_is(plan: Plan) {
    let app = five(plan);
    for email in [ADA.email, "nobody@matinee.example"] {
        let banned = guess_on(&app, email);
        assert_eq!(banned.status, 429);
        let wait: u64 = banned.header("retry-after").parse().unwrap();
        assert!((3_590..=3_601).contains(&wait), "{wait}");
        let told = "nobody can sign in to this account from here until ";
        for part in [
            told,
            " UTC. Please try again in 60 minutes",
            "your address, 203.0.113.7.",
        ] {
            assert!(banned.body.contains(part), "no {part:?} in {}", banned.body);
        }
    }
    assert!(
        !is_let_in(&app, 0, HERE, ADA),
        "the right password is not looked at"
    );
    // Her neighbour signs in, and so does she from elsewhere.
    assert!(is_let_in(&app, 1, HERE, GRACE) && is_let_in(&app, 0, ELSEWHERE, ADA));
    let count = |outcome: &str| -> u64 {
        let each = app.servers().iter();
        each.map(|server| {
            let metrics = Visitor::new().get(server, "/metrics");
            metrics.metric(
                "matinee_sign_ins_total",
                &[&format!("outcome=\"{outcome}\"")],
            )
        })
        .sum()
    };
    let counts = ["wrong", "refused", "banned", "ok"].map(count);
    assert!(
        counts[0] == 10 && counts[1] + counts[2] == 23 && counts[2] >= 3 && counts[3] == 2,
        "{counts:?}"
    );
}

fn an_attempt_that_one_limit_refuses_is_charged_to_none(plan: Plan) {
    let app = five(plan);
    guess_on(&app, ADA.email);
    // Of the twenty that the account may have from everywhere, and the address on all accounts,
    // five are used.
    let looked_at = |number: usize, from: &str, email: &str| {
        let answer = guess(&app, number, from, email, "wrong");
        answer.status == 401
    };
    for number in 0..15 {
        let from = format!("198.51.100.{}", number / 4);
        assert!(looked_at(number, &from, ADA.email), "{number}");
        let other = format!("visitor-{}@matinee.example", number / 4);
        assert!(looked_at(number, HERE, &other), "{number}");
    }
    assert!(!looked_at(0, "198.51.100.77", ADA.email) && !looked_at(1, HERE, GRACE.email));
}

fn an_address_that_tries_account_after_account_is_banned_from_all(plan: Plan) {
    let app = five(plan);
    let try_another = |number: usize| {
        let email = format!("visitor-{number}@matinee.example");
        guess(&app, number, HERE, &email, "wrong")
    };
    for number in 0..30 {
        let expected = if number < 20 { 401 } else { 429 };
        assert_eq!(try_another(number).status, expected, "{number}");
    }
    let banned = try_another(30).body;
    assert!(
        banned.contains("sign in to any account from here until "),
        "{banned}"
    );
    assert!(!is_let_in(&app, 0, HERE, GRACE) && is_let_in(&app, 1, ELSEWHERE, GRACE));
}

fn a_ban_ends_by_itself(plan: Plan) {
    // The used attempts would come back within the ban.
    let limit = plan
        .with("SIGN_IN_BAN", "1s")
        .with("TRUSTED_PROXIES", "127.0.0.1");
    let app = limit.with("SIGN_IN_LIMIT", "1/second").open();
    let since = Instant::now();
    while guess(&app, 0, HERE, ADA.email, "wrong")
        .header("retry-after")
        .is_empty()
        || !guess(&app, 0, HERE, ADA.email, "wrong")
            .body
            .contains("until ")
    {
        assert!(
            since.elapsed() < Duration::from_secs(20),
            "nobody is banned"
        );
    }
    let banned = Instant::now();
    while !is_let_in(&app, 1, HERE, ADA) {
        assert!(
            banned.elapsed() < Duration::from_secs(10),
            "the ban does not end"
        );
        thread::sleep(Duration::from_millis(50));
    }
}

fn an_administrator_ends_a_ban_and_forgets_wrong_passwords(plan: Plan) {
    let app = five(plan);
    let (admin, grace) = (Visitor::with_a_browser(), Visitor::with_a_browser());
    admin.sign_in(app.first(), ADMIN);
    grace.sign_in(app.first(), GRACE);
    let page = admin.get(app.first(), "/admin/accounts").body;
    let (before, _) = page.split_once("\">Ada</a>").unwrap();
    let account = before.rsplit_once("href=\"").unwrap().1;
    let page = format!("{account}?address={HERE}");
    guess_on(&app, ADA.email);

    let told = admin.get(app.last(), &page).body;
    for part in ["Banned until ", "15 more may be tried now"] {
        assert!(told.contains(part), "no {part:?} in {told}");
    }
    let help = |who: &Visitor, what: &str, address: &str| {
        let form = [("help", what), ("address", address)];
        let answer = who.post(app.first(), &format!("{account}/sign-ins"), &form);
        (answer.status.as_u16(), answer.header("location").to_owned())
    };
    assert_eq!(help(&grace, "reset", HERE).0, 403);
    assert_eq!(
        (
            help(&admin, "reset", "here").0,
            help(&admin, "bless", HERE).0
        ),
        (400, 400)
    );
    assert!(!is_let_in(&app, 0, HERE, ADA));

    // The ban ends, and the attempts stay used.
    assert_eq!(help(&admin, "forgive", HERE), (303, page.clone()));
    let told = admin.get(app.first(), &page).body;
    for part in ["The ban is over.", "Used up; the next may be tried in "] {
        assert!(told.contains(part), "no {part:?} in {told}");
    }
    assert!(!is_let_in(&app, 1, HERE, ADA));

    assert_eq!(help(&admin, "reset", HERE), (303, page.clone()));
    let told = admin.get(app.last(), &page).body;
    for part in [
        "The wrong passwords are forgotten",
        "5 more may be tried now",
        "20 more may be tried now",
    ] {
        assert!(told.contains(part), "no {part:?} in {told}");
    }
    assert!(is_let_in(&app, 0, HERE, ADA));
    assert_eq!(admin.get(app.first(), "/admin/accounts/99999").status, 404);
}
