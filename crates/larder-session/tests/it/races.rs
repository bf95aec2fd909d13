use std::sync::Arc;

use larder_session::DeviceLimit;

use crate::support::{Browser, World, on_both_stores};

const ROUNDS: usize = 1_000;

on_both_stores! { Real;
    async fn a_session_stays_dead_after_logout_races_a_write(world: World) {
        let site = world.site();
        for round in 0..ROUNDS {
            let browser = Browser::new();
            browser.read(&site, "/log-in/ada").await;
            let sent = ["/slow-set/a/1", "/slow-log-out", "/slow-set/b/1", "/slow-add"];
            let done = browser.at_once(&site, sent).await;
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
        let sent = ["/slow-add", "/slow-add", "/slow-add", "/slow-add"];
        for _ in 0..ROUNDS {
            for (_, reply) in browser.at_once(&site, sent).await {
                assert!(reply.status.is_success(), "{reply:?}");
            }
        }
        assert_eq!(browser.read(&site, "/count").await, (4 * ROUNDS).to_string());
    }

    async fn parallel_updates_are_never_lost(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/add/0").await;
        let sent = ["/update", "/update", "/slow-add", "/update"];
        for _ in 0..ROUNDS {
            for (_, reply) in browser.at_once(&site, sent).await {
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
            browser.at_once(&site, sent).await;
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
            let user = format!("user{round}");
            let sign_in = format!("/slow-log-in/{user}");
            let sent = ["/slow-set/a/late", &sign_in, "/slow-set/b/late"];
            let mut done = browser.at_once(&site, sent).await;
            let (signed_in, _) = done.remove(1);
            assert_eq!(signed_in.read(&site, "/whoami").await, user, "round {round}");
            assert_eq!(browser.read(&site, "/whoami").await, "", "round {round}");
            assert_eq!(browser.read(&site, "/get/a").await, "", "round {round}");
            for (other, reply) in done {
                assert!(reply.status.is_success(), "{reply:?}");
                // A late response never removes the new cookie, and contains no equally valid one.
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
            let sent = ["/slow-log-in/ada", "/slow-log-in/ada"];
            for (other, reply) in browser.at_once(&site, sent).await {
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

    async fn of_two_devices_that_revoke_one_another_by_id_one_remains(world: World) {
        let site = world.site();
        for round in 0..ROUNDS {
            let user = format!("user{round}");
            let one = Browser::signed_in(&site, &user).await;
            let other = Browser::signed_in(&site, &user).await;
            let revoke_other = format!("/slow-revoke/{}", other.record());
            let revoke_one = match round % 3 {
                0 => "/slow-revoke-others".to_owned(),
                _ => format!("/slow-revoke/{}", one.record()),
            };
            let (first, second) =
                tokio::join!(one.get(&site, &revoke_other), other.get(&site, &revoke_one));
            let mut left = 0;
            for (browser, reply) in [(&one, &first), (&other, &second)] {
                let is_in = browser.is_in(&site).await;
                assert_eq!(is_in, reply.status.is_success(), "round {round}: {reply:?}");
                left += usize::from(is_in);
            }
            assert_eq!(left, 1, "round {round}");
        }
    }

    async fn a_revoked_session_stays_dead_whatever_refreshes_it(world: World) {
        let (site, other) = (world.site(), world.site());
        for round in 0..ROUNDS {
            let user = format!("user{round}");
            let (browser, admin) = (Browser::new(), Browser::new());
            browser.read(&site, &format!("/log-in/{user}")).await;
            admin.read(&other, &format!("/log-in/{user}")).await;
            let sent = ["/slow-rotate", "/slow-set/a/1", "/slow-whoami"];
            let (done, revoked) = tokio::join!(
                browser.at_once(&site, sent),
                admin.get(&other, "/slow-revoke-others"),
            );
            assert!(revoked.status.is_success(), "{revoked:?}");
            for (other, reply) in done {
                assert!(reply.status.is_success() || reply.status == 410, "{reply:?}");
                assert_eq!(other.read(&site, "/whoami").await, "", "round {round}");
            }
            assert_eq!(admin.read(&other, "/whoami").await, user, "round {round}");
        }
    }

    async fn a_read_with_the_old_id_sees_the_session_or_nothing_while_it_rotates(world: World) {
        let site = world.site();
        for round in 0..ROUNDS {
            let (browser, user) = (Browser::new(), format!("user{round}"));
            browser.read(&site, &format!("/log-in/{user}")).await;
            browser.read(&site, &format!("/set/a/{round}")).await;
            let sent = ["/slow-rotate", "/get/a", "/slow-whoami", "/get/a"];
            let mut done = browser.at_once(&site, sent).await;
            let (rotated, reply) = done.remove(0);
            assert!(reply.status.is_success(), "{reply:?}");
            for (_, reply) in done {
                let seen = [String::new(), user.clone(), round.to_string()];
                assert!(seen.contains(&reply.body), "round {round}: {reply:?}");
                assert!(!reply.sets_cookie());
            }
            // The new id has all of the data, and the old one has none.
            assert_eq!(rotated.read(&site, "/get/a").await, round.to_string());
            assert_eq!(browser.read(&site, "/whoami").await, "", "round {round}");
        }
    }

    async fn no_sign_in_survives_the_disabling_of_its_account(world: World) {
        let (site, admin) = (world.site(), world.sessions());
        for round in 0..ROUNDS {
            let user = format!("user{round}");
            let browser = Browser::new();
            browser.read(&site, &format!("/log-in/{user}")).await;
            let sign_in = format!("/slow-log-in/{user}");
            let sent = [sign_in.clone(), sign_in];
            let (done, disabled) = tokio::join!(
                browser.at_once(&site, sent),
                async {
                    tokio::task::yield_now().await;
                    admin.disable(&user).await
                },
            );
            disabled.unwrap();
            for (other, reply) in done {
                assert!(reply.status.is_success() || reply.status == 403, "{reply:?}");
                assert_eq!(other.read(&site, "/whoami").await, "", "round {round}");
            }
            assert_eq!(browser.read(&site, "/whoami").await, "", "round {round}");
        }
    }

    async fn of_many_sign_ins_at_once_as_many_pass_as_the_limit_allows(world: World) {
        let refuses = World::site_of(world.sessions().with_device_limit(DeviceLimit::Refuse(2)));
        let ends = World::site_of(world.sessions().with_device_limit(DeviceLimit::EndOldest(2)));
        for round in 0..ROUNDS {
            for (site, user) in [(&refuses, "refused"), (&ends, "ended")] {
                let nobody = Browser::new();
                let sign_in = format!("/slow-log-in/{user}{round}");
                let sent = [sign_in.clone(), sign_in.clone(), sign_in.clone(), sign_in];
                let done = nobody.at_once(site, sent).await;
                let passed = done.iter().filter(|(_, reply)| reply.status.is_success());
                let passed = passed.count();
                assert_eq!(passed, if user == "refused" { 2 } else { 4 }, "round {round}");
                let mut left = 0;
                for (browser, _) in &done {
                    left += usize::from(!browser.read(site, "/whoami").await.is_empty());
                }
                assert_eq!(left, 2, "round {round}, {user}");
            }
        }
    }

    async fn of_many_requests_at_once_one_learns_why_the_session_ended(world: World) {
        let (site, admin) = (world.site(), world.sessions());
        for round in 0..ROUNDS {
            let browser = Browser::new();
            browser.read(&site, "/log-in/ada").await;
            let id = browser.record().parse().unwrap();
            assert!(admin.revoke("ada", id).await.unwrap());
            let sent = ["/why", "/why", "/slow-whoami", "/why"];
            let done = browser.at_once(&site, sent).await;
            let told = done.iter().filter(|(_, reply)| reply.body == "Administrator");
            assert_eq!(told.count(), 1, "round {round}: {done:?}");
        }
    }

    async fn a_sign_in_that_races_the_end_of_everyones_sessions_is_before_or_after_it(world: World) {
        let (site, admin) = (world.site(), world.sessions());
        for round in 0..ROUNDS {
            let users = ["ada", "grace"].map(|user| format!("{user}{round}"));
            let sign_in = users.each_ref().map(|user| format!("/slow-log-in/{user}"));
            let (early, nobody) = (Browser::signed_in(&site, &users[0]).await, Browser::new());
            let (racing, ended) = tokio::join!(
                nobody.at_once(&site, sign_in),
                admin.revoke_everyone(),
            );
            ended.unwrap();
            let late = Browser::signed_in(&site, &users[0]).await;
            // A process that has ended them sees it at once, and so does one that has just started.
            let sites = [World::site_of(admin.clone()), world.site(), world.site()];
            for site in &sites {
                assert_eq!(early.copy().read(site, "/whoami").await, "", "round {round}");
                assert_eq!(late.read(site, "/whoami").await, users[0], "round {round}");
            }
            for ((browser, _), user) in racing.iter().zip(&users) {
                let mut seen = Vec::new();
                for site in &sites {
                    seen.push(browser.copy().read(site, "/whoami").await);
                }
                let is_one = seen[0].is_empty() || seen[0] == *user;
                assert!(is_one && seen.iter().all(|it| *it == seen[0]), "round {round}: {seen:?}");
            }
            // One that was after this end is before the next.
            admin.revoke_everyone().await.unwrap();
            let site = world.site();
            for browser in racing.iter().map(|(browser, _)| browser).chain([&late]) {
                assert!(!browser.is_in(&site).await, "round {round}");
            }
        }
    }

    async fn of_a_device_that_signs_in_again_and_a_new_one_the_limit_leaves_one(world: World) {
        let site = World::site_of(world.sessions().with_device_limit(DeviceLimit::EndOldest(1)));
        for round in 0..ROUNDS {
            let sign_in = format!("/slow-log-in/user{round}");
            let (phone, laptop) = (Browser::new(), Browser::new());
            phone.read(&site, &sign_in).await;
            let (again, new) = tokio::join!(phone.get(&site, &sign_in), laptop.get(&site, &sign_in));
            let mut left = 0;
            for (browser, reply) in [(&phone, &again), (&laptop, &new)] {
                assert!(reply.status.is_success(), "round {round}: {reply:?}");
                left += usize::from(browser.is_in(&site).await);
            }
            assert_eq!(left, 1, "round {round}");
        }
    }
}
