//! What becomes of a request that has read its session when something happens to that session.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use http::{Request, header};
use larder_session::{OnFailure, SessionLayer};
use larder_store::Ttl;
use larder_test::MetricValues;

use crate::support::{Browser, NAME, Reply, Site, World, on_both_stores};

/// Sends `path` with the cookie that `browser` has, and does `meanwhile` when it has read its session.
async fn across(
    site: &Site,
    browser: &Browser,
    path: &str,
    meanwhile: impl Future<Output = ()>,
) -> (Browser, Reply) {
    let (held, path) = (browser.copy(), format!("/held{path}"));
    let reply = {
        let mut request = pin!(held.get(site, &path));
        match select(request.as_mut(), pin!(site.gate.arrived())).await {
            Either::Left((reply, _)) => panic!("it did not wait: {reply:?}"),
            Either::Right(_) => {}
        }
        meanwhile.await;
        site.gate.open();
        request.await
    };
    (held, reply)
}

on_both_stores! { Manual;
    async fn a_request_that_ends_after_the_sign_out_writes_nothing(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        for page in ["/set/a/late", "/add/1", "/show-flash", "/save/late", "/update"] {
            browser.read(&site, "/log-in/ada").await;
            browser.read(&site, "/flash/f").await;
            let (held, reply) = across(&site, &browser, page, async {
                browser.read(&site, "/log-out").await;
            }).await;
            assert!(!reply.sets_cookie(), "{page}: {reply:?}");
            assert_eq!(held.read(&site, "/whoami").await, "", "{page}");
            assert_eq!(held.read(&site, "/get/a").await, "", "{page}");
            assert!(world.sessions().devices("ada").await.unwrap().is_empty(), "{page}");
        }
    }

    async fn a_change_that_no_longer_fits_at_the_end_of_its_request_is_no_failure_of_the_store(world: World) {
        for on_failure in [OnFailure::Unavailable, OnFailure::Anonymous] {
            let counts = MetricValues::default();
            let sessions = metrics::with_local_recorder(&counts, || world.sessions());
            let layer = SessionLayer::new(sessions.with_max_value(50_000));
            let site = Site::new(layer.with_on_failure(on_failure));
            for (page, other, expected) in [
                ("/set-large/a/40000", "/set-large/b/40000", 413),
                ("/add/1", "/set/count/ada", 500),
            ] {
                let browser = Browser::signed_in(&site, "ada").await;
                let (_, reply) = across(&site, &browser, page, async {
                    browser.read(&site, other).await;
                }).await;
                assert_eq!(reply.status, expected, "{page}: {reply:?}");
                assert_eq!(reply.header("content-type"), Some("application/problem+json"));
                assert_eq!(reply.header("cache-control"), Some("no-store"));
                assert_eq!(reply.header("retry-after"), None);
            }
            let counted = counts.take();
            let mut counted = counted.iter().map(|(name, _)| name.to_string());
            assert!(!counted.any(|name| name.contains("unavailable")));
        }
    }

    async fn an_immediate_write_reports_that_the_session_is_gone(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        for page in ["/save/late", "/update", "/rotate", "/revoke-others", "/revoke-all"] {
            browser.read(&site, "/log-in/ada").await;
            let (held, reply) = across(&site, &browser, page, async {
                world.sessions().revoke_all("ada").await.unwrap();
            }).await;
            assert_eq!(reply.status, 410, "{page}: {reply:?}");
            assert!(!reply.sets_cookie(), "{page}");
            assert_eq!(held.read(&site, "/whoami").await, "", "{page}");
        }
    }

    async fn a_sign_out_ends_all_that_the_request_named_also_after_one_was_revoked(world: World) {
        let (site, first, second) = (world.site(), Browser::new(), Browser::new());
        first.read(&site, "/log-in/ada").await;
        second.read(&site, "/log-in/ada").await;
        let both = [&first, &second].map(|browser| format!("{NAME}={}", browser.cookie().unwrap()));
        let request = Request::builder().uri("/held/rotate-and-log-out");
        let request = request.header(header::COOKIE, both.join("; "));
        let mut call = pin!(site.call(request.body(String::new()).unwrap()));
        match select(call.as_mut(), pin!(site.gate.arrived())).await {
            Either::Left((reply, _)) => panic!("it did not wait: {reply:?}"),
            Either::Right(_) => {}
        }
        second.read(&site, "/log-out").await;
        site.gate.open();
        assert_eq!(call.await.status, 200);
        assert_eq!(first.read(&site, "/whoami").await, "");
    }

    async fn a_write_from_before_the_sign_in_does_not_reach_the_session_of_the_user(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/set/a/before").await;
        let (held, reply) = across(&site, &browser, "/set/a/planted", async {
            browser.read(&site, "/log-in/ada").await;
        }).await;
        assert_eq!(reply.status, 200);
        assert!(!reply.sets_cookie());
        assert_eq!(browser.read(&site, "/get/a").await, "before");
        assert_eq!(held.read(&site, "/get/a").await, "");
    }

    async fn a_write_for_one_user_does_not_reach_another(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/log-in/ada").await;
        let (_, reply) = across(&site, &browser, "/set/a/of-ada", async {
            browser.read(&site, "/log-in/grace").await;
        }).await;
        assert!(!reply.sets_cookie());
        assert_eq!(browser.read(&site, "/whoami").await, "grace");
        assert_eq!(browser.read(&site, "/get/a").await, "");
        // Signing out of one does not end the session of the other either.
        let (_, reply) = across(&site, &browser, "/log-out", async {
            browser.read(&site, "/log-in/ada").await;
        }).await;
        assert!(!reply.sets_cookie());
        assert_eq!(browser.read(&site, "/whoami").await, "ada");
    }

    async fn a_sign_out_from_before_the_sign_in_does_not_end_the_session_of_the_user(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/set/a/1").await;
        let (_, reply) = across(&site, &browser, "/log-out", async {
            browser.read(&site, "/log-in/ada").await;
        }).await;
        assert_eq!(reply.status, 200);
        assert!(!reply.sets_cookie(), "it would remove the cookie of the sign-in");
        assert_eq!(browser.read(&site, "/whoami").await, "ada");
        assert_eq!(world.sessions().devices("ada").await.unwrap().len(), 1);
    }

    async fn a_write_of_the_same_user_survives_a_new_id(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/log-in/ada").await;
        for (page, other) in [("/set/a/1", "/rotate"), ("/set/b/2", "/log-in/ada")] {
            let (held, reply) = across(&site, &browser, page, async {
                browser.read(&site, other).await;
            }).await;
            assert_eq!(reply.status, 200);
            assert!(!reply.sets_cookie());
            assert_eq!(held.read(&site, "/whoami").await, "");
        }
        assert_eq!(browser.read(&site, "/get/a").await, "1");
        assert_eq!(browser.read(&site, "/get/b").await, "2");
    }

    async fn a_sign_out_wins_over_a_new_id(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/log-in/ada").await;
        let (_, reply) = across(&site, &browser, "/log-out", async {
            browser.read(&site, "/rotate").await;
        }).await;
        assert!(reply.sets_cookie());
        assert_eq!(browser.read(&site, "/whoami").await, "");
    }

    async fn a_revoked_session_does_not_come_back_by_a_new_id(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/log-in/ada").await;
        let other = Browser::new();
        other.read(&site, "/log-in/ada").await;
        let (held, reply) = across(&site, &browser, "/revoke-others", async {
            other.read(&site, "/revoke-others").await;
        }).await;
        assert_eq!(reply.status, 410);
        assert_eq!(held.read(&site, "/whoami").await, "");
        assert_eq!(other.read(&site, "/whoami").await, "ada");
    }

    async fn a_sign_in_after_the_session_ended_begins_an_empty_one(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/log-in/ada").await;
        browser.read(&site, "/set/a/old").await;
        let (held, reply) = across(&site, &browser, "/log-in/ada", async {
            browser.copy().read(&site, "/log-out").await;
        }).await;
        assert_eq!(reply.status, 200);
        assert_eq!(held.read(&site, "/whoami").await, "ada");
        assert_eq!(held.read(&site, "/get/a").await, "");
        assert_ne!(held.record(), browser.record());
        assert_eq!(browser.read(&site, "/whoami").await, "");
    }

    async fn increments_of_others_survive_any_operation_on_the_counter(world: World) {
        let site = world.site();
        for (ops, said, expected) in [
            ("a1,a2", "6 8 ", "15"),
            ("t,a1", "Some(5) 1 ", "8"),
            ("t,a1,a2", "Some(5) 1 3 ", "10"),
            ("t,a0", "Some(5) 0 ", "7"),
            ("a1,t", "6 Some(6) ", "7"),
            ("a1,t,a2", "6 Some(6) 2 ", "9"),
            ("t,a1,t", "Some(5) 1 Some(1) ", "7"),
            ("t", "Some(5) ", "12"),
            ("t,t", "Some(5) None ", "12"),
            ("t,s3", "Some(5) ", "3"),
            ("s3,a1", "4 ", "4"),
            ("r,a1", "1 ", "1"),
            ("a1,s3", "6 ", "3"),
            ("s3,t", "Some(3) ", "0"),
            ("a1,r", "6 ", "0"),
            ("t,u", "Some(5) ", "13"),
            ("a1,u", "6 ", "14"),
            ("u,a1", "7 ", "14"),
            ("t,a1,u", "Some(5) 1 ", "9"),
        ] {
            let browser = Browser::new();
            browser.read(&site, "/add/5").await;
            let (_, reply) = across(&site, &browser, &format!("/ops/{ops}"), async {
                browser.read(&site, "/add/7").await;
            }).await;
            assert_eq!(reply.status, 200, "{ops}: {reply:?}");
            if !ops.contains('u') {
                assert_eq!(reply.body, said, "{ops}");
            }
            assert_eq!(browser.read(&site, "/count").await, expected, "{ops}");
        }
    }

    async fn a_sign_in_that_began_within_the_grace_ends_both_ids_after_it_too(world: World) {
        let sessions = world.sessions().with_grace(Ttl::from_secs(2));
        let (site, browser) = (World::site_of(sessions), Browser::new());
        browser.read(&site, "/log-in/ada").await;
        let outdated = browser.copy();
        browser.read(&site, "/rotate").await;
        let (held, _) = across(&site, &outdated, "/log-in/grace", async {
            world.advance(Duration::from_secs(3));
        }).await;
        assert_eq!(held.read(&site, "/whoami").await, "grace");
        assert_eq!(browser.read(&site, "/whoami").await, "");
        assert_eq!(outdated.read(&site, "/whoami").await, "");
    }

    async fn a_session_that_was_revoked_during_its_request_revokes_nothing(world: World) {
        let (site, sessions) = (world.site(), world.sessions());
        let other = Browser::new();
        for page in ["/revoke/", "/revoke-others", "/revoke-all"] {
            for all in [false, true] {
                let browser = Browser::new();
                browser.read(&site, "/log-in/ada").await;
                other.read(&site, "/log-in/ada").await;
                let page = match page {
                    "/revoke/" => format!("/revoke/{}", other.record()),
                    page => page.to_owned(),
                };
                let (_, reply) = across(&site, &browser, &page, async {
                    if all {
                        other.read(&site, "/revoke-others").await;
                    } else {
                        let device = browser.record().parse().unwrap();
                        assert!(sessions.revoke("ada", device).await.unwrap());
                    }
                }).await;
                assert_eq!(reply.status, 410, "{page} {all}");
                assert_eq!(other.read(&site, "/whoami").await, "ada", "{page} {all}");
            }
        }
    }
}
