use std::sync::Arc;

use tokio::task::JoinSet;

use crate::support::{Browser, Reply, Site, on_both_stores};

const ROUNDS: usize = 1_000;

/// Sends `paths` at once, with the cookie that `browser` has now.
async fn at_once(site: &Site, browser: &Browser, paths: &[String]) -> Vec<(Browser, Reply)> {
    let mut requests = JoinSet::new();
    for (at, path) in paths.iter().cloned().enumerate() {
        let (site, browser) = (site.clone(), browser.copy());
        requests.spawn(async move {
            let reply = browser.get(&site, &path).await;
            (at, browser, reply)
        });
    }
    let mut done = requests.join_all().await;
    done.sort_by_key(|(at, ..)| *at);
    done.into_iter()
        .map(|(_, browser, reply)| (browser, reply))
        .collect()
}

fn paths(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

on_both_stores! { Real;
    async fn a_session_stays_dead_after_logout_races_a_write(world: World) {
        let site = world.site();
        for round in 0..ROUNDS {
            let browser = Browser::new();
            browser.read(&site, "/log-in/ada").await;
            let sent = paths(&["/slow-set/a/1", "/slow-log-out", "/slow-set/b/1", "/slow-add"]);
            let done = at_once(&site, &browser, &sent).await;
            assert_eq!(browser.read(&site, "/whoami").await, "", "round {round}");
            for (other, reply) in done {
                assert!(reply.status.is_success() || reply.status == 410, "{reply:?}");
                // A write that began before makes at most an anonymous session of its own.
                let other = other.cookie().map_or_else(Browser::new, Browser::with);
                assert_eq!(other.read(&site, "/whoami").await, "", "round {round}");
            }
        }
    }

    async fn parallel_sums_add_up(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/add/0").await;
        let sent = paths(&["/slow-add", "/slow-add", "/slow-add", "/slow-add"]);
        for _ in 0..ROUNDS {
            for (_, reply) in at_once(&site, &browser, &sent).await {
                assert!(reply.status.is_success(), "{reply:?}");
            }
        }
        assert_eq!(browser.read(&site, "/count").await, (4 * ROUNDS).to_string());
    }

    async fn parallel_updates_are_never_lost(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/add/0").await;
        let sent = paths(&["/update", "/update", "/slow-add", "/update"]);
        for _ in 0..ROUNDS {
            for (_, reply) in at_once(&site, &browser, &sent).await {
                assert!(reply.status.is_success(), "{reply:?}");
            }
        }
        assert_eq!(browser.read(&site, "/count").await, (4 * ROUNDS).to_string());
    }

    async fn parallel_writes_of_different_fields_all_survive(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/set/a/0").await;
        for round in 0..ROUNDS {
            let sent: Vec<_> = ["a", "b", "answer"]
                .map(|field| format!("/slow-set/{field}/{round}"))
                .into();
            at_once(&site, &browser, &sent).await;
            for field in ["a", "b", "answer"] {
                let held = browser.read(&site, &format!("/get/{field}")).await;
                assert_eq!(held, round.to_string(), "{field}");
            }
        }
    }

    async fn a_sign_in_races_requests_with_the_old_id(world: World) {
        let site = world.site();
        for round in 0..ROUNDS {
            let browser = Browser::new();
            browser.read(&site, "/set/a/0").await;
            let sent = paths(&["/slow-set/a/late", "/slow-log-in/ada", "/slow-set/b/late"]);
            let mut done = at_once(&site, &browser, &sent).await;
            let (signed_in, _) = done.remove(1);
            assert_eq!(signed_in.read(&site, "/whoami").await, "ada", "round {round}");
            assert_eq!(browser.read(&site, "/whoami").await, "", "round {round}");
            assert_eq!(browser.read(&site, "/get/a").await, "", "round {round}");
            for (other, reply) in done {
                assert!(reply.status.is_success(), "{reply:?}");
                // A response that came late never takes the new cookie away, nor has one as good.
                assert!(!reply.headers.iter().any(|(name, value)| {
                    name == "set-cookie" && value.to_str().unwrap().contains("Max-Age=0")
                }));
                assert_eq!(other.read(&site, "/whoami").await, "", "round {round}");
            }
        }
    }

    async fn two_sign_ins_at_once_both_succeed(world: World) {
        let site = world.site();
        for round in 0..ROUNDS {
            let browser = Browser::new();
            browser.read(&site, "/set/a/0").await;
            let sent = paths(&["/slow-log-in/ada", "/slow-log-in/ada"]);
            for (other, reply) in at_once(&site, &browser, &sent).await {
                assert!(reply.status.is_success(), "{reply:?}");
                assert_eq!(other.read(&site, "/whoami").await, "ada", "round {round}");
                other.read(&site, "/log-out").await;
            }
            assert_eq!(browser.read(&site, "/whoami").await, "", "round {round}");
        }
    }

    async fn of_two_devices_that_revoke_each_other_one_remains(world: World) {
        let site = Arc::new(world.site());
        for round in 0..ROUNDS {
            let (one, other) = (Browser::new(), Browser::new());
            let user = format!("user{round}");
            one.read(&site, &format!("/log-in/{user}")).await;
            other.read(&site, &format!("/log-in/{user}")).await;
            let (first, second) = tokio::join!(
                one.get(&site, "/slow-revoke-others"),
                other.get(&site, "/slow-revoke-others"),
            );
            let mut left = 0;
            for (browser, reply) in [(&one, &first), (&other, &second)] {
                let is_in = browser.read(&site, "/whoami").await == user;
                assert!(!is_in || reply.status.is_success(), "round {round}: {reply:?}");
                left += usize::from(is_in);
            }
            assert_eq!(left, 1, "round {round}");
        }
    }
}
