use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use larder_redis::RedisStore;
use larder_session::{OnFailure, SessionLayer, Sessions};
use larder_store::ErrorKind;
use larder_test::faulty::Trouble;
use larder_test::server::{RedisServer, Reply};

use crate::support::{Browser, Site, Time, World, on_both_stores};

fn troubles() -> [Trouble; 3] {
    [
        Trouble::Fail(ErrorKind::NotSent),
        Trouble::Fail(ErrorKind::MayHaveRun),
        Trouble::Hang,
    ]
}

async fn away(world: &World, trouble: &Trouble) -> Browser {
    world.switch.clear();
    let browser = Browser::new();
    browser.read(&world.site(), "/log-in/ada").await;
    browser.read(&world.site(), "/set/a/1").await;
    world.switch.set(trouble.clone());
    browser
}

on_both_stores! { Manual;
    async fn with_unavailable_a_failing_store_is_503_whatever_the_handler_returned(world: World) {
        let site = world.site_on_failure(OnFailure::Unavailable);
        for trouble in troubles() {
            let browser = away(&world, &trouble).await;
            for path in ["/careless", "/whoami", "/account", "/get/a", "/set/a/2", "/log-out"] {
                let started = Instant::now();
                let reply = browser.get(&site, path).await;
                assert!(started.elapsed() < Duration::from_secs(5), "{path}");
                assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
                assert_eq!(reply.header("content-type"), Some("application/problem+json"));
                assert_eq!(reply.header("cache-control"), Some("no-store"));
                assert!(!reply.sets_cookie(), "{path}");
            }
            let reply = browser.get(&site, "/untouched").await;
            assert_eq!(reply.status, StatusCode::OK);
            world.switch.clear();
            assert_eq!(browser.read(&site, "/whoami").await, "ada");
            assert_eq!(browser.read(&site, "/get/a").await, "1");
        }
    }

    async fn with_anonymous_the_request_continues_without_a_session_and_the_session_stays(world: World) {
        let site = world.site_on_failure(OnFailure::Anonymous);
        for trouble in troubles() {
            let browser = away(&world, &trouble).await;
            for path in ["/whoami", "/get/a", "/set/a/2", "/show-flash"] {
                let reply = browser.get(&site, path).await;
                assert_eq!((reply.status, &*reply.body), (StatusCode::OK, ""), "{path}");
                assert!(!reply.sets_cookie(), "{path}");
            }
            // A page that needs a user stays closed, and signing in or out fails.
            for path in ["/account", "/log-in/grace", "/log-out", "/rotate", "/devices", "/update"] {
                let reply = browser.get(&site, path).await;
                assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
                assert!(!reply.sets_cookie(), "{path}");
            }
            world.switch.clear();
            assert_eq!(browser.read(&site, "/whoami").await, "ada");
            assert_eq!(browser.read(&site, "/get/a").await, "1");
        }
    }

    async fn a_visitor_without_a_cookie_is_not_signed_in_by_a_failing_store(world: World) {
        for on_failure in [OnFailure::Unavailable, OnFailure::Anonymous] {
            let site = world.site_on_failure(on_failure);
            world.switch.set(Trouble::Fail(ErrorKind::NotSent));
            let browser = Browser::new();
            let reply = browser.get(&site, "/log-in/ada").await;
            assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
            assert!(!reply.sets_cookie());
            assert_eq!(browser.get(&site, "/account").await.status, StatusCode::UNAUTHORIZED);
        }
    }

    async fn a_write_that_fails_after_the_handler_returned_is_503(world: World) {
        let browser = Browser::new();
        let site = world.site_on_failure(OnFailure::Unavailable);
        browser.read(&site, "/set/a/1").await;
        for trouble in [Trouble::Fail(ErrorKind::NotSent), Trouble::LoseAnswer] {
            world.switch.set_next(1, trouble);
            let reply = Browser::new().get(&site, "/set/a/2").await;
            assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
            assert!(!reply.sets_cookie());
            world.switch.clear();
        }
        assert_eq!(browser.read(&site, "/get/a").await, "1");
    }

    async fn a_failing_store_is_asked_once_per_request(world: World) {
        let site = world.site_on_failure(OnFailure::Anonymous);
        let browser = away(&world, &Trouble::Fail(ErrorKind::NotSent)).await;
        let before = world.switch.operations();
        browser.read(&site, "/show-flash").await;
        // The session and the user's epoch, concurrently, and nothing at the end.
        assert!(world.switch.operations() - before <= 2);
    }
}

#[tokio::test]
async fn a_server_that_is_stopped_is_503_and_works_again_without_a_restart() {
    let mut world = World::redis(Time::Real).await;
    let site = world.site_on_failure(OnFailure::Unavailable);
    let browser = Browser::new();
    browser.read(&site, "/set/a/1").await;
    world.server.as_mut().unwrap().kill();
    for _ in 0..5 {
        let started = Instant::now();
        let reply = browser.get(&site, "/get/a").await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(started.elapsed() < Duration::from_secs(2));
    }
    world.server.as_mut().unwrap().restart().unwrap();
    let started = Instant::now();
    while browser.get(&site, "/get/a").await.status != StatusCode::OK {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "it did not come back"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_server_that_answers_nothing_is_503_within_the_deadline_of_the_store() {
    let server = RedisServer::start().unwrap();
    let store = RedisStore::builder(&server.url()).with_timeout(Duration::from_millis(500));
    let store = store.connect().await.unwrap();
    let sessions = Sessions::new(Arc::new(store)).unwrap();
    let site = Site::new(SessionLayer::new(sessions));
    let (visitor, user) = (Browser::new(), Browser::new());
    visitor.read(&site, "/set/a/1").await;
    user.read(&site, "/log-in/ada").await;
    server.stop().unwrap();
    for browser in [&visitor, &user] {
        let started = Instant::now();
        let reply = browser.get(&site, "/account").await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(started.elapsed() < Duration::from_secs(2));
    }
    server.cont().unwrap();
}

#[tokio::test]
async fn a_damaged_session_counts_as_absent_and_the_state_of_a_user_as_that_of_a_disabled_account()
{
    let world = World::redis(Time::Real).await;
    let (site, server) = (world.site(), world.server.as_ref().unwrap());
    let keys = |pattern: &str| match server.command(&["KEYS", pattern]).unwrap() {
        Reply::Array(keys) => keys,
        other => panic!("no list: {other:?}"),
    };
    let browser = Browser::new();
    browser.read(&site, "/log-in/ada").await;
    let state = keys("session-user:*:state")[0].text().unwrap().into_owned();
    for damage in [
        &["SET", &state, "short", "EX", "60"][..],
        &["APPEND", &state, "x"],
        // The byte that says whether the account is disabled, and one character of a spared session.
        &["SETRANGE", &state, "17", "\u{2}"],
        &["APPEND", &state, "AAAAAAAAAAAAAAAAAAAAA!"],
        &["APPEND", &state, "AAAAAAAAAAAAAAAAAAAAAB"],
    ] {
        server.command(damage).unwrap();
        let admin = world.sessions();
        // The account may have been disabled: nobody can sign in until somebody says that it is
        // not.
        for _ in 0..2 {
            assert_eq!(
                browser.copy().read(&site, "/whoami").await,
                "",
                "{damage:?}"
            );
            let refused = Browser::new().get(&site, "/log-in/ada").await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{damage:?}");
            assert!(admin.is_disabled("ada").await.unwrap(), "{damage:?}");
            assert!(admin.devices("ada").await.unwrap().is_empty(), "{damage:?}");
            // That does not enable it.
            admin.revoke_all("ada").await.unwrap();
        }
        admin.enable("ada").await.unwrap();
        assert_eq!(
            browser.copy().read(&site, "/whoami").await,
            "",
            "{damage:?}"
        );
        browser.read(&site, "/log-in/ada").await;
        assert_eq!(browser.read(&site, "/whoami").await, "ada");
    }
    for key in keys("session:*") {
        let key = key.text().unwrap().into_owned();
        server.command(&["SETRANGE", &key, "70", "xxxx"]).unwrap();
    }
    assert_eq!(browser.read(&site, "/whoami").await, "");
    browser.read(&site, "/log-in/ada").await;
    assert_eq!(browser.read(&site, "/devices").await.lines().count(), 1);
}

#[tokio::test]
async fn a_list_of_sessions_that_cannot_be_read_keeps_nobody_from_signing_in_and_out() {
    let world = World::redis(Time::Real).await;
    let (site, server) = (world.site(), world.server.as_ref().unwrap());
    let browser = Browser::new();
    browser.read(&site, "/log-in/ada").await;
    let Reply::Array(keys) = server.command(&["KEYS", "session-user:*}"]).unwrap() else {
        panic!("no list");
    };
    let user = keys[0].text().unwrap().into_owned();
    for field in ["n", "x", "s:AAAAAAAAAAAAAAAAAAAAAA"] {
        for page in ["/log-in/ada", "/devices", "/revoke-others", "/log-out"] {
            for noise in [
                "noise",
                "inf",
                "nan",
                "1e300",
                "-1",
                "0x7f",
                "99999999999999999999",
            ] {
                browser.read(&site, "/log-in/ada").await;
                server.command(&["HSET", &user, field, noise]).unwrap();
                let reply = browser.get(&site, page).await;
                assert_eq!(reply.status, StatusCode::OK, "{field} {page} {noise}");
            }
        }
    }
    // No sign-in is dated into the future, where it would be a recent one for ever.
    browser.read(&site, "/log-in/ada").await;
    server
        .command(&["HSET", &user, "n", "4000000000000000"])
        .unwrap();
    browser.read(&site, "/log-in/ada").await;
    assert_eq!(browser.read(&site, "/whoami").await, "ada");
    assert_eq!(browser.read(&site, "/recent/300").await, "ada");
    let signed_in = world.sessions().devices("ada").await.unwrap()[0].signed_in;
    assert!(signed_in.as_micros() < 4_000_000_000_000_000);
}

#[tokio::test]
async fn while_nobody_can_read_when_everyone_was_signed_out_no_user_is_signed_in() {
    let world = World::redis(Time::Real).await;
    let server = world.server.as_ref().unwrap();
    let (old, visitor) = (Browser::new(), Browser::new());
    old.read(&world.site(), "/log-in/ada").await;
    visitor.read(&world.site(), "/set/a/1").await;
    world.sessions().revoke_everyone().await.unwrap();
    for damage in [
        "",
        "noise",
        "-1",
        "0",
        "99999999999999999999",
        "9007199254740993",
    ] {
        server
            .command(&["SET", "session-everyone:{all}", damage])
            .unwrap();
        // Processes that know nothing yet.
        let site = world.site();
        for page in ["/account", "/log-in/ada", "/devices"] {
            let reply = old.copy().get(&site, page).await;
            assert_eq!(
                reply.status,
                StatusCode::SERVICE_UNAVAILABLE,
                "{damage} {page}"
            );
        }
        assert_eq!(visitor.read(&site, "/get/a").await, "1", "{damage}");
        world.sessions().revoke_everyone().await.unwrap();
        // It grows from whatever can be read, even if the clock of the server is behind.
        server
            .command(&["SET", "session-everyone:{all}", "4000000000000000"])
            .unwrap();
        world.sessions().revoke_everyone().await.unwrap();
        let ended = server.command(&["GET", "session-everyone:{all}"]).unwrap();
        assert_eq!(ended.text().unwrap(), "4000000000000001", "{damage}");
        assert_eq!(old.copy().read(&site, "/whoami").await, "", "{damage}");
        let new = Browser::new();
        new.read(&site, "/log-in/ada").await;
        assert_eq!(new.read(&site, "/account").await, "ada", "{damage}");
    }
}

/// Signs ada in on a server that knows of an earlier end of everyone's sessions.
async fn signed_in_after_everyone_was_signed_out() -> (World, Site, Browser) {
    let world = World::redis(Time::Manual).await;
    world.advance(Duration::from_secs(1));
    world.sessions().revoke_everyone().await.unwrap();
    let (site, browser) = (world.site(), Browser::new());
    browser.read(&site, "/log-in/ada").await;
    assert_eq!(browser.read(&site, "/account").await, "ada");
    (world, site, browser)
}

#[tokio::test]
async fn a_process_that_cannot_read_when_everyone_was_signed_out_trusts_no_earlier_answer() {
    let (world, site, browser) = signed_in_after_everyone_was_signed_out().await;
    let server = world.server.as_ref().unwrap();
    server
        .command(&["SETRANGE", "session-everyone:{all}", "0", "x"])
        .unwrap();
    world.advance(Duration::from_secs(1));
    for request in 0..3 {
        let reply = browser.copy().get(&site, "/account").await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{request}");
    }
    world.sessions().revoke_everyone().await.unwrap();
    assert_eq!(browser.copy().read(&site, "/whoami").await, "");
    browser.read(&site, "/log-in/ada").await;
    assert_eq!(browser.read(&site, "/account").await, "ada");
}

/// A server that keeps nothing on disk has forgotten all when it starts again.
#[tokio::test]
async fn after_a_server_has_lost_all_it_kept_users_sign_in_as_ever() {
    let (world, site, browser) = signed_in_after_everyone_was_signed_out().await;
    let server = world.server.as_ref().unwrap();
    // One process meets a sign-in, and another the session that it made.
    let other = world.site();
    assert_eq!(browser.copy().read(&other, "/account").await, "ada");
    server.command(&["FLUSHALL"]).unwrap();
    assert_eq!(browser.read(&site, "/whoami").await, "");
    browser.read(&site, "/log-in/ada").await;
    assert_eq!(browser.read(&site, "/account").await, "ada");
    world.advance(Duration::from_secs(1));
    assert_eq!(browser.read(&other, "/account").await, "ada");
    // They are ended as usual, including those of the moment before.
    world.sessions().revoke_everyone().await.unwrap();
    world.advance(Duration::from_secs(1));
    for site in [&site, &other] {
        assert_eq!(browser.copy().read(site, "/whoami").await, "");
    }
}

#[tokio::test]
async fn a_session_whose_user_was_damaged_is_absent_and_not_another_users() {
    let world = World::redis(Time::Real).await;
    let (site, server) = (world.site(), world.server.as_ref().unwrap());
    let browser = Browser::new();
    browser.read(&site, "/log-in/adamant").await;
    let Reply::Array(keys) = server.command(&["KEYS", "session:*"]).unwrap() else {
        panic!("no list");
    };
    let key = keys[0].text().unwrap().into_owned();
    // After the head, the length of the previous secret, and that of the user.
    server
        .command(&["SETRANGE", &key, "93", "bdamant"])
        .unwrap();
    assert_eq!(browser.read(&site, "/whoami").await, "");
}
