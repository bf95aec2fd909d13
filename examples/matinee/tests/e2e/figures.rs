//! The most booked films, and the number of visitors today.

use std::thread;
use std::time::{Duration, Instant};

use crate::plan::Plan;
use crate::seats::{a_showing, ask};
use crate::server::Server;
use crate::visitor::{ADA, GRACE, Visitor};

on_both_backends! {
    the_first_page_names_the_films_with_the_most_seats_booked_this_week,
    the_first_page_counts_each_address_once_that_visits_today,
}

/// Returns the figures on the first page, made for a host that nobody has used before.
fn figures(server: &Server, host: &str) -> String {
    let page = Visitor::new().with("host", host).get(server, "/");
    assert_eq!(page.status, 200);
    let figures = page.body.split_once("id=\"figures\"");
    let figures = figures
        .unwrap_or_else(|| panic!("no figures: {}", page.body))
        .1;
    figures.split("</section>").next().unwrap().to_owned()
}

fn the_first_page_names_the_films_with_the_most_seats_booked_this_week(plan: Plan) {
    let app = plan.open();
    assert!(figures(app.first(), "a.example").contains("Nobody has booked"));
    let showing = a_showing(&app);
    let film = app.get(&showing).body;
    let film = film.split_once("/films/").unwrap().1;
    let film: u64 = film.split('"').next().unwrap().parse().unwrap();
    for (account, seats) in [(ADA, &["C3", "C4"][..]), (GRACE, &["D5"])] {
        let visitor = Visitor::new();
        visitor.sign_in(app.first(), account);
        for step in ["hold", "book"] {
            let answer = ask(&visitor, app.first(), &showing, step, seats);
            assert_eq!(answer.status, 303, "{}", answer.body);
        }
        // A form that is sent twice books once.
        ask(&visitor, app.last(), &showing, "book", seats);
    }
    let told = figures(app.last(), "b.example");
    let link = format!("<li><a href=\"/films/{film}\">");
    assert!(told.contains(&link) && told.contains("3 seats"), "{told}");
    for path in ["/?page=2", "/?genre=Horror", "/?q=alien"] {
        assert!(!app.get(path).body.contains("Most booked"), "{path}");
    }
}

fn the_first_page_counts_each_address_once_that_visits_today(plan: Plan) {
    let app = plan.with("TRUSTED_PROXIES", "127.0.0.1").open();
    // It makes no difference whether a page comes from a cache, nor from which server.
    for _ in 0..3 {
        for number in 1..=20 {
            let visitor = Visitor::forwarded(format!("203.0.113.{number}"));
            let server = [app.first(), app.last()][number % 2];
            assert_eq!(visitor.get(server, "/films/7").status, 200);
        }
    }
    let (since, mut host) = (Instant::now(), 0);
    // The test's own requests come from this machine.
    while !figures(app.first(), &format!("h{host}.example")).contains("21 visitors today") {
        assert!(
            since.elapsed() < Duration::from_secs(20),
            "they are not counted"
        );
        thread::sleep(Duration::from_millis(50));
        host += 1;
    }
}
