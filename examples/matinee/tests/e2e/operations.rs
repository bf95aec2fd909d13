//! The operators' page, behind the guard of the app.

use std::time::Duration;

use crate::plan::Plan;
use crate::visitor::{ADA, ADMIN, Visitor};

on_both_backends! {
    administrators_see_the_operators_page_and_nobody_else_does,
    an_app_without_operations_has_neither_metrics_nor_the_page,
}

const PAGE: &str = "/admin/operations";

fn administrators_see_the_operators_page_and_nobody_else_does(plan: Plan) {
    let app = plan.open();
    let (admin, ada, stranger) = (Visitor::with_a_browser(), Visitor::new(), Visitor::new());
    admin.sign_in(app.first(), ADMIN);
    ada.sign_in(app.first(), ADA);
    let list = admin.get(app.first(), "/admin").body;
    assert!(list.contains(&format!("href=\"{PAGE}\"")), "{list}");
    for server in app.servers() {
        let page = admin.get(server, PAGE);
        assert_eq!(page.status, 200, "{page:?}");
        assert!(
            page.header("cache-control").contains("no-store"),
            "{page:?}"
        );
        assert_eq!(ada.get(server, PAGE).status, 403);
        let sent = stranger.get(server, PAGE);
        let form = "/sign-in?next=%2Fadmin%2Foperations";
        assert_eq!((sent.status.as_u16(), sent.header("location")), (303, form));
    }
    app.first()
        .wait_for_log(&["the doctor examined the servers"]);
}

fn an_app_without_operations_has_neither_metrics_nor_the_page(plan: Plan) {
    let app = plan.with("OPERATIONS", "off").open();
    let admin = Visitor::with_a_browser();
    admin.sign_in(app.first(), ADMIN);
    for path in [PAGE, "/metrics"] {
        assert_eq!(admin.get(app.first(), path).status, 404, "{path}");
    }
    assert!(!admin.get(app.first(), "/admin").body.contains(PAGE));
}

/// While Redis is down nobody can be recognized by a session, but operators who were admitted
/// before can go on reading.
#[test]
fn while_redis_is_away_an_operator_who_was_let_in_sees_the_page_within_a_second() {
    let mut app = Plan::redis().alone().open();
    let (admin, ada) = (Visitor::with_a_browser(), Visitor::new());
    admin.sign_in(app.first(), ADMIN);
    ada.sign_in(app.first(), ADA);
    assert_eq!(admin.get(app.first(), PAGE).status, 200);
    app.redis().kill();
    for _ in 0..3 {
        let page = admin.get(app.first(), PAGE);
        assert_eq!(page.status, 200, "{page:?}");
        assert!(page.took < Duration::from_secs(1), "{:?}", page.took);
        for other in [&ada, &Visitor::new()] {
            assert_ne!(other.get(app.first(), PAGE).status, 200);
        }
        // At the other server, nobody was admitted before.
        assert_eq!(admin.get(app.last(), PAGE).status, 503);
    }
}

#[test]
fn while_redis_is_away_a_session_that_has_ended_sees_the_page_no_more() {
    let mut app = Plan::redis().alone().open();
    let [left, revoked, admin] = [(); 3].map(|()| Visitor::with_a_browser());
    for visitor in [&left, &revoked, &admin] {
        visitor.sign_in(app.first(), ADMIN);
        assert_eq!(visitor.get(app.first(), PAGE).status, 200);
    }
    // Somebody who has copied a cookie keeps sending it.
    let copies = [&left, &revoked].map(|visitor| {
        let cookies = visitor.cookies().header().unwrap();
        Visitor::with_a_browser().with("cookie", cookies)
    });
    left.post(app.last(), "/sign-out", &[]);
    admin.post(app.last(), "/account/revoke-others", &[]);
    for copy in &copies {
        assert_eq!(copy.get(app.first(), PAGE).status, 303);
    }
    assert_eq!(admin.get(app.first(), PAGE).status, 200);
    // Another cookie of this site changes in the meantime.
    admin.cookies().set("theme", "dark");
    app.redis().kill();
    for copy in &copies {
        assert_eq!(copy.get(app.first(), PAGE).status, 503);
    }
    assert_eq!(admin.get(app.first(), PAGE).status, 200);
}
