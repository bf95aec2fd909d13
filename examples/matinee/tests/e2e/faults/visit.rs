//! The store freezes at each step of a visit in turn.

use std::thread;
use std::time::{Duration, Instant};

use super::WORST;
use crate::app::App;
use crate::plan::Plan;
use crate::seats::a_showing;
use crate::visitor::{ADMIN, Answer, Visitor};

/// More time than the app needs to recover, and than it promises for an edit whose message is lost: ten seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// A form, and where it leads once it is accepted.
type Step = (String, Vec<(&'static str, String)>, &'static str);

#[test]
fn each_step_of_a_visit_says_503_while_redis_is_frozen_and_is_done_once_after_that() {
    let mut app = Plan::redis().alone().open();
    let visitor = Visitor::with_a_browser();
    let showing = a_showing(&app);
    let film = app.get("/api/films").json()["films"][0]["film"]["id"].to_string();
    for (path, form, to) in steps(&showing, &film) {
        let form: Vec<_> = form.iter().map(|(name, it)| (*name, it.as_str())).collect();
        app.redis().stop().unwrap();
        for server in app.servers() {
            let answer = visitor.post(server, &path, &form);
            assert_eq!(answer.status, 503, "{path}: {}", answer.body);
            assert!(answer.took <= WORST, "{path}: {:?}", answer.took);
            // Signed-in visitors stay signed in.
            assert_eq!(answer.header("set-cookie"), "", "{path}");
            for page in pages(&film) {
                let page = visitor.get(server, &page);
                assert_eq!(page.status, 200);
                assert!(page.took <= WORST, "{:?}", page.took);
                assert_eq!(
                    is_edited(&page),
                    path == "/sign-out",
                    "it is the step before"
                );
            }
        }
        app.redis().cont().unwrap();
        let answer = once_well(&app, || visitor.post(app.last(), &path, &form));
        assert_eq!(answer.status, 303, "{path}: {}", answer.body);
        let location = answer.header("location");
        assert!(location.contains(to), "{path}: {location}");
        if path.starts_with("/admin/") {
            until_all_show_the_edit(&app, &film);
        }
    }
    let film = app.get(&format!("/api/films/{film}")).json();
    assert_eq!(film["film"]["title"], "Walkies");
    assert_eq!(visitor.get(app.first(), "/tickets").status, 303);
    visitor.sign_in(app.first(), ADMIN);
    let tickets = visitor.get(app.first(), "/tickets").body;
    assert_eq!(tickets.matches("class=\"stub\"").count(), 1);
}

fn steps(showing: &str, film: &str) -> [Step; 6] {
    let step = |path: &str, form: &[(&'static str, &str)], to| {
        let form = form
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        (path.to_owned(), form.collect(), to)
    };
    let sign_in = [("email", ADMIN.email), ("password", ADMIN.password)];
    let seat = [("seat", "B2")];
    let edit = [("revision", "0"), ("title", "Walkies")];
    [
        step("/sign-in", &sign_in, "/account"),
        step(&format!("{showing}/hold"), &seat, "#yours"),
        step(&format!("{showing}/book"), &seat, "/tickets"),
        step("/account/revoke-others", &[], "/account"),
        step(&format!("/admin/films/{film}"), &edit, "/admin/films/"),
        step("/sign-out", &[], "/"),
    ]
}

fn pages(film: &str) -> [String; 2] {
    ["/".to_owned(), format!("/films/{film}")]
}

fn is_edited(page: &Answer) -> bool {
    page.body.contains("Walkies")
}

/// Waits until every server shows the edit.
///
/// A server that was still connecting again missed the message. It shows what it has for five seconds, and a page that
/// it makes from that at the end is kept for five more.
fn until_all_show_the_edit(app: &App, film: &str) {
    let since = Instant::now();
    let shows = |server| {
        let mut pages = pages(film).into_iter();
        pages.all(|page| is_edited(&Visitor::new().get(server, &page)))
    };
    while !app.servers().iter().all(shows) {
        assert!(since.elapsed() < PATIENCE, "a page from before the edit");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Returns the first answer other than 503.
fn once_well(app: &App, ask: impl Fn() -> Answer) -> Answer {
    let since = Instant::now();
    loop {
        let is_ready = |server| Visitor::new().get(server, "/readyz").json()["status"] == "ready";
        let answer = app.servers().iter().all(is_ready).then(&ask);
        match answer {
            Some(answer) if answer.status != 503 => return answer,
            _ => assert!(since.elapsed() < PATIENCE, "it is not well again"),
        }
        thread::sleep(Duration::from_millis(5));
    }
}
