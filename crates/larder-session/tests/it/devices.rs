use std::time::Duration;

use http::StatusCode;
use larder_session::{DeviceLimit, SessionErrorKind};

use crate::support::{Browser, World, on_both_stores};

on_both_stores! { Manual;
    async fn a_user_sees_all_devices_and_the_current_one(world: World) {
        let site = world.site();
        let phone = Browser::signed_in(&site, "ada/phone").await;
        world.advance_micros(1);
        let laptop = Browser::signed_in(&site, "ada/laptop").await;
        Browser::signed_in(&site, "grace/desk").await;
        let seen = laptop.read(&site, "/devices").await;
        assert_eq!(
            seen,
            format!("{}* laptop\n{} phone\n", laptop.record(), phone.record())
        );
        let nobody = Browser::new().get(&site, "/devices").await;
        assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    }

    async fn a_device_id_is_not_a_cookie(world: World) {
        let site = world.site();
        let phone = Browser::signed_in(&site, "ada/phone").await;
        let handle = phone.record();
        for cookie in [handle.clone(), format!("{handle}.{handle}")] {
            assert!(!Browser::with(cookie).is_in(&site).await);
        }
    }

    async fn one_device_is_revoked_at_the_next_request_of_any_process(world: World) {
        let (one, other) = (world.site(), world.site());
        let phone = Browser::signed_in(&one, "ada/phone").await;
        let laptop = Browser::signed_in(&other, "ada/laptop").await;
        let path = format!("/revoke/{}", phone.record());
        assert_eq!(laptop.read(&other, &path).await, "true");
        assert!(!phone.is_in(&one).await);
        assert!(laptop.is_in(&one).await);
        assert_eq!(laptop.read(&one, "/devices").await.lines().count(), 1);
        // Twice is the same as once.
        assert_eq!(laptop.read(&other, &path).await, "true");
    }

    async fn a_page_can_ask_for_a_recent_sign_in_before_it_revokes_a_device(world: World) {
        let site = world.site();
        let phone = Browser::signed_in(&site, "ada/phone").await;
        let laptop = Browser::signed_in(&site, "ada/laptop").await;
        let path = format!("/carefully-revoke/{}", phone.record());
        world.advance(Duration::from_secs(61));
        assert_eq!(laptop.get(&site, &path).await.status, StatusCode::UNAUTHORIZED);
        assert!(phone.is_in(&site).await && laptop.is_in(&site).await);
        laptop.read(&site, "/log-in/ada/laptop").await;
        assert_eq!(laptop.read(&site, &path).await, "true");
        assert!(!phone.is_in(&site).await && laptop.is_in(&site).await);
    }

    async fn a_user_cannot_revoke_a_device_of_another_user(world: World) {
        let site = world.site();
        let ada = Browser::signed_in(&site, "ada/phone").await;
        let grace = Browser::signed_in(&site, "grace/phone").await;
        let visitor = Browser::new();
        visitor.read(&site, "/set/a/1").await;
        for handle in [ada.record(), visitor.record()] {
            let path = format!("/revoke/{handle}");
            assert_eq!(grace.read(&site, &path).await, "false");
        }
        assert!(ada.is_in(&site).await);
        assert_eq!(visitor.read(&site, "/get/a").await, "1");
        let path = format!("/revoke/{}", ada.record());
        assert_eq!(visitor.get(&site, &path).await.status, StatusCode::UNAUTHORIZED);
    }

    async fn revoking_the_current_device_signs_out(world: World) {
        let site = world.site();
        let phone = Browser::signed_in(&site, "ada/phone").await;
        let path = format!("/revoke/{}", phone.record());
        assert_eq!(phone.read(&site, &path).await, "true");
        assert_eq!(phone.cookie(), None);
    }

    async fn the_others_are_revoked_and_this_one_stays(world: World) {
        let (one, other) = (world.site(), world.site());
        let phone = Browser::signed_in(&one, "ada/phone").await;
        let laptop = Browser::signed_in(&one, "ada/laptop").await;
        let grace = Browser::signed_in(&one, "grace/desk").await;
        laptop.read(&other, "/revoke-others").await;
        assert!(!phone.is_in(&one).await);
        assert!(laptop.is_in(&one).await && grace.is_in(&one).await);
        assert_eq!(laptop.read(&one, "/devices").await.lines().count(), 1);
        // The one that was spared is an ordinary one: a new one may revoke it.
        let phone = Browser::signed_in(&one, "ada/phone").await;
        assert!(laptop.is_in(&one).await);
        phone.read(&one, "/revoke-others").await;
        assert!(!laptop.is_in(&one).await);
        assert!(phone.is_in(&one).await);
    }

    async fn all_are_revoked(world: World) {
        let (one, other) = (world.site(), world.site());
        let phone = Browser::signed_in(&one, "ada/phone").await;
        let laptop = Browser::signed_in(&one, "ada/laptop").await;
        let kept = laptop.copy();
        laptop.read(&one, "/revoke-all").await;
        assert_eq!(laptop.cookie(), None);
        assert!(!phone.is_in(&other).await && !kept.is_in(&other).await);

        let phone = Browser::signed_in(&one, "ada/phone").await;
        world.sessions().revoke_all("ada").await.unwrap();
        assert!(!phone.is_in(&other).await);
    }

    async fn an_app_lists_and_revokes_the_devices_of_a_user(world: World) {
        let (site, sessions) = (world.site(), world.sessions());
        let phone = Browser::signed_in(&site, "ada/phone").await;
        let devices = sessions.devices("ada").await.unwrap();
        assert_eq!(devices.len(), 1);
        assert_eq!(devices[0].name.as_deref(), Some("phone"));
        assert!(!devices[0].is_current);
        assert!(!sessions.revoke("grace", devices[0].id).await.unwrap());
        assert!(sessions.revoke("ada", devices[0].id).await.unwrap());
        assert!(!phone.is_in(&site).await);
        assert!(sessions.devices("nobody").await.unwrap().is_empty());
        sessions.revoke_all("nobody").await.unwrap();
    }

    async fn an_app_cannot_revoke_the_session_of_a_visitor_under_a_name_that_no_user_has(world: World) {
        let (site, sessions, visitor) = (world.site(), world.sessions(), Browser::new());
        visitor.read(&site, "/set/a/1").await;
        let device = visitor.record().parse().unwrap();
        for wrong in ["", &"x".repeat(257)] {
            let error = sessions.revoke(wrong, device).await.unwrap_err();
            assert_eq!(error.kind(), SessionErrorKind::Invalid);
        }
        assert_eq!(visitor.read(&site, "/get/a").await, "1");
    }

    async fn beyond_the_limit_the_session_with_the_oldest_sign_in_is_ended(world: World) {
        let site = World::site_of(world.sessions().with_device_limit(DeviceLimit::EndOldest(3)));
        let mut browsers = Vec::new();
        for _ in 0..5 {
            browsers.push(Browser::signed_in(&site, "ada/x").await);
            world.advance_micros(1);
        }
        for (at, browser) in browsers.iter().enumerate() {
            assert_eq!(browser.is_in(&site).await, at >= 2, "{at}");
        }
        assert_eq!(browsers[4].read(&site, "/devices").await.lines().count(), 3);
        // A sign-in again on a device that is there takes no more room.
        browsers[2].read(&site, "/log-in/ada").await;
        assert!(browsers[3].is_in(&site).await);
    }

    async fn the_list_drops_sessions_that_have_ended(world: World) {
        let site = world.site();
        for _ in 0..3 {
            let browser = Browser::signed_in(&site, "ada/x").await;
            browser.read(&site, "/log-out").await;
        }
        let phone = Browser::signed_in(&site, "ada/phone").await;
        assert_eq!(phone.read(&site, "/devices").await.lines().count(), 1);
    }
}

#[tokio::test]
async fn without_the_users_record_nobody_is_signed_in_and_a_sign_in_repairs_it() {
    use crate::support::Time;
    let world = World::redis(Time::Real).await;
    let (site, server) = (world.site(), world.server.as_ref().unwrap());
    let phone = Browser::signed_in(&site, "ada/phone").await;
    assert!(phone.is_in(&site).await);
    let keys = server.command(&["KEYS", "session-user:*"]).unwrap();
    let larder_test::server::Reply::Array(keys) = keys else {
        panic!("no list: {keys:?}")
    };
    // The list, and the state that each request reads. Without the list alone nobody is signed out.
    let mut keys: Vec<_> = keys.iter().map(|key| key.text().unwrap()).collect();
    keys.sort_unstable();
    assert_eq!(keys.len(), 2);
    for (at, key) in keys.iter().enumerate() {
        server.command(&["DEL", key]).unwrap();
        assert_eq!(phone.is_in(&site).await, at == 0, "{key}");
        phone.read(&site, "/log-in/ada").await;
        assert!(phone.is_in(&site).await);
        assert_eq!(phone.read(&site, "/devices").await.lines().count(), 1);
    }
}

#[tokio::test]
async fn an_evicted_session_on_which_an_earlier_release_signed_in_again_stays() {
    use crate::support::Time;
    let world = World::redis(Time::Real).await;
    let sessions = world
        .sessions()
        .with_device_limit(DeviceLimit::EndOldest(2));
    let (site, server) = (World::site_of(sessions), world.server.as_ref().unwrap());
    let phone = Browser::signed_in(&site, "ada/phone").await;
    let keys = server.command(&["KEYS", "session-user:*}"]).unwrap();
    let larder_test::server::Reply::Array(keys) = keys else {
        panic!("no list: {keys:?}")
    };
    let key = keys[0].text().unwrap().into_owned();
    let [listed, evicted] = ["s", "e"].map(|kind| format!("{kind}:{}", phone.record()));
    let entry = server.command(&["HGET", &key, &listed]).unwrap();
    let entry = entry.text().unwrap().into_owned();
    server.command(&["HSET", &key, &evicted, &entry]).unwrap();
    let laptop = Browser::signed_in(&site, "ada/laptop").await;
    assert!(phone.is_in(&site).await && laptop.is_in(&site).await);
    let removed = server.command(&["HDEL", &key, &evicted]).unwrap();
    assert_eq!(removed.int(), Some(0));
}

#[tokio::test]
async fn a_session_that_is_missing_from_the_list_is_revoked_all_the_same() {
    use crate::support::Time;
    let world = World::redis(Time::Real).await;
    let (site, server) = (world.site(), world.server.as_ref().unwrap());
    let phone = Browser::signed_in(&site, "ada/phone").await;
    let laptop = Browser::signed_in(&site, "ada/laptop").await;
    let keys = server.command(&["KEYS", "session-user:*}"]).unwrap();
    let larder_test::server::Reply::Array(keys) = keys else {
        panic!("no list: {keys:?}")
    };
    let key = keys[0].text().unwrap().into_owned();
    for browser in [&phone, &laptop] {
        let field = format!("s:{}", browser.record());
        let removed = server.command(&["HDEL", &key, &field]).unwrap();
        assert_eq!(removed.int(), Some(1));
    }
    assert!(
        laptop
            .read(&site, "/devices")
            .await
            .contains(&format!("{}*", laptop.record()))
    );
    laptop.read(&site, "/revoke-others").await;
    assert!(!phone.is_in(&site).await);
    assert!(laptop.is_in(&site).await);
}
