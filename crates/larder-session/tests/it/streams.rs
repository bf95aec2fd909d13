//! What ends a stream: a request that waits for the end of its session.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::{Browser, Site, World, on_both_stores};

/// A request that is answered when the session of `browser` has ended.
async fn stream(site: &Site, browser: &Browser) -> JoinHandle<String> {
    let (site, browser) = (site.clone(), browser.copy());
    let arrived = site.clone();
    let stream = tokio::spawn(async move { browser.read(&site, "/arriving/stream").await });
    arrived.gate.arrived().await;
    stream
}

async fn ended(stream: JoinHandle<String>, of: &str) -> String {
    let ended = timeout(Duration::from_secs(20), stream).await;
    ended
        .unwrap_or_else(|_| panic!("the stream of {of} ends"))
        .unwrap()
}

on_both_stores! { Manual;
    async fn a_stream_ends_when_its_session_ends_in_another_process(world: World) {
        world.advance(Duration::from_secs(1));
        // An interval that no test waits for: the message ends the stream.
        let sessions = world.sessions().with_watch_interval(Duration::from_secs(3600));
        let (here, there, admin) = (World::site_of(sessions), world.site(), world.sessions());
        for expected in [
            "SignedOut",
            "SignedOutElsewhere",
            "PasswordChanged",
            "Administrator",
            "Disabled",
        ] {
            let browser = Browser::signed_in(&here, expected).await;
            let other = Browser::signed_in(&there, expected).await;
            let streams = [stream(&here, &browser).await, stream(&here, &browser).await];
            let stays = stream(&here, &other).await;
            match expected {
                "SignedOut" => drop(browser.read(&there, "/log-out").await),
                "SignedOutElsewhere" => {
                    let path = format!("/revoke/{}", browser.record());
                    assert_eq!(other.read(&there, &path).await, "true");
                }
                "PasswordChanged" => drop(other.read(&there, "/password-changed").await),
                "Administrator" => {
                    let id = browser.record().parse().unwrap();
                    assert!(admin.revoke(expected, id).await.unwrap());
                }
                _ => admin.disable(expected).await.unwrap(),
            }
            for stream in streams {
                assert_eq!(ended(stream, expected).await, expected);
            }
            if expected != "Disabled" {
                assert!(!stays.is_finished(), "{expected}");
                other.read(&there, "/log-out").await;
            }
            ended(stays, expected).await;
        }
    }

    async fn the_streams_of_everyone_end_with_their_sessions(world: World) {
        world.advance(Duration::from_secs(1));
        let sessions = world.sessions().with_watch_interval(Duration::from_secs(3600));
        let site = World::site_of(sessions);
        let ada = Browser::signed_in(&site, "ada").await;
        let grace = Browser::signed_in(&site, "grace").await;
        let streams = [stream(&site, &ada).await, stream(&site, &grace).await];
        // The message ends them, whatever this process has learned of everyone before.
        world.sessions().revoke_everyone().await.unwrap();
        for stream in streams {
            assert_eq!(ended(stream, "all").await, "Administrator");
        }
    }

    async fn a_stream_outlives_a_new_id_and_ends_with_another_user(world: World) {
        let sessions = world.sessions().with_watch_interval(Duration::from_secs(3600));
        let site = World::site_of(sessions);
        let browser = Browser::signed_in(&site, "ada").await;
        let stream = stream(&site, &browser).await;
        browser.read(&site, "/rotate").await;
        browser.read(&site, "/log-in/ada").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!stream.is_finished());
        browser.read(&site, "/log-in/grace").await;
        assert_eq!(ended(stream, "ada").await, "SignedOut");
    }

    async fn a_stream_of_a_visitor_who_signs_in_later_ends_with_the_sign_out(world: World) {
        let sessions = world.sessions().with_watch_interval(Duration::from_secs(3600));
        let (here, there) = (World::site_of(sessions.clone()), world.site());
        for (way, expected) in [("/log-out", "SignedOut"), ("all", "Administrator")] {
            let browser = Browser::new();
            browser.read(&here, "/set/a/1").await;
            let stream = stream(&here, &browser).await;
            browser.read(&there, "/log-in/ada").await;
            match way {
                "all" => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    assert!(!stream.is_finished());
                    sessions.revoke_all("ada").await.unwrap();
                }
                way => drop(browser.read(&there, way).await),
            }
            assert_eq!(ended(stream, way).await, expected);
        }
    }

    async fn a_stream_ends_when_its_session_expires(world: World) {
        let sessions = world.sessions().with_watch_interval(Duration::from_millis(20));
        let site = World::site_of(sessions);
        let browser = Browser::signed_in(&site, "ada").await;
        let stream = stream(&site, &browser).await;
        world.advance(Duration::from_secs(1799));
        browser.read(&site, "/set/a/1").await;
        world.advance(Duration::from_secs(2));
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!stream.is_finished(), "it was used, elsewhere");
        world.advance(Duration::from_secs(1800));
        let reason = ended(stream, "ada").await;
        // This process does not see that a server's clock jumps: it may find the session gone too early.
        let jumped = world.server.is_some() && reason == "SignedOut";
        assert!(jumped || reason == "Expired", "{reason}");
    }

    async fn without_a_session_there_is_nothing_to_wait_for(world: World) {
        let site = world.site();
        assert_eq!(Browser::new().read(&site, "/stream").await, "SignedOut");
    }
}

#[tokio::test]
async fn a_thousand_streams_share_one_task_and_leave_none() {
    let world = World::memory(crate::support::Time::Manual).await;
    let site = Arc::new(world.site());
    let browser = Browser::signed_in(&site, "ada").await;
    let mut streams = Vec::new();
    for _ in 0..1_000 {
        streams.push(stream(&site, &browser).await);
    }
    let (kept, dropped) = (streams.split_off(500), streams);
    for stream in dropped {
        stream.abort();
    }
    world.sessions().revoke_all("ada").await.unwrap();
    for stream in kept {
        assert_eq!(ended(stream, "all").await, "Administrator");
    }
    world.settled().await;
}
