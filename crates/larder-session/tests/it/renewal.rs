//! Ids that are replaced once per period.

use std::time::Duration;

use larder_session::{CookieExpiry, Lifetime, SessionCookie, SessionLayer};
use larder_store::{ErrorKind, Ttl};
use larder_test::faulty::Trouble;

use crate::support::{Browser, Reply, Site, World, on_both_stores};

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

fn site(world: &World) -> Site {
    let life = Lifetime::new(Ttl::from_secs(24 * 3600), Ttl::from_secs(10 * 24 * 3600)).unwrap();
    let sessions = world.sessions().with_lifetime(life);
    let cookie = SessionCookie::builder().with_expiry(CookieExpiry::WithTheSession);
    let layer = SessionLayer::new(sessions.with_renewal(Ttl::from_secs(3600)));
    Site::new(layer.with_cookie(cookie.build().unwrap()))
}

/// Sends a request that renews its id while this trouble befalls so many operations.
async fn renewed(
    world: &World,
    site: &Site,
    browser: &Browser,
    operations: usize,
    trouble: Trouble,
) -> (Browser, Reply) {
    let held = {
        let (site, browser) = (site.clone(), browser.copy());
        tokio::spawn(async move {
            let reply = browser.get(&site, "/held/whoami").await;
            (browser, reply)
        })
    };
    site.gate.arrived().await;
    world.switch.set_next(operations, trouble);
    site.gate.open();
    let (browser, reply) = held.await.unwrap();
    assert_eq!((reply.status.as_u16(), &*reply.body), (200, "ada"));
    (browser, reply)
}

on_both_stores! { Manual;
    async fn an_id_is_replaced_once_per_period_and_all_else_stays(world: World) {
        let (site, browser) = (site(&world), Browser::new());
        browser.read(&site, "/log-in/ada").await;
        browser.read(&site, "/set/a/1").await;
        let (record, mut ids) = (browser.record(), vec![browser.cookie()]);
        for renewal in 1..4 {
            world.advance(HOUR - Duration::from_micros(1));
            assert!(!browser.get(&site, "/get/a").await.sets_cookie());
            world.settled().await;
            world.advance_micros(1);
            // A request that does not use its session renews nothing.
            assert!(!browser.get(&site, "/untouched").await.sets_cookie());
            let reply = browser.get(&site, "/get/a").await;
            assert_eq!(reply.body, "1");
            assert_eq!(reply.header("cache-control"), Some("no-store"));
            let left = 10 * 24 * 3600 - renewal * 3600;
            let set = reply.header("set-cookie").unwrap();
            assert!(set.ends_with(&format!("; Max-Age={left}")), "{set}");
            assert!(!ids.contains(&browser.cookie()));
            ids.push(browser.cookie());
            assert_eq!(browser.record(), record);
            assert!(!browser.get(&site, "/get/a").await.sets_cookie());
            assert_eq!(browser.read(&site, "/whoami").await, "ada");
        }
    }

    async fn a_renewal_is_written_after_the_changes_of_its_request(world: World) {
        let (site, browser) = (site(&world), Browser::new());
        browser.read(&site, "/set/a/1").await;
        world.advance(HOUR);
        let reply = browser.get(&site, "/set/a/2").await;
        assert!(reply.sets_cookie());
        assert_eq!(browser.read(&site, "/get/a").await, "2");
        // A new id for another reason is not replaced again.
        world.advance(HOUR);
        for path in ["/rotate", "/log-in/ada", "/get/a"] {
            let reply = browser.get(&site, path).await;
            let sets = reply.headers.get_all("set-cookie").iter().count();
            assert_eq!(sets, usize::from(path != "/get/a"), "{path}");
        }
    }

    async fn a_rotation_begins_the_period_anew(world: World) {
        let life = Lifetime::new(Ttl::from_secs(24 * 3600), Ttl::from_secs(10 * 24 * 3600)).unwrap();
        for grace in [Ttl::from_millis(1), Ttl::from_secs(7), Ttl::from_secs(600)] {
            let sessions = world.sessions().with_lifetime(life).with_grace(grace);
            for sessions in [sessions, world.sessions().with_lifetime(life)] {
                let site = World::site_of(sessions.with_renewal(Ttl::from_secs(3600)));
                let browser = Browser::new();
                browser.read(&site, "/log-in/ada").await;
                world.advance(MINUTE);
                browser.read(&site, "/rotate").await;
                world.advance(HOUR - Duration::from_micros(1));
                assert!(!browser.get(&site, "/whoami").await.sets_cookie(), "{grace:?}");
                world.settled().await;
                world.advance_micros(1);
                assert!(browser.get(&site, "/whoami").await.sets_cookie(), "{grace:?}");
                assert_eq!(browser.read(&site, "/whoami").await, "ada");
            }
        }
    }

    async fn requests_in_flight_use_the_old_id_for_a_minute_after_a_renewal(world: World) {
        let (site, browser) = (site(&world), Browser::new());
        browser.read(&site, "/log-in/ada").await;
        world.advance(HOUR);
        let old = browser.copy();
        browser.read(&site, "/whoami").await;
        assert_eq!(old.read(&site, "/set/a/1").await, "");
        assert_eq!(browser.read(&site, "/get/a").await, "1");
        world.advance(MINUTE - Duration::from_micros(1));
        let reply = old.get(&site, "/whoami").await;
        assert_eq!(reply.body, "ada");
        assert!(!reply.sets_cookie(), "the old id is not replaced again");
        world.advance_micros(1);
        assert_eq!(old.read(&site, "/whoami").await, "");
        assert_eq!(browser.read(&site, "/whoami").await, "ada");
    }

    async fn of_many_requests_at_once_one_gets_the_new_id_and_none_is_signed_out(world: World) {
        let (site, mut browser) = (site(&world), Browser::new());
        for round in 0..1_000 {
            browser.read(&site, "/log-in/ada").await;
            world.advance(HOUR);
            let mut given = Vec::new();
            for (after, reply) in browser.at_once(&site, ["/slow-whoami"; 4]).await {
                assert_eq!((reply.status.as_u16(), &*reply.body), (200, "ada"), "round {round}");
                given.extend(reply.sets_cookie().then_some(after));
            }
            assert_eq!(given.len(), 1, "round {round}");
            browser = given.remove(0);
            assert_eq!(browser.read(&site, "/whoami").await, "ada");
        }
    }

    async fn a_renewal_that_fails_leaves_the_old_id(world: World) {
        let (site, browser) = (site(&world), Browser::new());
        for kind in [ErrorKind::NotSent, ErrorKind::MayHaveRun] {
            browser.read(&site, "/log-in/ada").await;
            world.advance(HOUR);
            let (_, reply) = renewed(&world, &site, &browser, usize::MAX, Trouble::Fail(kind)).await;
            world.switch.clear();
            assert!(!reply.sets_cookie(), "{kind:?}");
            assert_eq!(browser.read(&site, "/whoami").await, "ada");
        }
    }

    async fn a_renewal_whose_answer_was_lost_gives_the_visitor_the_id_that_is_in_force(world: World) {
        let (site, browser) = (site(&world), Browser::new());
        for (trouble, is_done) in [
            (Trouble::LoseAnswer, true),
            (Trouble::Fail(ErrorKind::MayHaveRun), false),
        ] {
            browser.read(&site, "/log-in/ada").await;
            world.advance(HOUR);
            let (after, reply) = renewed(&world, &site, &browser, 1, trouble).await;
            assert_eq!(reply.sets_cookie(), is_done);
            if !is_done {
                assert!(browser.copy().get(&site, "/whoami").await.sets_cookie(), "it is due yet");
                continue;
            }
            world.advance(MINUTE);
            assert_eq!(browser.copy().read(&site, "/whoami").await, "");
            assert_eq!(after.read(&site, "/whoami").await, "ada");
        }
    }
}

#[tokio::test]
async fn a_period_shorter_than_the_shortest_is_that() {
    let world = World::memory(crate::support::Time::Manual).await;
    let sessions = world.sessions().with_renewal(Ttl::from_secs(1));
    let (site, browser) = (World::site_of(sessions), Browser::new());
    browser.read(&site, "/set/a/1").await;
    world.advance(Duration::from_secs(299));
    assert!(!browser.get(&site, "/get/a").await.sets_cookie());
    world.advance(Duration::from_secs(1));
    assert!(browser.get(&site, "/get/a").await.sets_cookie());
}
