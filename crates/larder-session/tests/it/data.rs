use http::StatusCode;

use crate::support::{Browser, World, on_both_stores};

on_both_stores! { Manual;
    async fn fields_are_kept_removed_and_typed(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/set/a/1").await;
        browser.read(&site, "/set/b/two").await;
        assert_eq!(browser.read(&site, "/get/a").await, "1");
        assert_eq!(browser.read(&site, "/get/b").await, "two");
        browser.read(&site, "/remove/a").await;
        assert_eq!(browser.read(&site, "/get/a").await, "");
        assert_eq!(browser.read(&site, "/get/b").await, "two");
        browser.read(&site, "/set/count/text").await;
        assert_eq!(browser.get(&site, "/count").await.status, StatusCode::BAD_REQUEST);
        assert_eq!(browser.get(&site, "/add/1").await.status, StatusCode::BAD_REQUEST);
    }

    async fn sums_add_up_over_requests(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        assert_eq!(browser.read(&site, "/add/5").await, "5");
        assert_eq!(browser.read(&site, "/add/-2").await, "3");
        assert_eq!(browser.read(&site, "/count").await, "3");
        assert_eq!(browser.read(&site, "/update").await, "4");
        let most = "9007199254740992";
        let reply = browser.get(&site, &format!("/add/{most}")).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST);
        assert_eq!(browser.read(&site, "/count").await, "4");
    }

    async fn an_update_creates_a_session_if_there_is_none(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        assert_eq!(browser.read(&site, "/update").await, "1");
        assert_eq!(browser.read(&site, "/update").await, "2");
    }

    async fn a_flash_is_shown_once(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/flash/hello").await;
        // A page that fails has not shown anything.
        browser.get(&site, "/failing/show-flash").await;
        assert_eq!(browser.read(&site, "/show-flash").await, "hello");
        assert_eq!(browser.read(&site, "/show-flash").await, "");
    }

    async fn a_value_that_is_too_large_is_refused_and_changes_nothing(world: World) {
        let sessions = world.sessions().with_max_value(1000).with_max_bytes(3000);
        let (site, browser) = (World::site_of(sessions), Browser::new());
        browser.read(&site, "/set/a/1").await;
        let reply = browser.get(&site, "/set-large/a/1001").await;
        assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(reply.body.contains("Sessions::with_max_value"), "{}", reply.body);
        assert_eq!(browser.read(&site, "/get/a").await, "1");
        for field in ["c", "d", "e"] {
            let reply = browser.get(&site, &format!("/set-large/{field}/900")).await;
            assert_eq!(reply.status, StatusCode::OK, "{field}");
        }
        let reply = browser.get(&site, "/set-large/f/900").await;
        assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(reply.body.contains("Sessions::with_max_bytes"), "{}", reply.body);
        assert_eq!(browser.read(&site, "/get/f").await, "");
        browser.read(&site, "/remove/c").await;
        browser.read(&site, "/set-large/f/900").await;
    }

    async fn a_server_error_drops_the_collected_changes(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        let reply = browser.get(&site, "/failing/set/a/1").await;
        assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!reply.sets_cookie());
        assert_eq!(world.switch.operations(), 0);
        browser.read(&site, "/set/a/1").await;
        browser.get(&site, "/failing/set/a/2").await;
        browser.get(&site, "/failing/add/5").await;
        assert_eq!(browser.read(&site, "/get/a").await, "1");
        assert_eq!(browser.read(&site, "/count").await, "0");
    }

    async fn immediate_writes_stay_when_the_handler_fails(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        let reply = browser.get(&site, "/failing/save/1").await;
        assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(reply.sets_cookie());
        browser.get(&site, "/failing/update").await;
        assert_eq!(browser.read(&site, "/get/answer").await, "1");
        assert_eq!(browser.read(&site, "/count").await, "1");
    }

    async fn two_processes_share_the_sessions(world: World) {
        let (one, other, browser) = (world.site(), world.site(), Browser::new());
        browser.read(&one, "/log-in/ada").await;
        assert_eq!(browser.read(&other, "/whoami").await, "ada");
        browser.read(&other, "/set/a/1").await;
        assert_eq!(browser.read(&one, "/get/a").await, "1");
        browser.read(&other, "/log-out").await;
        assert_eq!(browser.read(&one, "/whoami").await, "");
    }

    async fn the_number_of_fields_is_bounded_by_their_overhead(world: World) {
        let sessions = world.sessions().with_max_bytes(40 * 33);
        let (site, browser) = (World::site_of(sessions), Browser::new());
        let mut taken = 0;
        for field in 0..100 {
            let reply = browser.get(&site, &format!("/set/field{field:02}/")).await;
            taken += u32::from(reply.status == StatusCode::OK);
        }
        // 32 bytes, a name of 7, and 2 of a value that is empty.
        assert_eq!(taken, 40 * 33 / 41);
    }

    async fn no_write_exceeds_the_limit_of_the_session(world: World) {
        let sessions = world.sessions().with_max_value(1000).with_max_bytes(500);
        let site = World::site_of(sessions);
        for path in ["/set-large/b/600", "/update-large/b/600", "/many/100", "/many/11"] {
            for begin in ["/untouched", "/set/a/1", "/log-in/ada"] {
                let browser = Browser::new();
                browser.read(&site, begin).await;
                let reply = browser.get(&site, path).await;
                assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE, "{begin} {path}");
                assert!(reply.body.contains("Sessions::with_max_bytes"), "{}", reply.body);
                for field in ["b", "last"] {
                    let held = browser.read(&site, &format!("/get/{field}")).await;
                    assert_eq!(held, "", "{begin} {path}");
                }
                let before = if begin == "/set/a/1" { "1" } else { "" };
                assert_eq!(browser.read(&site, "/get/a").await, before, "{path}");
            }
        }
        // A change that was refused creates no session either.
        let reply = Browser::new().get(&site, "/update-large/b/600").await;
        assert!(!reply.sets_cookie());
    }

    async fn a_counter_counts_towards_the_limit_of_the_session(world: World) {
        // 32 bytes, a name of 5, and 2 of a value of one digit.
        for (most, expected) in [(38, StatusCode::PAYLOAD_TOO_LARGE), (39, StatusCode::OK)] {
            let site = World::site_of(world.sessions().with_max_bytes(most));
            for path in ["/add/1", "/ops/u"] {
                let reply = Browser::new().get(&site, path).await;
                assert_eq!(reply.status, expected, "{most} {path}");
                assert_eq!(reply.sets_cookie(), expected == StatusCode::OK);
            }
        }
    }

    async fn a_change_that_shrinks_a_session_is_accepted_after_the_limit_was_lowered(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/set-large/a/900").await;
        let site = World::site_of(world.sessions().with_max_bytes(500));
        browser.read(&site, "/set-large/a/800").await;
        let reply = browser.get(&site, "/set-large/a/801").await;
        assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
        browser.read(&site, "/update-large/a/700").await;
    }
}
