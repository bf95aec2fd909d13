use std::time::Duration;

use larder_session::{CookieExpiry, Lifetime, SessionCookie, SessionLayer};
use larder_store::{Timestamp, Ttl};

use crate::support::{Browser, Site, World, on_both_stores};

fn life(world: &World) -> larder_session::Sessions {
    let life = Lifetime::new(Ttl::from_secs(100), Ttl::from_secs(300)).unwrap();
    world
        .sessions()
        .with_lifetime(life.with_touch_interval(Ttl::from_secs(10)).unwrap())
}

on_both_stores! { Manual;
    async fn an_idle_session_ends_to_the_microsecond(world: World) {
        let site = World::site_of(life(&world));
        for (wait, expected) in [(99_999_999, "1"), (100_000_000, "")] {
            let browser = Browser::new();
            browser.read(&site, "/set/a/1").await;
            world.advance_micros(wait);
            assert_eq!(browser.read(&site, "/get/a").await, expected);
        }
    }

    async fn reading_slides_the_idle_deadline_but_not_the_absolute_one(world: World) {
        let (site, browser) = (World::site_of(life(&world)), Browser::new());
        browser.read(&site, "/set/a/1").await;
        for _ in 0..5 {
            world.advance(Duration::from_secs(59));
            assert_eq!(browser.read(&site, "/get/a").await, "1");
            world.settled().await;
        }
        world.advance_micros(4_999_999);
        assert_eq!(browser.read(&site, "/get/a").await, "1");
        world.advance_micros(1);
        assert_eq!(browser.read(&site, "/get/a").await, "");
    }

    async fn activity_within_the_touch_is_not_written(world: World) {
        let (site, browser) = (World::site_of(life(&world)), Browser::new());
        browser.read(&site, "/set/a/1").await;
        world.advance_micros(9_999_999);
        browser.read(&site, "/get/a").await;
        world.settled().await;
        // It ends a hundred seconds after it was written, not after it was read.
        world.advance_micros(90_000_000);
        assert_eq!(browser.copy().read(&site, "/get/a").await, "1");
        world.settled().await;
        world.advance_micros(99_999_999);
        assert_eq!(browser.read(&site, "/get/a").await, "1");
    }

    async fn a_sign_in_begins_the_absolute_time_again(world: World) {
        let (site, browser) = (World::site_of(life(&world)), Browser::new());
        browser.read(&site, "/set/a/1").await;
        for _ in 0..5 {
            world.advance(Duration::from_secs(59));
            browser.read(&site, "/get/a").await;
            world.settled().await;
        }
        browser.read(&site, "/log-in/ada").await;
        for _ in 0..5 {
            world.advance(Duration::from_secs(59));
            assert_eq!(browser.read(&site, "/whoami").await, "ada");
            world.settled().await;
        }
        world.advance(Duration::from_secs(5));
        assert_eq!(browser.read(&site, "/whoami").await, "");
    }

    async fn a_session_that_has_ended_stays_dead_after_a_write(world: World) {
        let (site, browser) = (World::site_of(life(&world)), Browser::new());
        browser.read(&site, "/log-in/ada").await;
        let old = browser.copy();
        world.advance(Duration::from_secs(100));
        browser.read(&site, "/set/a/1").await;
        assert_ne!(old.record(), browser.record());
        assert_eq!(browser.read(&site, "/whoami").await, "");
        assert_eq!(old.read(&site, "/get/a").await, "");
    }

    async fn the_deadline_slides_after_the_read_and_at_most_once_per_touch(world: World) {
        let (site, browser) = (World::site_of(life(&world)), Browser::new());
        browser.read(&site, "/set/a/1").await;
        for (wait, operations) in [(9_999_999, 1), (1, 2), (9_999_999, 1), (1, 2)] {
            world.advance_micros(wait);
            let before = world.switch.operations();
            browser.read(&site, "/get/a").await;
            world.settled().await;
            assert_eq!(world.switch.operations() - before, operations);
        }
    }

    async fn a_sign_in_chooses_how_long_its_session_lives(world: World) {
        let longest = Lifetime::new(Ttl::from_secs(1_000), Ttl::from_secs(5_000)).unwrap();
        let sessions = life(&world).with_max_lifetime(longest);
        let (site, browser) = (World::site_of(sessions.clone()), Browser::new());
        let reply = browser.get(&site, "/log-in-for/ada/1000/5000/kept").await;
        assert!(reply.header("set-cookie").unwrap().ends_with("; Max-Age=5000"), "{reply:?}");
        let device = sessions.devices("ada").await.unwrap().remove(0);
        assert_eq!(device.idle, Ttl::from_secs(1_000));
        assert_eq!(device.cookie_expiry, Some(CookieExpiry::WithTheSession));
        let micros = |time: Timestamp| time.as_micros() - device.created.as_micros();
        assert_eq!((micros(device.expires), micros(device.ends)), (1_000_000_000, 5_000_000_000));

        // Both are kept through a new id, and slide by the session's own idle time.
        world.advance(Duration::from_secs(900));
        let reply = browser.get(&site, "/rotate").await;
        assert!(reply.header("set-cookie").unwrap().ends_with("; Max-Age=4100"), "{reply:?}");
        for _ in 0..4 {
            world.advance_micros(999_999_999);
            assert_eq!(browser.read(&site, "/whoami").await, "ada");
            world.settled().await;
        }
        browser.read(&site, "/set/a/1").await;
        world.advance_micros(100_000_003);
        assert_eq!(browser.read(&site, "/whoami").await, "ada");
        world.settled().await;
        // Slid at an odd moment, it ends up to a millisecond late.
        world.advance_micros(1_000);
        assert_eq!(browser.read(&site, "/whoami").await, "");
    }

    async fn the_next_sign_in_chooses_again(world: World) {
        let longest = Lifetime::new(Ttl::from_secs(1_000), Ttl::from_secs(5_000)).unwrap();
        let sessions = life(&world).with_max_lifetime(longest);
        let (site, browser) = (World::site_of(sessions.clone()), Browser::new());
        browser.read(&site, "/log-in-for/ada/1000/5000/kept").await;
        let reply = browser.get(&site, "/log-in/ada").await;
        assert!(!reply.header("set-cookie").unwrap().contains("Max-Age"), "{reply:?}");
        let device = sessions.devices("ada").await.unwrap().remove(0);
        assert_eq!((device.idle, device.cookie_expiry), (Ttl::from_secs(100), None));
        world.advance(Duration::from_secs(100));
        assert_eq!(browser.read(&site, "/whoami").await, "");
    }

    async fn a_shorter_lifetime_than_the_apps_holds_and_slides_by_its_own_touch(world: World) {
        let (site, browser) = (World::site_of(life(&world)), Browser::new());
        // Shorter than the touch of the app.
        browser.read(&site, "/log-in-for/ada/6/20").await;
        for _ in 0..3 {
            world.advance(Duration::from_secs(5));
            assert_eq!(browser.read(&site, "/whoami").await, "ada");
            world.settled().await;
        }
        world.advance_micros(4_999_999);
        assert_eq!(browser.read(&site, "/whoami").await, "ada");
        world.settled().await;
        world.advance_micros(1_000);
        assert_eq!(browser.read(&site, "/whoami").await, "");
        browser.read(&site, "/log-in-for/ada/6/20").await;
        world.advance(Duration::from_secs(6));
        assert_eq!(browser.read(&site, "/whoami").await, "");
    }

    async fn a_lifetime_beyond_the_limit_is_refused_before_the_user_is_signed_in(world: World) {
        let longest = Lifetime::new(Ttl::from_secs(200), Ttl::from_secs(5_000)).unwrap();
        for (sessions, wrong) in [
            (life(&world), ["/log-in-for/ada/101/300", "/log-in-for/ada/100/301"]),
            (
                life(&world).with_max_lifetime(longest),
                ["/log-in-for/ada/201/5000", "/log-in-for/ada/200/5001"],
            ),
        ] {
            let (site, browser) = (World::site_of(sessions), Browser::new());
            for path in wrong {
                let reply = browser.get(&site, path).await;
                assert_eq!(reply.status, 400, "{path}");
                assert!(reply.body.contains("Sessions::with_max_lifetime"), "{}", reply.body);
                assert!(!reply.sets_cookie());
            }
            browser.read(&site, "/log-in-for/ada/100/300").await;
        }
    }

    async fn a_sign_in_can_choose_a_cookie_that_the_browser_forgets(world: World) {
        let cookie = SessionCookie::builder().with_expiry(CookieExpiry::WithTheSession);
        let layer = SessionLayer::new(life(&world)).with_cookie(cookie.build().unwrap());
        let (site, browser) = (Site::new(layer), Browser::new());
        let reply = browser.get(&site, "/log-in-for/ada/100/300/closed").await;
        assert!(!reply.header("set-cookie").unwrap().contains("Max-Age"), "{reply:?}");
        let reply = browser.get(&site, "/rotate").await;
        assert!(!reply.header("set-cookie").unwrap().contains("Max-Age"), "{reply:?}");
        let reply = browser.get(&site, "/log-in/ada").await;
        assert!(reply.header("set-cookie").unwrap().ends_with("; Max-Age=300"), "{reply:?}");
    }
}

#[tokio::test]
async fn by_the_servers_own_clock_a_session_slides_and_ends() {
    use crate::support::Time;
    let world = World::redis(Time::Real).await;
    let life = Lifetime::new(Ttl::from_millis(1_500), Ttl::from_secs(60)).unwrap();
    let life = life.with_touch_interval(Ttl::from_millis(1)).unwrap();
    let site = World::site_of(world.sessions().with_lifetime(life));
    let (server, browser) = (world.server.as_ref().unwrap(), Browser::new());
    browser.read(&site, "/set/a/1").await;
    let keys = server.command(&["KEYS", "session:*"]).unwrap();
    let larder_test::server::Reply::Array(keys) = keys else {
        panic!("no list: {keys:?}")
    };
    let key = keys[0].text().unwrap().into_owned();
    let left = || server.command(&["PTTL", &key]).unwrap().int().unwrap();
    // As if a second had passed.
    server.command(&["PEXPIRE", &key, "500"]).unwrap();
    assert!(left() <= 500);
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(browser.read(&site, "/get/a").await, "1");
    world.settled().await;
    assert!(left() > 500, "it was not slid");
    server.command(&["PEXPIRE", &key, "1"]).unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(browser.read(&site, "/get/a").await, "");
}
