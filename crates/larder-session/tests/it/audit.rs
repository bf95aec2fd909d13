//! Events for an audit log, and the guard against a flood of visitors.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
use larder_session::{DeviceId, DeviceLimit, EndReason, OnFailure, SessionHash, SessionLayer};

use crate::support::{Browser, Site, World, on_both_stores};

on_both_stores! { Manual;
    async fn an_audit_log_gets_every_event_and_no_secret(world: World) {
        world.advance(Duration::from_secs(1));
        let log = Arc::new(Mutex::new(Vec::new()));
        let to = log.clone();
        let sessions = world
            .sessions()
            .with_device_limit(DeviceLimit::EndOldest(2))
            .with_events(move |event| to.lock().unwrap().push(event.clone()));
        let (site, admin) = (World::site_of(sessions.clone()), sessions);
        let taken = || {
            let events: Vec<_> = std::mem::take(&mut *log.lock().unwrap());
            let lines = events.iter().map(|event| {
                let user = event.user.as_ref().map_or("", |user| user.as_str());
                let of = if event.session.is_some() { " session" } else { "" };
                let why = event.reason.map(|why| format!(" {why:?}")).unwrap_or_default();
                format!("{:?} {user}{of}{why}", event.kind)
            });
            let lines = lines.collect::<Vec<_>>().join(", ");
            (lines, events)
        };
        let (browser, other) = (Browser::new(), Browser::new());
        browser.read(&site, "/set/a/1").await;
        assert_eq!(taken().0, "");
        browser.read(&site, "/log-in/ada").await;
        let (lines, events) = taken();
        assert_eq!(lines, "SignedIn ada session");
        // The log and a list of devices name the same session.
        let hash = SessionHash::from(browser.record().parse::<DeviceId>().unwrap());
        assert_eq!(events[0].session, Some(hash));
        assert_eq!(hash.to_string().len(), 16);
        let shown = format!("{:?}", events[0]);
        assert!(!shown.contains("ada") && !shown.contains(&browser.record()), "{shown}");
        browser.read(&site, "/rotate").await;
        assert_eq!(taken().0, "Rotated ada session");
        world.advance_micros(1);
        other.read(&site, "/log-in/ada").await;
        assert_eq!(taken().0, "SignedIn ada session");
        world.advance_micros(1);
        let third = Browser::new();
        third.read(&site, "/log-in/ada").await;
        assert_eq!(taken().0, "Ended ada session TooManyDevices, SignedIn ada session");
        browser.read(&site, "/whoami").await;
        assert_eq!(taken().0, "RevokedCookieUsed  session TooManyDevices");
        third.read(&site, &format!("/revoke/{}", other.record())).await;
        assert_eq!(taken().0, "Ended ada session SignedOutElsewhere");
        // A session that has ended does not end again, for its user or for another.
        third.read(&site, &format!("/revoke/{}", other.record())).await;
        assert_eq!(taken().0, "");
        let (ended, why) = (other.record().parse().unwrap(), EndReason::SignedOutElsewhere);
        assert!(admin.revoke_because("grace", ended, why).await.unwrap());
        assert_eq!(taken().0, "");
        // A session that never was has not ended.
        for none in ["AAAAAAAAAAAAAAAAAAAAAA", "BAAAAAAAAAAAAAAAAAAAAA"] {
            third.read(&site, &format!("/revoke/{none}")).await;
            assert_eq!(taken().0, "");
        }
        third.read(&site, "/password-changed").await;
        assert_eq!(taken().0, "UserRevoked ada PasswordChanged");
        third.read(&site, "/log-out").await;
        assert_eq!(taken().0, "SignedOut ada session");
        admin.disable("ada").await.unwrap();
        assert_eq!(taken().0, "UserRevoked ada Disabled, Disabled ada");
        third.get(&site, "/log-in/ada").await;
        assert_eq!(taken().0, "SignInRefused ada Disabled");
        admin.enable("ada").await.unwrap();
        assert_eq!(taken().0, "Enabled ada");
        admin.revoke_everyone().await.unwrap();
        assert_eq!(taken().0, "EveryoneRevoked  Administrator");
    }

    async fn a_flood_of_visitors_creates_no_more_sessions_than_allowed(world: World) {
        let most = NonZeroU32::MIN;
        let sessions = world.sessions().with_max_new_per_second(most);
        let site = World::site_of(sessions.clone());
        let known = Browser::new();
        known.read(&site, "/log-in/ada").await;
        let (mut created, mut refused) = (0, 0);
        let began = std::time::Instant::now();
        for _ in 0..200 {
            let reply = Browser::new().get(&site, "/set/a/1").await;
            match reply.status {
                StatusCode::OK => created += 1,
                StatusCode::SERVICE_UNAVAILABLE => {
                    assert!(!reply.sets_cookie());
                    assert_eq!(reply.header("retry-after"), Some("1"));
                    refused += 1;
                }
                other => panic!("{other}"),
            }
        }
        let allowed = 2 + usize::try_from(began.elapsed().as_secs()).unwrap();
        assert!((1..=allowed).contains(&created), "{created} of {allowed}");
        assert!(refused > 0);
        // Existing sessions, sign-ins, and requests that only read continue.
        known.read(&site, "/set/a/1").await;
        for _ in 0..20 {
            Browser::new().read(&site, "/log-in/grace").await;
            Browser::new().read(&site, "/get/a").await;
        }
        // What is written at once says why, and with `Anonymous` the page comes without a session.
        let layer = SessionLayer::new(sessions).with_on_failure(OnFailure::Anonymous);
        let lenient = Site::new(layer);
        // Once per second, one is let in.
        let (mut refused, mut without) = (0, 0);
        for _ in 0..20 {
            let reply = Browser::new().get(&site, "/update").await;
            if reply.status == StatusCode::SERVICE_UNAVAILABLE {
                assert!(reply.body.contains("try again later") || reply.header("retry-after").is_some());
                refused += 1;
            }
            let page = Browser::new().get(&lenient, "/set/a/1").await;
            assert!(page.status.is_success());
            without += usize::from(!page.sets_cookie());
        }
        assert!(refused > 0 && without > 0, "{refused} {without}");
    }
}
