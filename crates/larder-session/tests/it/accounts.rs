//! Disabled accounts, the end of everyone's sessions, limits, and recent sign-ins.

use std::time::Duration;

use http::StatusCode;
use larder_session::{DeviceLimit, SessionErrorKind};

use crate::support::{Browser, World, on_both_stores};

const SECOND: Duration = Duration::from_secs(1);

on_both_stores! { Manual;
    async fn the_sessions_of_everyone_end_within_a_second_and_later_ones_live(world: World) {
        world.advance(SECOND);
        let (one, other, admin) = (world.site(), world.site(), world.sessions());
        let (ada, grace) = (Browser::signed_in(&one, "ada").await, Browser::signed_in(&other, "grace").await);
        let visitor = Browser::new();
        visitor.read(&one, "/set/a/kept").await;
        assert!(ada.is_in(&one).await && grace.is_in(&other).await);
        admin.revoke_everyone().await.unwrap();
        // From now on, a sign-in is valid everywhere at once, whatever a process knows.
        let late = Browser::signed_in(&one, "ada").await;
        assert!(late.is_in(&one).await && late.is_in(&other).await);
        world.advance(SECOND);
        for site in [&one, &other] {
            assert!(!ada.is_in(site).await && !grace.is_in(site).await);
            assert!(late.is_in(site).await);
            assert_eq!(visitor.read(site, "/get/a").await, "kept");
        }
        assert_eq!(late.read(&one, "/devices").await.lines().count(), 1);
        // Two calls within one tick of the clock are two separate ends.
        admin.revoke_everyone().await.unwrap();
        let later = Browser::signed_in(&one, "ada").await;
        admin.revoke_everyone().await.unwrap();
        world.advance(SECOND);
        assert!(!late.is_in(&one).await && !later.is_in(&other).await);
    }

    async fn a_session_that_ended_with_everyones_revokes_no_other(world: World) {
        world.advance(SECOND);
        let site = world.site();
        let (old, held) = (Browser::signed_in(&site, "ada").await, Browser::signed_in(&site, "ada").await);
        assert!(old.is_in(&site).await);
        let held = tokio::spawn({
            let site = site.clone();
            async move { held.get(&site, "/held/revoke-others").await }
        });
        site.gate.arrived().await;
        world.sessions().revoke_everyone().await.unwrap();
        let new = Browser::signed_in(&world.site(), "ada").await;
        site.gate.open();
        assert_eq!(held.await.unwrap().status, StatusCode::GONE);
        assert!(new.is_in(&world.site()).await);
    }

    async fn a_disabled_account_has_no_session_and_gets_none_until_it_is_enabled(world: World) {
        let (one, other, admin) = (world.site(), world.site(), world.sessions());
        let (phone, laptop) = (Browser::signed_in(&one, "ada").await, Browser::signed_in(&other, "ada").await);
        let grace = Browser::signed_in(&one, "grace").await;
        admin.disable("ada").await.unwrap();
        assert!(admin.is_disabled("ada").await.unwrap());
        assert!(!admin.is_disabled("grace").await.unwrap());
        for site in [&one, &other] {
            assert!(!phone.is_in(site).await && !laptop.is_in(site).await);
            assert!(grace.is_in(site).await);
            let refused = Browser::new().get(site, "/log-in/ada").await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{refused:?}");
        }
        // The fields of the visitor stay, and nobody is signed in.
        let visitor = Browser::new();
        visitor.read(&one, "/set/a/kept").await;
        assert_eq!(visitor.get(&one, "/log-in/ada").await.status, StatusCode::FORBIDDEN);
        assert_eq!(visitor.read(&one, "/whoami").await, "");
        assert_eq!(visitor.read(&one, "/get/a").await, "kept");
        // This holds even after every session would have ended, and whatever else is revoked.
        admin.revoke_all("ada").await.unwrap();
        world.advance(Duration::from_secs(86_400 * 365));
        assert_eq!(Browser::new().get(&one, "/log-in/ada").await.status, StatusCode::FORBIDDEN);
        admin.enable("ada").await.unwrap();
        let again = Browser::signed_in(&one, "ada").await;
        assert!(again.is_in(&other).await);
        assert!(!phone.is_in(&one).await);
    }

    async fn an_account_is_disabled_before_its_first_sign_in(world: World) {
        let (site, admin) = (world.site(), world.sessions());
        admin.disable("new").await.unwrap();
        assert_eq!(Browser::new().get(&site, "/log-in/new").await.status, StatusCode::FORBIDDEN);
        admin.enable("new").await.unwrap();
        // Enabling an account that is not disabled signs nobody out.
        let browser = Browser::signed_in(&site, "new").await;
        admin.enable("new").await.unwrap();
        assert!(browser.is_in(&site).await);
        for wrong in ["", &"x".repeat(257)] {
            let error = admin.disable(wrong).await.unwrap_err();
            assert_eq!(error.kind(), SessionErrorKind::Invalid);
        }
    }

    async fn a_further_sign_in_is_refused_at_the_limit_until_a_session_ends(world: World) {
        let site = World::site_of(world.sessions().with_device_limit(DeviceLimit::Refuse(2)));
        let one = Browser::signed_in(&site, "ada").await;
        world.advance(SECOND);
        let two = Browser::signed_in(&site, "ada").await;
        let third = Browser::new();
        let refused = third.get(&site, "/log-in/ada").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(one.is_in(&site).await && two.is_in(&site).await);
        // Another user, and a sign-in again on a device that is there, are not refused.
        Browser::signed_in(&site, "grace").await;
        one.read(&site, "/log-in/ada").await;
        assert!(one.is_in(&site).await);
        two.read(&site, "/log-out").await;
        third.read(&site, "/log-in/ada").await;
        assert!(third.is_in(&site).await);
        // Sessions that were idle for too long do not count.
        world.advance(Duration::from_secs(3600));
        Browser::signed_in(&site, "ada").await;
        Browser::signed_in(&site, "ada").await;
        assert_eq!(Browser::new().get(&site, "/log-in/ada").await.status, StatusCode::FORBIDDEN);
    }

    async fn sessions_that_ended_with_everyones_do_not_count_at_the_limit(world: World) {
        world.advance(SECOND);
        let sessions = world.sessions().with_device_limit(DeviceLimit::Refuse(2));
        let (site, admin) = (World::site_of(sessions), world.sessions());
        for _ in 0..3 {
            let (one, two) = (Browser::signed_in(&site, "ada").await, Browser::signed_in(&site, "ada").await);
            let refused = Browser::new().get(&site, "/log-in/ada").await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN);
            admin.revoke_everyone().await.unwrap();
            world.advance(SECOND);
            assert!(!one.is_in(&site).await && !two.is_in(&site).await);
        }
        // A limit of zero counts as one.
        let none = World::site_of(world.sessions().with_device_limit(DeviceLimit::Refuse(0)));
        let only = Browser::signed_in(&none, "grace").await;
        assert_eq!(Browser::new().get(&none, "/log-in/grace").await.status, StatusCode::FORBIDDEN);
        assert!(only.is_in(&none).await);
    }

    async fn a_session_that_was_idle_for_too_long_is_evicted_before_one_that_lives(world: World) {
        let limit = DeviceLimit::EndOldest(2);
        let site = World::site_of(world.sessions().with_device_limit(limit));
        let used = Browser::signed_in(&site, "ada").await;
        world.advance(SECOND);
        let idle = Browser::signed_in(&site, "ada").await;
        world.advance(Duration::from_secs(1_700));
        assert!(used.is_in(&site).await);
        world.settled().await;
        world.advance(Duration::from_secs(200));
        let new = Browser::signed_in(&site, "ada").await;
        assert!(used.is_in(&site).await && new.is_in(&site).await);
        assert!(!idle.is_in(&site).await);
        // Of those that live, the one with the oldest sign-in ends.
        Browser::signed_in(&site, "ada").await;
        assert!(!used.is_in(&site).await && new.is_in(&site).await);
    }

    async fn without_a_limit_every_session_lives(world: World) {
        let site = world.site();
        let mut browsers = Vec::new();
        for _ in 0..110 {
            browsers.push(Browser::signed_in(&site, "ada").await);
        }
        for browser in &browsers {
            assert!(browser.is_in(&site).await);
        }
        assert_eq!(browsers[0].read(&site, "/devices").await.lines().count(), 110);
    }

    async fn what_is_sensitive_needs_a_recent_sign_in(world: World) {
        let site = world.site();
        let browser = Browser::signed_in(&site, "ada").await;
        browser.read(&site, "/set/a/kept").await;
        world.advance(Duration::from_secs(300));
        assert_eq!(browser.read(&site, "/recent/300").await, "ada");
        world.advance_micros(1);
        let refused = browser.get(&site, "/recent/300").await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        assert!(refused.body.contains("sign in again"), "{refused:?}");
        // A rotation is not a sign-in. Signing in again is one, and keeps the session.
        browser.read(&site, "/rotate").await;
        assert_eq!(browser.get(&site, "/recent/300").await.status, StatusCode::UNAUTHORIZED);
        browser.read(&site, "/log-in/ada").await;
        assert_eq!(browser.read(&site, "/recent/0").await, "ada");
        assert_eq!(browser.read(&site, "/get/a").await, "kept");
        let nobody = Browser::new().get(&site, "/recent/300").await;
        assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
        assert!(nobody.body.contains("nobody is signed in"), "{nobody:?}");
    }

    async fn a_sign_in_grows_old_in_a_stream_too(world: World) {
        let site = world.site();
        let browser = Browser::signed_in(&site, "ada").await;
        browser.read(&site, "/kept/whoami").await;
        let stream = site.gate.kept();
        let age = async || stream.authentication().await.unwrap().unwrap().age;
        let first = age().await;
        let older = async {
            while age().await == first {
                world.advance_micros(1);
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(20 * SECOND, older).await.unwrap();
        let error = stream.recent_auth(first).await.unwrap_err();
        assert_eq!(error.kind(), SessionErrorKind::ReauthenticationRequired);
        assert!(stream.recent_auth(first + 60 * SECOND).await.is_ok());
    }

    async fn a_sign_in_says_how_the_user_proved_who_they_are(world: World) {
        let site = world.site();
        let browser = Browser::new();
        assert_eq!(browser.read(&site, "/how").await, "");
        browser.read(&site, "/log-in-by/ada/password").await;
        world.advance(Duration::from_secs(7));
        assert_eq!(browser.read(&site, "/how").await, "ada password 7");
        browser.read(&site, "/rotate").await;
        browser.read(&site, "/log-in-by/ada/passkey").await;
        assert_eq!(browser.read(&site, "/how").await, "ada passkey 0");
        let devices = world.sessions().devices("ada").await.unwrap();
        assert_eq!(devices[0].method.as_deref(), Some("passkey"));
        browser.read(&site, "/log-in/ada").await;
        assert_eq!(browser.read(&site, "/how").await, "ada  0");
    }
}
