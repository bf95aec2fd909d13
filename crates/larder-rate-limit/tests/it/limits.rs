//! Several limiters in one call.

use std::sync::Arc;
use std::time::Duration;

use larder_rate_limit::{Ban, Limits, Policy, Quota, RateLimiter, Reason, Rule, Window};
use larder_store::{ErrorKind, Namespace, Prefixed};
use tokio::time::Instant;

use crate::support::{Behavior, ScriptedStore};
use crate::world::{World, on_every_store};

const HOUR: Duration = Duration::from_secs(3_600);

on_every_store! {
    async fn if_one_limiter_refuses_none_is_charged_wherever_it_stands(world: World) {
        let by_address = world.named("address", Quota::per_hour(5));
        let by_account = world.named("account", Rule::fixed_window(2, Window::every(HOUR)));
        let unlimited = world.named("free", Policy::unlimited());
        for turned in [false, true] {
            let account = if turned { "grace" } else { "ada" };
            let address = if turned { "192.0.2.2" } else { "192.0.2.1" };
            let limits = match turned {
                false => Limits::new().with(&by_address, address).with(&by_account, account),
                true => Limits::new().with(&by_account, account).with(&by_address, address),
            };
            let limits = limits.with(&unlimited, "all");
            for _ in 0..2 {
                let decisions = limits.check().await.unwrap();
                assert!(decisions.is_allowed());
                assert_eq!(decisions.each().count(), 3);
            }
            for _ in 0..10 {
                let decisions = limits.check().await.unwrap();
                let (policy, refused) = decisions.refused().unwrap();
                assert_eq!((policy, refused.retry_after()), ("account", HOUR));
            }
            assert_eq!(by_address.peek(address).await.unwrap().remaining(), 3);
            assert_eq!(by_account.peek(account).await.unwrap().remaining(), 0);
        }
    }

    async fn of_several_limiters_that_refuse_the_longest_wait_is_told(world: World) {
        let soon = world.named("soon", Quota::per_minute(1));
        let late = world.named("late", Rule::sliding_log(1, HOUR));
        for limiter in [&soon, &late] {
            assert!(limiter.check("ada").await.unwrap().is_allowed());
        }
        let decisions = Limits::new().with(&soon, "ada").with(&late, "ada").check().await.unwrap();
        let refused = decisions.refused().map(|(policy, it)| (policy, it.retry_after()));
        assert_eq!(refused, Some(("late", HOUR)));
    }

    async fn a_refusal_counts_towards_a_ban_wherever_its_limiter_stands(world: World) {
        let day = 24 * HOUR;
        let banning = || Policy::new(Quota::per_hour(1)).with_ban(Ban::after(2, HOUR, day));
        let (first, second) = (world.named("first", Quota::per_hour(1)), world.named("second", banning()));
        let limits = Limits::new().with(&first, "ada").with(&second, "ada");
        assert!(limits.check().await.unwrap().is_allowed());
        for _ in 0..2 {
            assert!(!limits.check().await.unwrap().is_allowed());
        }
        let decisions = limits.check().await.unwrap();
        let refused = decisions.refused().map(|(policy, it)| (policy, it.reason(), it.retry_after()));
        assert_eq!(refused, Some(("second", Some(Reason::Ban), day)));
        // A limiter that would have let the request pass has refused nothing.
        let decisions = Limits::new().with(&first, "ada").with(&second, "grace").check().await.unwrap();
        assert!(!decisions.is_allowed());
        assert_eq!(second.inspect("grace").await.unwrap().decision().remaining(), 1);
    }

    async fn a_limiter_may_charge_more_units_than_another(world: World) {
        let pages = world.named("pages", Quota::per_hour(10));
        let units = world.named("units", Rule::sliding_log(10, HOUR));
        let limits = Limits::new().with(&pages, "ada").with_cost(&units, "ada", 4);
        assert!(limits.check().await.unwrap().is_allowed());
        assert!(limits.check().await.unwrap().is_allowed());
        assert!(!limits.check().await.unwrap().is_allowed());
        assert_eq!(pages.peek("ada").await.unwrap().remaining(), 8);
        assert_eq!(units.peek("ada").await.unwrap().remaining(), 2);
    }
}

#[tokio::test]
async fn limiters_of_several_stores_hold_together_too_and_what_fails_gives_the_others_back() {
    let (one, other) = (World::memory().await, World::redis().await);
    let here = one.named("here", Quota::per_hour(3));
    let there = other.named("there", Quota::per_hour(1));
    let limits = Limits::new().with(&here, "ada").with(&there, "ada");
    assert!(limits.check().await.unwrap().is_allowed());
    let decisions = limits.check().await.unwrap();
    assert_eq!(decisions.refused().map(|(policy, _)| policy), Some("there"));
    assert_eq!(here.peek("ada").await.unwrap().remaining(), 2);
    let failing = ScriptedStore::new(Behavior::Fails(ErrorKind::NotSent)).store();
    let failing = RateLimiter::new(failing, "failing", Quota::per_hour(1)).unwrap();
    let limits = Limits::new().with(&here, "ada").with(&failing, "ada");
    assert_eq!(limits.check().await.unwrap_err().kind(), ErrorKind::NotSent);
    assert_eq!(here.peek("ada").await.unwrap().remaining(), 2);
    assert!(Limits::new().check().await.unwrap().is_allowed());
}

/// The caller leaves while one store has no answer yet, and while a charge is being given back.
#[tokio::test(start_paused = true)]
async fn what_was_charged_for_a_caller_who_leaves_is_given_back() {
    let second = Duration::from_secs(1);
    let slow = ScriptedStore::new(Behavior::After(second));
    let hangs = ScriptedStore::new(Behavior::Hangs).store();
    let hangs = RateLimiter::new(hangs, "hangs", Quota::per_hour(3)).unwrap();
    let free = RateLimiter::new(slow.store(), "free", Quota::per_hour(3)).unwrap();
    let full = RateLimiter::new(slow.store(), "full", Quota::per_hour(1)).unwrap();
    assert!(full.check("ada").await.unwrap().is_allowed());
    for other in [&hangs, &full] {
        let (free_too, other) = (free.clone(), other.clone());
        let check = tokio::spawn(async move {
            let limits = Limits::new().with(&free_too, "ada").with(&other, "ada");
            limits.check().await.map(|_| ())
        });
        // The steps on the slow store take a second together, and so do those that give back.
        tokio::time::sleep(second * 3 / 2).await;
        check.abort();
        assert!(check.await.unwrap_err().is_cancelled());
        tokio::time::sleep(second * 5).await;
        assert_eq!(free.peek("ada").await.unwrap().remaining(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_takes_one_round_trip_and_so_do_limits_that_pass_and_two_if_one_refuses() {
    let second = Duration::from_secs(1);
    let slow = ScriptedStore::new(Behavior::After(second)).store();
    let prefixed = Prefixed::new(Namespace::new("test", "app").unwrap(), slow.clone());
    let rules = Policy::new(Quota::per_minute(9))
        .and(Rule::sliding_window(9, HOUR))
        .and(Rule::sliding_log(9, 24 * HOUR));
    for store in [slow, Arc::new(prefixed)] {
        let pages = RateLimiter::new(store.clone(), "pages", rules.clone()).unwrap();
        let search = RateLimiter::new(store, "search", Quota::per_hour(1)).unwrap();
        let begun = Instant::now();
        assert!(pages.check("ada").await.unwrap().is_allowed());
        assert_eq!(begun.elapsed(), second);
        let limits = Limits::new().with(&pages, "ada").with(&search, "ada");
        for (is_allowed, round_trips) in [(true, 1), (false, 2)] {
            let begun = Instant::now();
            assert_eq!(limits.check().await.unwrap().is_allowed(), is_allowed);
            assert_eq!(begun.elapsed(), round_trips * second, "{is_allowed}");
        }
    }
}
