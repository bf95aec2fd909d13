//! Disabled accounts, the end of everyone's sessions, limits, and recent sign-ins.

use std::time::Duration;

use http::StatusCode;
use larder_session::{DeviceLimit, SessionErrorKind};

use crate::support::{Browser, Site, World, on_both_stores};

async fn signed_in(site: &Site, user: &str) -> Browser {
    let browser = Browser::new();
    browser.read(site, &format!("/log-in/{user}")).await;
    browser
}

async fn is_in(site: &Site, browser: &Browser) -> bool {
    !browser.copy().read(site, "/whoami").await.is_empty()
}

const SECOND: Duration = Duration::from_secs(1);

on_both_stores! { Manual;
    async fn the_sessions_of_everyone_end_within_a_second_and_later_ones_live(world: World) {
        world.advance(SECOND);
        let (one, other, admin) = (world.site(), world.site(), world.sessions());
        let (ada, grace) = (signed_in(&one, "ada").await, signed_in(&other, "grace").await);
        let visitor = Browser::new();
        visitor.read(&one, "/set/a/kept").await;
        assert!(is_in(&one, &ada).await && is_in(&other, &grace).await);
        admin.revoke_everyone().await.unwrap();
        // From now on, a sign-in is valid everywhere at once, whatever a process knows.
        let late = signed_in(&one, "ada").await;
        assert!(is_in(&one, &late).await && is_in(&other, &late).await);
        world.advance(SECOND);
        for site in [&one, &other] {
            assert!(!is_in(site, &ada).await && !is_in(site, &grace).await);
            assert!(is_in(site, &late).await);
            assert_eq!(visitor.read(site, "/get/a").await, "kept");
        }
        assert_eq!(late.read(&one, "/devices").await.lines().count(), 1);
        // Two calls within one tick of the clock are two separate ends.
        admin.revoke_everyone().await.unwrap();
        let later = signed_in(&one, "ada").await;
        admin.revoke_everyone().await.unwrap();
        world.advance(SECOND);
        assert!(!is_in(&one, &late).await && !is_in(&other, &later).await);
    }

    async fn a_session_that_ended_with_everyones_revokes_no_other(world: World) {
        world.advance(SECOND);
        let site = world.site();
        let (old, held) = (signed_in(&site, "ada").await, signed_in(&site, "ada").await);
        assert!(is_in(&site, &old).await);
        let held = tokio::spawn({
            let site = site.clone();
            async move { held.get(&site, "/held/revoke-others").await }
        });
        site.gate.arrived().await;
        world.sessions().revoke_everyone().await.unwrap();
        let new = signed_in(&world.site(), "ada").await;
        site.gate.open();
        assert_eq!(held.await.unwrap().status, StatusCode::GONE);
        assert!(is_in(&world.site(), &new).await);
    }

    async fn a_disabled_account_has_no_session_and_gets_none_until_it_is_enabled(world: World) {
        let (one, other, admin) = (world.site(), world.site(), world.sessions());
        let (phone, laptop) = (signed_in(&one, "ada").await, signed_in(&other, "ada").await);
        let grace = signed_in(&one, "grace").await;
        admin.disable("ada").await.unwrap();
        assert!(admin.is_disabled("ada").await.unwrap());
        assert!(!admin.is_disabled("grace").await.unwrap());
        for site in [&one, &other] {
            assert!(!is_in(site, &phone).await && !is_in(site, &laptop).await);
            assert!(is_in(site, &grace).await);
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
        let again = signed_in(&one, "ada").await;
        assert!(is_in(&other, &again).await);
        assert!(!is_in(&one, &phone).await);
    }

    async fn an_account_is_disabled_before_its_first_sign_in(world: World) {
        let (site, admin) = (world.site(), world.sessions());
        admin.disable("new").await.unwrap();
        assert_eq!(Browser::new().get(&site, "/log-in/new").await.status, StatusCode::FORBIDDEN);
        admin.enable("new").await.unwrap();
        // Enabling an account that is not disabled signs nobody out.
        let browser = signed_in(&site, "new").await;
        admin.enable("new").await.unwrap();
        assert!(is_in(&site, &browser).await);
        for wrong in ["", &"x".repeat(257)] {
            let error = admin.disable(wrong).await.unwrap_err();
            assert_eq!(error.kind(), SessionErrorKind::Invalid);
        }
    }

    async fn a_further_sign_in_is_refused_at_the_limit_until_a_session_ends(world: World) {
        let site = World::site_of(world.sessions().with_device_limit(DeviceLimit::Refuse(2)));
        let one = signed_in(&site, "ada").await;
        world.advance(SECOND);
        let two = signed_in(&site, "ada").await;
        let third = Browser::new();
        let refused = third.get(&site, "/log-in/ada").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(is_in(&site, &one).await && is_in(&site, &two).await);
        // Another user, and a sign-in again on a device that is there, are not refused.
        signed_in(&site, "grace").await;
        one.read(&site, "/log-in/ada").await;
        assert!(is_in(&site, &one).await);
        two.read(&site, "/log-out").await;
        third.read(&site, "/log-in/ada").await;
        assert!(is_in(&site, &third).await);
        // Sessions that were idle for too long do not count.
        world.advance(Duration::from_secs(3600));
        signed_in(&site, "ada").await;
        signed_in(&site, "ada").await;
        assert_eq!(Browser::new().get(&site, "/log-in/ada").await.status, StatusCode::FORBIDDEN);
    }

    async fn sessions_that_ended_with_everyones_do_not_count_at_the_limit(world: World) {
        world.advance(SECOND);
        let sessions = world.sessions().with_device_limit(DeviceLimit::Refuse(2));
        let (site, admin) = (World::site_of(sessions), world.sessions());
        for _ in 0..3 {
            let (one, two) = (signed_in(&site, "ada").await, signed_in(&site, "ada").await);
            let refused = Browser::new().get(&site, "/log-in/ada").await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN);
            admin.revoke_everyone().await.unwrap();
            world.advance(SECOND);
            assert!(!is_in(&site, &one).await && !is_in(&site, &two).await);
        }
        // A limit of zero counts as one.
        let none = World::site_of(world.sessions().with_device_limit(DeviceLimit::Refuse(0)));
        let only = signed_in(&none, "grace").await;
        assert_eq!(Browser::new().get(&none, "/log-in/grace").await.status, StatusCode::FORBIDDEN);
        assert!(is_in(&none, &only).await);
    }

    async fn a_session_that_was_idle_for_too_long_is_evicted_before_one_that_lives(world: World) {
        let limit = DeviceLimit::EndOldest(2);
        let site = World::site_of(world.sessions().with_device_limit(limit));
        let used = signed_in(&site, "ada").await;
        world.advance(SECOND);
        let idle = signed_in(&site, "ada").await;
        world.advance(Duration::from_secs(1_700));
        assert!(is_in(&site, &used).await);
        world.settled().await;
        world.advance(Duration::from_secs(200));
        let new = signed_in(&site, "ada").await;
        assert!(is_in(&site, &used).await && is_in(&site, &new).await);
        assert!(!is_in(&site, &idle).await);
        // Of those that live, the one with the oldest sign-in ends.
        signed_in(&site, "ada").await;
        assert!(!is_in(&site, &used).await && is_in(&site, &new).await);
    }

    async fn without_a_limit_every_session_lives(world: World) {
        let site = world.site();
        let mut browsers = Vec::new();
        for _ in 0..110 {
            browsers.push(signed_in(&site, "ada").await);
        }
        for browser in &browsers {
            assert!(is_in(&site, browser).await);
        }
        assert_eq!(browsers[0].read(&site, "/devices").await.lines().count(), 110);
    }

    async fn what_is_sensitive_needs_a_recent_sign_in(world: World) {
        let site = world.site();
        let browser = signed_in(&site, "ada").await;
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
        let browser = signed_in(&site, "ada").await;
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
