//! The limit on requests by address.

use crate::app::App;
use crate::plan::Plan;
use crate::visitor::{Answer, Visitor};

on_both_backends! {
    exactly_the_limit_passes_through_all_servers_together,
    a_refusal_says_when_to_come_back_in_the_words_of_its_reader,
    what_operators_ask_for_is_not_limited,
    a_visitor_cannot_claim_another_address,
    behind_a_declared_proxy_the_rightmost_address_counts,
    a_page_that_is_kept_is_not_charged,
}

const LIMIT: usize = 20;
const VISITORS: usize = 80;
const ROUNDS: usize = 5;

fn exactly_the_limit_passes_through_all_servers_together(plan: Plan) {
    let plan = plan.with("RATE_LIMIT", format!("{LIMIT}/hour"));
    let mut app = plan.alone().open();
    for _ in 0..ROUNDS {
        let before = uncounted(&app);
        let answers = app.crowd(VISITORS, |visitor, server, number| {
            visitor.get(server, &format!("/api/films/{}", number % 4 + 1))
        });
        if uncounted(&app) == before {
            return assert_exactly_the_limit_passed(&answers);
        }
        // If a busy machine makes the server miss its deadline, visitors are let in, as intended:
        // such a round says nothing about the limit.
        let forgotten = app.redis().command(&["FLUSHALL"]).unwrap();
        assert_eq!(forgotten.text().as_deref(), Some("OK"));
    }
    panic!("the store missed its deadline in {ROUNDS} rounds");
}

fn assert_exactly_the_limit_passed(answers: &[Answer]) {
    let (passed, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|it| it.status == 200);
    assert_eq!((passed.len(), refused.len()), (LIMIT, VISITORS - LIMIT));
    for answer in passed {
        assert_says_the_limit(answer);
    }
    for answer in refused {
        assert_refused(answer);
    }
}

/// Returns how many were let in because the store did not answer in time.
fn uncounted(app: &App) -> u64 {
    let count = |server| {
        let metrics = Visitor::new().get(server, "/metrics");
        let outcome = "outcome=\"failed_open\"";
        metrics.metric("larder_rate_limit_decisions_total", &[outcome])
    };
    app.servers().iter().map(count).sum()
}

fn a_refusal_says_when_to_come_back_in_the_words_of_its_reader(plan: Plan) {
    let app = plan.with("RATE_LIMIT", "1/hour").open();
    assert_eq!(app.get("/").status, 200);
    for server in app.servers() {
        let page = Visitor::with_a_browser().get(server, "/films/1");
        assert_refused(&page);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert!(page.body.contains("One at a time, please"), "{}", page.body);

        let problem = Visitor::new().get(server, "/api/films/1");
        assert_refused(&problem);
        assert_eq!(problem.header("content-type"), "application/problem+json");
        assert_eq!(problem.json()["status"], 429);
    }
}

fn what_operators_ask_for_is_not_limited(plan: Plan) {
    let app = plan.with("RATE_LIMIT", "1/hour").open();
    let page = app.get("/");
    assert_eq!(page.status, 200);
    assert_eq!(app.get("/films/1").status, 429);
    let stylesheet = page.body.split('"').find(|it| it.ends_with(".css"));
    let stylesheet = stylesheet.unwrap();
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/favicon.ico",
        stylesheet,
    ] {
        for _ in 0..3 {
            let answer = app.get(path);
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(answer.header("ratelimit"), "", "{path}");
        }
    }
}

fn a_page_that_is_kept_is_not_charged(plan: Plan) {
    let app = plan.with("RATE_LIMIT", "1/hour").open();
    assert_says_the_limit(&Visitor::by_name().get(app.first(), "/"));
    for server in app.servers() {
        let kept = Visitor::by_name().get(server, "/");
        assert_eq!((kept.status.as_u16(), kept.header("ratelimit")), (200, ""));
        assert_refused(&Visitor::by_name().get(server, "/films/1"));
    }
}

fn a_visitor_cannot_claim_another_address(plan: Plan) {
    let app = plan.with("RATE_LIMIT", "3/hour").open();
    let ask = |number: usize| {
        let liar = Visitor::forwarded(format!("203.0.113.{number}"))
            .with("x-real-ip", format!("198.51.100.{number}"))
            .with("forwarded", format!("for=192.0.2.{number}"));
        liar.get(&app.servers()[number % app.servers().len()], "/api/films/1")
    };
    let passed = (0..12).filter(|number| ask(*number).status == 200).count();
    assert_eq!(passed, 3);
}

fn behind_a_declared_proxy_the_rightmost_address_counts(plan: Plan) {
    let app = plan
        .with("RATE_LIMIT", "3/hour")
        .with("TRUSTED_PROXIES", "127.0.0.1")
        .open();
    // Entries further left are what the visitor claims.
    let passed = passed(&app, |number| format!("198.51.100.{number}, 203.0.113.7"));
    assert_eq!(passed, 3);
    // Another visitor of the same proxy has a limit of its own.
    let passed = passed_by(&app, "203.0.113.7, 203.0.113.8");
    assert_eq!(passed, 3);
    // One more address of the proxy itself does not evade the limit.
    assert_eq!(passed_by(&app, "203.0.113.8, 127.0.0.1"), 0);
}

fn passed_by(app: &App, addresses: &str) -> usize {
    passed(app, |_| addresses.to_owned())
}

/// Returns how many of twelve requests pass, through all servers in turn.
fn passed(app: &App, addresses: impl Fn(usize) -> String) -> usize {
    let ask = |number: usize| {
        let server = &app.servers()[number % app.servers().len()];
        Visitor::forwarded(addresses(number)).get(server, "/api/films/1")
    };
    (0..12).filter(|it| ask(*it).status == 200).count()
}

fn assert_refused(answer: &Answer) {
    assert_eq!(answer.status, 429);
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=3600).contains(&seconds), "{seconds}");
    assert_says_the_limit(answer);
    assert!(answer.header("ratelimit").contains(";r=0"), "{answer:?}");
}

fn assert_says_the_limit(answer: &Answer) {
    let (policy, limit) = (
        answer.header("ratelimit-policy"),
        answer.header("ratelimit"),
    );
    assert!(policy.starts_with("\"visitors\";q="), "{policy}");
    assert!(policy.ends_with(";w=3600"), "{policy}");
    assert!(limit.starts_with("\"visitors\";r="), "{limit}");
}
