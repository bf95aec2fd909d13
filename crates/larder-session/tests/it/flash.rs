//! Messages that are shown once, and typed values with a default.

use http::StatusCode;

use crate::support::{Browser, on_both_stores};

const ROUNDS: usize = 1_000;

on_both_stores! { Real;
    async fn a_flash_survives_one_redirect_and_is_shown_once(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        let reply = browser.get(&site, "/redirecting/say/saved").await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER);
        assert_eq!(browser.read(&site, "/hear").await, "info: saved");
        assert_eq!(browser.read(&site, "/hear").await, "");
        // A page that fails has added its message anyway.
        browser.get(&site, "/failing/say/lost").await;
        assert_eq!(browser.read(&site, "/say-and-hear/now").await, "info: lost, error: now");
        assert_eq!(browser.read(&site, "/hear").await, "");
    }

    async fn of_any_number_of_requests_exactly_one_gets_the_flash(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/log-in/ada").await;
        for round in 0..ROUNDS {
            browser.read(&site, &format!("/say/{round}")).await;
            let mut heard = Vec::new();
            for (_, reply) in browser.at_once(&site, ["/slow-hear"; 3]).await {
                assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
                heard.extend(Some(reply.body).filter(|body| !body.is_empty()));
            }
            assert_eq!(heard, [format!("info: {round}")], "round {round}");
        }
    }

    async fn messages_of_requests_at_once_are_all_kept_up_to_sixteen(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/set/a/1").await;
        for round in 0..ROUNDS {
            let said = ["a", "b", "c", "d"].map(|it| format!("{round}{it}"));
            let sent = said.each_ref().map(|it| format!("/slow-say/{it}"));
            for (_, reply) in browser.at_once(&site, sent).await {
                assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
            }
            let heard = browser.read(&site, "/hear").await;
            let mut heard: Vec<_> = heard.split(", ").collect();
            heard.sort_unstable();
            assert_eq!(heard, said.map(|it| format!("info: {it}")));
        }
        for at in 0..20 {
            browser.read(&site, &format!("/say/{at}")).await;
        }
        let heard = browser.read(&site, "/hear").await;
        let (first, last) = (heard.split(", ").next(), heard.split(", ").last());
        assert_eq!((first, last), (Some("info: 4"), Some("info: 19")));
        assert_eq!(heard.split(", ").count(), 16);
    }

    async fn a_page_on_which_no_flash_waits_writes_nothing(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        let reply = browser.get(&site, "/hear").await;
        assert!(!reply.sets_cookie());
        assert_eq!(world.switch.operations(), 0);
        browser.read(&site, "/set/a/1").await;
        let before = world.switch.operations();
        browser.read(&site, "/hear").await;
        assert_eq!(world.switch.operations() - before, 1, "the session is read");
    }

    async fn a_field_is_taken_now_together_with_the_other_changes(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        // Of a session that is not in the store yet.
        assert_eq!(browser.read(&site, "/set-and-take-now/a/1").await, "1");
        assert_eq!(browser.cookie(), None);
        browser.read(&site, "/set/a/1").await;
        assert_eq!(browser.read(&site, "/set-and-take-now/a/2").await, "2");
        assert_eq!(browser.read(&site, "/get/a").await, "");
        browser.read(&site, "/set/a/3").await;
        // A value that was taken immediately is gone, whatever the page answers.
        let reply = browser.get(&site, "/failing/take-now/a").await;
        assert_eq!(reply.body, "3");
        assert_eq!(browser.read(&site, "/take-now/a").await, "");
    }

    async fn a_typed_value_begins_with_its_default_and_no_change_is_lost(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        assert_eq!(browser.read(&site, "/cart").await, "[]");
        assert_eq!(browser.read(&site, "/choose/7").await, "[7]");
        for round in 0..ROUNDS {
            browser.read(&site, "/empty-cart").await;
            let sent = [1, 2, 3].map(|seat| format!("/slow-choose/{}", 10 * round + seat));
            for (_, reply) in browser.at_once(&site, sent).await {
                assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
            }
            let cart = browser.read(&site, "/cart").await;
            let mut seats: Vec<_> = cart.trim_matches(['[', ']']).split(", ").collect();
            seats.sort_unstable();
            assert_eq!(seats, [1, 2, 3].map(|seat| (10 * round + seat).to_string()));
        }
        browser.read(&site, "/empty-cart").await;
        assert_eq!(browser.read(&site, "/cart").await, "[]");
    }
}
