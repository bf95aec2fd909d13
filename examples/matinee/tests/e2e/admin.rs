//! Administrators edit films.

use std::thread;
use std::time::{Duration, Instant};

use crate::app::App;
use crate::plan::Plan;
use crate::server::Server;
use crate::visitor::{ADA, ADMIN, Answer, Visitor};

on_both_backends! {
    an_edit_is_seen_at_once_here_and_soon_everywhere,
    nobody_but_an_admin_may_edit,
    a_form_that_is_wrong_changes_nothing_and_says_why,
}

/// The app promises ten seconds if a message is lost, and here none is.
const SOON: Duration = Duration::from_secs(6);

/// Sends the form of a film with a different title; `revision` is that of the film, or an older
/// one.
fn edit(who: &Visitor, server: &Server, film: u64, revision: u64, title: &str) -> Answer {
    let revision = revision.to_string();
    let form = [
        ("revision", &*revision),
        ("title", title),
        ("overview", "A dog.\r\nA ball."),
    ];
    who.post(server, &format!("/admin/films/{film}"), &form)
}

/// The first film of the catalogue.
fn first_film(app: &App) -> u64 {
    let catalogue = app.get("/api/films").json();
    catalogue["films"][0]["film"]["id"].as_u64().unwrap()
}

fn an_edit_is_seen_at_once_here_and_soon_everywhere(plan: Plan) {
    let app = plan.open();
    let (here, there) = (app.first(), app.last());
    let film = first_film(&app);
    let (page, twin) = (format!("/films/{film}"), format!("/api/films/{film}"));
    let paths = ["/", &*page, &*twin];
    let visitor = Visitor::by_name();
    // Every server has something to drop.
    for server in app.servers() {
        for path in paths.iter().chain(&paths) {
            assert!(!visitor.get(server, path).body.contains("Walkies"));
        }
        assert!(
            visitor
                .get(server, "/")
                .header("cache-status")
                .contains("hit")
        );
    }
    let admin = Visitor::new();
    admin.sign_in(here, ADMIN);
    let saved = edit(&admin, here, film, 0, "Walkies");
    let since = Instant::now();
    let location = format!("/admin/films/{film}");
    assert_eq!(
        (saved.status.as_u16(), saved.header("location")),
        (303, &*location)
    );
    for path in paths {
        assert!(visitor.get(here, path).body.contains("Walkies"), "{path}");
    }
    for path in paths {
        while !visitor.get(there, path).body.contains("Walkies") {
            assert!(since.elapsed() < SOON, "{path} is as it was");
            thread::sleep(Duration::from_millis(10));
        }
    }
    println!("seen everywhere after {:?}", since.elapsed());
    // Nobody sees the old page again.
    for _ in 0..10 {
        for server in app.servers() {
            for path in paths {
                assert!(visitor.get(server, path).body.contains("Walkies"), "{path}");
            }
        }
    }
    assert!(visitor.get(there, &page).body.contains("A dog.\nA ball."));
    assert!(visitor.get(there, "/?q=walkies").body.contains(&page));
    let form = admin.get(there, &location).body;
    assert!(form.contains("The film is saved.") && form.contains("value=\"Walkies\""));
    assert!(
        !admin
            .get(here, &location)
            .body
            .contains("The film is saved."),
        "it is told once"
    );

    // Another administrator who has seen the earlier version does not overwrite the edit
    // unknowingly.
    let late = edit(&admin, there, film, 0, "Fetch");
    assert_eq!(late.status, 409);
    assert!(late.body.contains("somebody else") && late.body.contains("value=\"Walkies\""));
    assert_eq!(edit(&admin, there, film, 1, "Fetch").status, 303);
    assert!(visitor.get(there, &page).body.contains("Fetch"));
}

fn nobody_but_an_admin_may_edit(plan: Plan) {
    let app = plan.open();
    let server = app.first();
    let (ada, stranger) = (Visitor::new(), Visitor::new());
    ada.sign_in(server, ADA);
    for path in ["/admin", "/admin/films/7"] {
        assert_eq!(ada.get(server, path).status, 403, "{path}");
        assert_eq!(stranger.get(server, path).status, 303, "{path}");
    }
    assert_eq!(edit(&ada, server, 7, 0, "Walkies").status, 403);
    let sent = edit(&stranger, server, 7, 0, "Walkies");
    assert!(sent.status == 303 && sent.header("location").starts_with("/sign-in"));
    assert!(!app.get("/films/7").body.contains("Walkies"));
}

fn a_form_that_is_wrong_changes_nothing_and_says_why(plan: Plan) {
    let app = plan.open();
    let server = app.first();
    let admin = Visitor::new();
    admin.sign_in(server, ADMIN);
    assert!(
        admin
            .get(server, "/admin?q=alien")
            .body
            .contains("/admin/films/")
    );
    let long = "x".repeat(201);
    for title in ["", " \t ", &*long] {
        let answer = edit(&admin, server, 7, 0, title);
        assert_eq!(answer.status, 422, "{title:?}");
        assert!(answer.body.contains("Not saved yet"), "{}", answer.body);
    }
    assert_eq!(app.get("/api/films/7").json()["film"]["revision"], 0);
    for film in ["0", "99999", "x"] {
        assert_eq!(
            admin.get(server, &format!("/admin/films/{film}")).status,
            404
        );
    }
    assert_eq!(edit(&admin, server, 99_999, 0, "Walkies").status, 404);
    // Typed text is shown as text, wherever it appears.
    let title = "<b>\"Fish\" & 'Chips'</b>";
    assert_eq!(edit(&admin, server, 7, 0, title).status, 303);
    for path in ["/films/7", "/?q=chips", "/admin?q=chips", "/admin/films/7"] {
        let body = admin.get(server, path).body;
        assert!(
            !body.contains("<b>") && body.contains("&#60;b&#62;"),
            "{path}"
        );
    }
}
