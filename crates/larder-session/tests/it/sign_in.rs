use http::StatusCode;

use crate::support::{Browser, World, on_both_stores};
use larder_store::Ttl;

on_both_stores! { Manual;
    async fn a_sign_in_issues_a_new_id_and_the_old_one_is_dead_at_once(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/set/a/cart").await;
        let planted = browser.copy();
        let reply = browser.get(&site, "/log-in/ada").await;
        assert!(reply.sets_cookie());
        assert_ne!(planted.cookie(), browser.cookie());
        assert_eq!(planted.record(), browser.record());
        assert_eq!(browser.read(&site, "/account").await, "ada");
        assert_eq!(browser.read(&site, "/get/a").await, "cart");
        assert_eq!(planted.read(&site, "/get/a").await, "");
        assert_eq!(planted.get(&site, "/account").await.status, StatusCode::UNAUTHORIZED);
    }

    async fn another_sign_in_issues_a_new_id_too(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/log-in/ada").await;
        browser.read(&site, "/set/a/1").await;
        let before = browser.copy();
        browser.read(&site, "/log-in/ada").await;
        assert_ne!(before.cookie(), browser.cookie());
        assert_eq!(before.read(&site, "/whoami").await, "");
        assert_eq!(browser.read(&site, "/whoami").await, "ada");
        assert_eq!(browser.read(&site, "/get/a").await, "1");
    }

    async fn no_field_of_another_user_stays(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/log-in/ada").await;
        browser.read(&site, "/set/a/secret").await;
        browser.read(&site, "/log-in/grace").await;
        assert_eq!(browser.read(&site, "/whoami").await, "grace");
        assert_eq!(browser.read(&site, "/get/a").await, "");
    }

    async fn a_sign_in_survives_a_handler_that_fails(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/set/a/1").await;
        let before = browser.copy();
        let reply = browser.get(&site, "/failing/log-in/ada").await;
        assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(reply.sets_cookie());
        assert_eq!(browser.read(&site, "/whoami").await, "ada");
        assert_eq!(before.read(&site, "/get/a").await, "");
    }

    async fn a_sign_in_without_a_session_begins_one(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/log-in/ada").await;
        assert_eq!(browser.read(&site, "/account").await, "ada");
        let nobody = browser.get(&site, "/log-in/").await;
        assert_eq!(nobody.status, StatusCode::BAD_REQUEST);
    }

    async fn a_session_stays_dead_after_the_sign_out(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/log-in/ada").await;
        let stolen = browser.copy();
        let reply = browser.get(&site, "/failing/log-out").await;
        assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(browser.cookie(), None);
        assert_eq!(stolen.read(&site, "/whoami").await, "");
        stolen.read(&site, "/set/a/1").await;
        assert_eq!(stolen.read(&site, "/whoami").await, "");
    }

    async fn a_rotation_survives_a_handler_that_fails(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/log-in/ada").await;
        let before = browser.copy();
        assert!(browser.get(&site, "/failing/rotate").await.sets_cookie());
        assert_eq!(browser.read(&site, "/whoami").await, "ada");
        assert_eq!(before.read(&site, "/whoami").await, "");
    }

    async fn the_old_id_works_during_the_grace_of_a_rotation_but_not_of_a_sign_in(world: World) {
        let sessions = world.sessions().with_grace(Ttl::from_secs(2));
        let (site, browser) = (World::site_of(sessions), Browser::new());
        browser.read(&site, "/log-in/ada").await;
        let before = browser.copy();
        browser.read(&site, "/rotate").await;
        assert_eq!(before.read(&site, "/whoami").await, "ada");
        // A rotation with the previous id is the one that was just made.
        assert!(!before.get(&site, "/rotate").await.sets_cookie());
        world.advance_micros(1_999_999);
        assert_eq!(before.read(&site, "/whoami").await, "ada");
        world.advance_micros(1);
        assert_eq!(before.read(&site, "/whoami").await, "");

        let before = browser.copy();
        browser.read(&site, "/log-in/ada").await;
        assert_eq!(before.read(&site, "/whoami").await, "");
        assert_eq!(browser.read(&site, "/whoami").await, "ada");
    }

    async fn a_sign_in_with_the_id_before_a_rotation_ends_both_at_once(world: World) {
        let sessions = world.sessions().with_grace(Ttl::from_secs(2));
        let site = World::site_of(sessions);
        for (owner, user, kept) in [("ada", "ada", "1"), ("ada", "grace", ""), ("", "ada", "1")] {
            let browser = Browser::new();
            if !owner.is_empty() {
                browser.read(&site, &format!("/log-in/{owner}")).await;
            }
            browser.read(&site, "/set/a/1").await;
            let (outdated, signs_in) = (browser.copy(), browser.copy());
            browser.read(&site, "/rotate").await;
            assert_eq!(outdated.read(&site, "/whoami").await, owner);
            signs_in.read(&site, &format!("/log-in/{user}")).await;
            for dead in [&outdated, &browser] {
                assert_eq!(dead.read(&site, "/whoami").await, "", "{owner} {user}");
                assert_eq!(dead.read(&site, "/get/a").await, "", "{owner} {user}");
            }
            assert_eq!(signs_in.read(&site, "/whoami").await, user);
            assert_eq!(signs_in.read(&site, "/get/a").await, kept);
            signs_in.read(&site, "/log-out").await;
        }
    }

    async fn a_sign_out_or_a_revocation_with_the_id_before_a_rotation_ends_both_at_once(world: World) {
        let sessions = world.sessions().with_grace(Ttl::from_secs(2));
        let (site, browser) = (World::site_of(sessions), Browser::new());
        for page in ["/log-out", "/revoke-all", "/revoke/"] {
            browser.read(&site, "/log-in/ada").await;
            let (outdated, by) = (browser.copy(), browser.copy());
            browser.read(&site, "/rotate").await;
            let page = match page {
                "/revoke/" => format!("/revoke/{}", browser.record()),
                page => page.to_owned(),
            };
            by.read(&site, &page).await;
            for dead in [&outdated, &browser] {
                assert_eq!(dead.read(&site, "/whoami").await, "", "{page}");
            }
        }
    }
}
