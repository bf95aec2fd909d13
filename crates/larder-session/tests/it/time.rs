use std::time::Duration;

use larder_session::Lifetime;
use larder_store::Ttl;

use crate::support::{Browser, World, on_both_stores};

fn life(world: &World) -> larder_session::Sessions {
    let life = Lifetime::new(Ttl::from_secs(100), Ttl::from_secs(300)).unwrap();
    world
        .sessions()
        .with_lifetime(life.with_touch(Ttl::from_secs(10)).unwrap())
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

    async fn what_was_seen_a_moment_ago_is_not_written(world: World) {
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

    async fn what_has_ended_stays_dead_when_it_is_written(world: World) {
        let (site, browser) = (World::site_of(life(&world)), Browser::new());
        browser.read(&site, "/log-in/ada").await;
        let old = browser.copy();
        world.advance(Duration::from_secs(100));
        browser.read(&site, "/set/a/1").await;
        assert_ne!(old.record(), browser.record());
        assert_eq!(browser.read(&site, "/whoami").await, "");
        assert_eq!(old.read(&site, "/get/a").await, "");
    }

    async fn the_deadline_is_slid_beside_the_read_and_not_more_often_than_the_touch(world: World) {
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
}

#[tokio::test]
async fn by_the_servers_own_clock_a_session_slides_and_ends() {
    use crate::support::Time;
    let world = World::redis(Time::Real).await;
    let life = Lifetime::new(Ttl::from_millis(1_500), Ttl::from_secs(60)).unwrap();
    let life = life.with_touch(Ttl::from_millis(1)).unwrap();
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
