//! What a browser learns of the end of its session.

use std::time::Duration;

use http::Request;
use http::header::COOKIE;
use larder_session::{DeviceLimit, EndReason};
use larder_store::Ttl;

use crate::support::{Browser, NAME, World, on_both_stores};

/// Changes the secret, and keeps the id of the session and the tag of the user.
fn forged(browser: &Browser) -> Browser {
    let cookie = browser.cookie().unwrap();
    let (record, secret) = cookie.split_once('.').unwrap();
    let other = if secret.starts_with('A') { 'B' } else { 'A' };
    Browser::with(format!("{record}.{other}{}", &secret[1..]))
}

on_both_stores! { Manual;
    async fn a_planted_cookie_does_not_hide_why_a_session_ended(world: World) {
        let (site, admin) = (world.site(), world.sessions());
        for is_first in [true, false] {
            let browser = Browser::signed_in(&site, "ada").await;
            let mut cookies = [forged(&browser), browser].map(|it| it.cookie().unwrap());
            admin.revoke_all("ada").await.unwrap();
            if !is_first {
                cookies.reverse();
            }
            let cookies = cookies.map(|value| format!("{NAME}={value}")).join("; ");
            let request = Request::builder().uri("/why").header(COOKIE, cookies);
            let reply = site.call(request.body(String::new()).unwrap()).await;
            assert_eq!(reply.body, "Administrator", "{is_first}");
        }
    }

    async fn a_browser_learns_once_why_its_session_ended(world: World) {
        world.advance(Duration::from_secs(1));
        let limit = DeviceLimit::EndOldest(2);
        let site = World::site_of(world.sessions().with_device_limit(limit));
        let admin = world.sessions();
        for expected in [
            "SignedOutElsewhere one",
            "SignedOutElsewhere others",
            "PasswordChanged",
            "Administrator one",
            "Administrator all",
            "Disabled",
            "TooManyDevices",
        ] {
            let user = expected.replace(' ', "-");
            let old = Browser::signed_in(&site, &user).await;
            world.advance_micros(1);
            let new = Browser::signed_in(&site, &user).await;
            world.advance_micros(1);
            match expected {
                "SignedOutElsewhere one" => {
                    let path = format!("/revoke/{}", old.record());
                    assert_eq!(new.read(&site, &path).await, "true");
                }
                "SignedOutElsewhere others" => drop(new.read(&site, "/revoke-others").await),
                "PasswordChanged" => drop(new.read(&site, "/password-changed").await),
                "Administrator one" => {
                    let id = old.record().parse().unwrap();
                    assert!(admin.revoke(&user, id).await.unwrap());
                }
                "Administrator all" => admin.revoke_all(&user).await.unwrap(),
                "Disabled" => admin.disable(&user).await.unwrap(),
                _ => drop(Browser::signed_in(&site, &user).await),
            }
            let reason = expected.split(' ').next().unwrap();
            // It counts as signed out, and a search for the user does not take the reason.
            assert_eq!(old.read(&site, "/whoami").await, "", "{expected}");
            assert_eq!(forged(&old).read(&site, "/why").await, "Expired", "{expected}");
            assert_eq!(old.read(&site, "/why").await, reason, "{expected}");
            assert_eq!(old.read(&site, "/why").await, "", "{expected}");
            assert_eq!(old.read(&site, "/whoami").await, "", "{expected}");
        }
    }

    async fn a_session_that_the_list_has_lost_learns_why_it_ended_too(world: World) {
        let (site, admin) = (world.site(), world.sessions());
        let browser = Browser::signed_in(&site, "ada").await;
        let kept = browser.copy();
        // `revoke_all` removes the sessions on its list; this one comes from the user's record.
        let others = World::site_of(world.sessions());
        let path = format!("/revoke/{}", browser.record());
        let other = Browser::signed_in(&others, "grace").await;
        assert_eq!(other.read(&others, &path).await, "false");
        admin.revoke_all_because("ada", EndReason::PasswordChanged).await.unwrap();
        assert_eq!(kept.read(&site, "/why").await, "PasswordChanged");
        assert_eq!(kept.read(&site, "/why").await, "");
    }

    async fn everyone_learns_that_an_administrator_ended_the_sessions(world: World) {
        world.advance(Duration::from_secs(1));
        let site = world.site();
        let browser = Browser::signed_in(&site, "ada").await;
        world.sessions().revoke_everyone().await.unwrap();
        world.advance(Duration::from_secs(1));
        assert_eq!(browser.read(&site, "/why").await, "Administrator");
        assert_eq!(browser.read(&site, "/why").await, "");
        assert_eq!(browser.read(&site, "/whoami").await, "");
        // The next sign-in of that browser is like any other.
        browser.read(&site, "/log-in/ada").await;
        assert_eq!(browser.read(&site, "/whoami").await, "ada");
        assert_eq!(browser.read(&site, "/why").await, "");
    }

    async fn a_reason_is_kept_for_its_time_and_no_longer(world: World) {
        let minute = Ttl::from_secs(60);
        let site = World::site_of(world.sessions().with_end_reason_ttl(minute));
        for (after, told) in [(59, "SignedOutElsewhere"), (60, "Expired")] {
            let (old, new) = (Browser::signed_in(&site, "ada").await, Browser::signed_in(&site, "ada").await);
            new.read(&site, "/revoke-others").await;
            world.advance(Duration::from_secs(after));
            assert_eq!(old.read(&site, "/why").await, told, "{after}");
        }
    }

    async fn a_cookie_that_was_never_given_out_tells_nothing(world: World) {
        let site = world.site();
        let visitor = Browser::new();
        assert_eq!(visitor.read(&site, "/why").await, "");
        visitor.read(&site, "/set/a/1").await;
        assert_eq!(visitor.read(&site, "/why").await, "");
        // A made-up cookie gets the same answer whether its session lives, was revoked, or never was.
        let (lives, ended) = (Browser::signed_in(&site, "ada").await, Browser::signed_in(&site, "grace").await);
        world.sessions().revoke_all("grace").await.unwrap();
        let gone = Browser::signed_in(&site, "joan").await;
        let stolen = gone.copy();
        gone.read(&site, "/log-out").await;
        for browser in [&lives, &ended, &stolen] {
            assert_eq!(forged(browser).read(&site, "/why").await, "Expired");
        }
        assert_eq!(ended.read(&site, "/why").await, "Administrator");
        // A session that lives has no reason, and an id before a rotation learns none.
        assert_eq!(lives.read(&site, "/why").await, "");
        let before = lives.copy();
        lives.read(&site, "/rotate").await;
        world.sessions().revoke_all("ada").await.unwrap();
        assert_eq!(before.read(&site, "/why").await, "Expired");
        assert_eq!(lives.read(&site, "/why").await, "Administrator");
    }

    async fn an_idle_session_has_expired(world: World) {
        let site = world.site();
        let browser = Browser::signed_in(&site, "ada").await;
        world.advance(Duration::from_secs(1800));
        assert_eq!(browser.read(&site, "/why").await, "Expired");
    }
}
