//! Wrong passwords are limited: those of an address on an account, and four times as many of each alone. Right
//! ones are not.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::app::App;
use crate::plan::Plan;
use crate::visitor::{ADA, Answer, GRACE, Visitor};

on_both_backends! {
    the_sixth_wrong_password_is_refused_by_a_form_that_says_when_to_come_again,
    right_passwords_are_not_counted,
    an_account_is_limited_across_all_addresses,
    an_address_is_limited_across_all_accounts,
    of_many_guesses_at_once_at_most_five_are_checked,
    a_request_that_is_not_a_guess_is_not_counted,
    a_right_password_is_not_counted_where_its_visitor_hangs_up,
}

pub(super) fn five(plan: Plan) -> App {
    plan.with("SIGN_IN_LIMIT", "5/15 minutes")
        .with("TRUSTED_PROXIES", "127.0.0.1")
        .open()
}

/// Tries a password from an address, on one server or the other.
pub(super) fn guess(
    app: &App,
    number: usize,
    address: &str,
    email: &str,
    password: &str,
) -> Answer {
    let server = &app.servers()[number % app.servers().len()];
    let visitor = Visitor::forwarded(address).with("accept", "text/html");
    visitor.try_sign_in(server, email, password)
}

fn the_sixth_wrong_password_is_refused_by_a_form_that_says_when_to_come_again(plan: Plan) {
    let app = five(plan);
    for number in 0..5 {
        let answer = guess(&app, number, "203.0.113.7", ADA.email, "wrong");
        assert_eq!(answer.status, 401, "attempt {number}");
    }
    // The right password is not checked either: the answer would tell it from the wrong ones.
    for (number, password) in [(5, "wrong"), (6, ADA.password)] {
        let answer = guess(&app, number, "203.0.113.7", ADA.email, password);
        assert_eq!(answer.status, 429);
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(answer.header("set-cookie"), "");
        let seconds: u64 = answer.header("retry-after").parse().unwrap();
        assert!((100..=181).contains(&seconds), "{seconds}");
        let form = ["action=\"/sign-in\"", &format!("value=\"{}\"", ADA.email)];
        assert!(
            form.iter().all(|part| answer.body.contains(part)),
            "{}",
            answer.body
        );
        let when = format!("Please try again in {} minutes.", seconds.div_ceil(60));
        assert!(
            answer.body.contains(&when),
            "no {when:?} in {}",
            answer.body
        );
    }
    // A program gets the same as problem details.
    let program = Visitor::forwarded("203.0.113.7").with("accept", "application/json");
    let answer = program.try_sign_in(app.first(), ADA.email, "wrong");
    assert_eq!(
        (answer.status.as_u16(), answer.json()["status"].as_u64()),
        (429, Some(429))
    );
    let detail = answer.json()["detail"].to_string();
    assert!(detail.contains("Please try again in"), "{detail}");
    // The metrics count all of them, although no layer decides.
    let counted = ["allowed", "refused"].map(|outcome| -> u64 {
        let labels = ["policy=\"sign-in-both\"", &format!("outcome=\"{outcome}\"")];
        let metrics = app.servers().iter();
        let metrics = metrics.map(|server| Visitor::new().get(server, "/metrics"));
        metrics
            .map(|it| it.metric("larder_rate_limit_decisions_total", &labels))
            .sum()
    });
    assert_eq!(counted, [5, 3]);
}

fn right_passwords_are_not_counted(plan: Plan) {
    let app = five(plan);
    let ask = |number, password, status| {
        let answer = guess(&app, number, "203.0.113.7", ADA.email, password);
        assert_eq!(answer.status, status, "{number}");
    };
    for number in 0..12 {
        ask(number, ADA.password, 303);
    }
    for number in 0..4 {
        ask(number, "wrong", 401);
    }
    for number in 0..12 {
        ask(number, ADA.password, 303);
    }
    ask(0, "wrong", 401);
    ask(1, ADA.password, 429);
}

fn an_account_is_limited_across_all_addresses(plan: Plan) {
    let app = five(plan);
    for email in [ADA.email, "nobody@matinee.example"] {
        for number in 0..20 {
            let address = format!("203.0.113.{}", number / 4);
            assert_eq!(guess(&app, number, &address, email, "wrong").status, 401);
        }
        // It makes no difference whether the account exists, nor how its address is written.
        let email = email.to_uppercase();
        assert_eq!(guess(&app, 5, "198.51.100.7", &email, "wrong").status, 429);
    }
    // Nobody else is affected.
    assert_eq!(
        guess(&app, 6, "198.51.100.7", GRACE.email, GRACE.password).status,
        303
    );
}

fn an_address_is_limited_across_all_accounts(plan: Plan) {
    let app = five(plan);
    for number in 0..20 {
        let email = format!("visitor-{}@matinee.example", number / 4);
        assert_eq!(
            guess(&app, number, "203.0.113.7", &email, "wrong").status,
            401
        );
    }
    assert_eq!(
        guess(&app, 5, "203.0.113.7", ADA.email, ADA.password).status,
        429
    );
    // The account is not limited from elsewhere.
    assert_eq!(
        guess(&app, 6, "203.0.113.8", ADA.email, ADA.password).status,
        303
    );
}

fn of_many_guesses_at_once_at_most_five_are_checked(plan: Plan) {
    let plan = plan.with("SIGN_IN_LIMIT", "5/15 minutes");
    let app = plan.alone().open();
    let answers = app.crowd(60, |visitor, server, _| {
        visitor
            .try_sign_in(server, ADA.email, "wrong")
            .status
            .as_u16()
    });
    let count = |status| answers.iter().filter(|it| **it == status).count();
    let (looked_at, refused, unsaid) = (count(401), count(429), count(503));
    assert_eq!(looked_at + refused + unsaid, 60, "{answers:?}");
    // It may be fewer than five, because refused attempts hold the other limits for a moment; and if a busy
    // machine makes Redis miss its deadline, nobody may sign in, as intended.
    assert!(
        looked_at <= 5 && (looked_at >= 1 || unsaid > 0),
        "{answers:?}"
    );
}

fn a_request_that_is_not_a_guess_is_not_counted(plan: Plan) {
    let app = five(plan);
    for _ in 0..10 {
        let visitor = Visitor::forwarded("203.0.113.7");
        let half = visitor.post(app.first(), "/sign-in", &[("email", ADA.email)]);
        assert!(
            half.status.is_client_error() && half.status != 429,
            "{half:?}"
        );
        let forged = Visitor::forwarded("203.0.113.7").with("sec-fetch-site", "cross-site");
        assert_eq!(
            forged.try_sign_in(app.first(), ADA.email, "wrong").status,
            403
        );
        // Opening the form is not an attempt.
        assert_eq!(visitor.get(app.first(), "/sign-in").status, 200);
    }
    for number in 0..5 {
        assert_eq!(
            guess(&app, number, "203.0.113.7", ADA.email, "wrong").status,
            401
        );
    }
}

fn a_right_password_is_not_counted_where_its_visitor_hangs_up(plan: Plan) {
    let app = five(plan);
    let form = format!("email={}&password={}", ADA.email, ADA.password);
    let length = form.len();
    let request = format!(
        "POST /sign-in HTTP/1.1\r\nHost: matinee.example\r\nX-Forwarded-For: 192.0.2.1\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{form}"
    );
    for _ in 0..5 {
        let mut stream = TcpStream::connect(app.first().address()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }
    // Attempts in progress take a moment; a counted attempt takes three minutes to expire.
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = guess(&app, 0, "192.0.2.1", ADA.email, ADA.password);
        match answer.status.as_u16() {
            303 => break,
            429 | 503 if Instant::now() < until => {}
            _ => panic!("{answer:?}"),
        }
    }
}
