//! Policies of several rules: all or nothing, bans, and limits that change.

use std::sync::Arc;
use std::time::Duration;

use larder_moka::MokaStore;
use larder_rate_limit::{
    Ban, Grant, Policy, Quota, QuotaChange, RateLimiter, Reason, Rule, Usage, Window,
};
use larder_store::program::Record;
use larder_store::{ErrorKind, ManualClock, Namespace, Prefixed, Store};

use crate::support::{Behavior, ScriptedStore};
use crate::world::{SERVER, World, on_every_store, passed, patient};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// Rules of a limit an hour that count units.
const COUNTS: [fn(u32) -> Rule; 4] = [
    |limit| Rule::fixed_window(limit, Window::every(HOUR)),
    |limit| Rule::fixed_window(limit, Window::from_first(HOUR)),
    |limit| Rule::sliding_window(limit, HOUR),
    |limit| Rule::sliding_log(limit, HOUR),
];

on_every_store! {
    async fn if_one_rule_refuses_no_other_is_charged(world: World) {
        let policy = Policy::new(Quota::per_second(2))
            .and(Rule::fixed_window(3, Window::every(HOUR)))
            .and(Rule::sliding_log(100, HOUR));
        let limiter = world.limiter(policy);
        assert_eq!(passed(&limiter, "ada", 10).await, 2);
        let report = limiter.inspect("ada").await.unwrap();
        let left: Vec<_> = report.rules().iter().map(|rule| rule.remaining()).collect();
        assert_eq!(left, [0, 1, 98]);
        assert_eq!(report.decision().rule(), 0);
        world.advance(SECOND);
        assert_eq!(passed(&limiter, "ada", 10).await, 1);
        let report = limiter.check_rules("ada").await.unwrap();
        let left: Vec<_> = report.rules().iter().map(|rule| rule.remaining()).collect();
        assert_eq!(left, [1, 0, 97]);
        // The second rule refuses, and says when it would pass.
        let decision = report.decision();
        assert_eq!((decision.rule(), decision.reason()), (1, Some(Reason::Quota)));
        assert_eq!(decision.retry_after(), HOUR - SECOND);
        assert!(report.rules()[0].is_allowed() && !report.rules()[1].is_allowed());
        let reasons: Vec<_> = report.rules().iter().map(|rule| rule.reason()).collect();
        assert_eq!(reasons, [None, Some(Reason::Quota), None]);
    }

    async fn a_window_that_was_refunded_to_nothing_begins_with_the_next_request(world: World) {
        let policy = Policy::new(Rule::fixed_window(2, Window::from_first(60 * SECOND)))
            .and(Rule::sliding_log(100, HOUR));
        let limiter = world.limiter(policy);
        assert!(limiter.check("ada").await.unwrap().is_allowed());
        world.advance(70 * SECOND);
        let second = limiter.check("ada").await.unwrap();
        let _ = limiter.refund("ada", second).await.unwrap();
        world.advance(30 * SECOND);
        assert_eq!(passed(&limiter, "ada", 3).await, 2);
        world.advance(59 * SECOND);
        assert!(!limiter.check("ada").await.unwrap().is_allowed());
        world.advance(SECOND);
        assert!(limiter.check("ada").await.unwrap().is_allowed());
    }

    async fn of_two_rules_that_refuse_the_longer_wait_counts(world: World) {
        let policy = Policy::new(Rule::fixed_window(1, Window::every(SECOND)))
            .and(Rule::fixed_window(1, Window::every(HOUR)));
        let limiter = world.limiter(policy);
        assert_eq!(passed(&limiter, "ada", 2).await, 1);
        let refused = limiter.check("ada").await.unwrap();
        assert_eq!((refused.rule(), refused.retry_after()), (1, HOUR));
    }

    async fn a_visitor_that_is_refused_too_often_is_banned_and_hammering_does_not_prolong_it(world: World) {
        let ban = Ban::after(3, 10 * SECOND, 60 * SECOND);
        let limiter = world.limiter(Policy::new(Quota::per_second(1)).with_ban(ban));
        assert!(limiter.check("ada").await.unwrap().is_allowed());
        for _ in 0..2 {
            let refused = limiter.check("ada").await.unwrap();
            assert_eq!(refused.reason(), Some(Reason::Quota));
        }
        let third = limiter.check("ada").await.unwrap();
        assert_eq!(third.reason(), Some(Reason::Ban));
        assert_eq!(third.retry_after(), 60 * SECOND);
        for _ in 0..59 {
            world.advance(SECOND);
            let banned = limiter.check("ada").await.unwrap();
            assert_eq!(banned.reason(), Some(Reason::Ban));
        }
        world.advance(SECOND);
        assert!(limiter.check("ada").await.unwrap().is_allowed());
        // The refusals before the ban are forgotten.
        assert_eq!(limiter.check("ada").await.unwrap().reason(), Some(Reason::Quota));
    }

    async fn refusals_that_are_too_far_apart_do_not_ban(world: World) {
        let ban = Ban::after(2, 10 * SECOND, 60 * SECOND);
        let limiter = world.limiter(Policy::new(Rule::fixed_window(1, Window::every(HOUR))).with_ban(ban));
        assert!(limiter.check("ada").await.unwrap().is_allowed());
        for _ in 0..5 {
            let refused = limiter.check("ada").await.unwrap();
            assert_eq!(refused.reason(), Some(Reason::Quota));
            world.advance(10 * SECOND);
        }
    }

    async fn a_changed_quota_keeps_the_used_units_or_their_part_or_forgets_them(world: World) {
        let kinds: [fn(u32) -> Rule; 4] = [
            |limit| Rule::gcra(Quota::per_hour(limit)),
            |limit| Rule::fixed_window(limit, Window::every(HOUR)),
            |limit| Rule::fixed_window(limit, Window::from_first(HOUR)),
            |limit| Rule::sliding_window(limit, HOUR),
        ];
        for (i, rule) in kinds.into_iter().enumerate() {
            for (change, left) in [
                (QuotaChange::AsIs, 170),
                (QuotaChange::Proportional, 140),
                (QuotaChange::Reset, 200),
            ] {
                let name = format!("change-{i}-{change:?}").to_lowercase();
                let before = world.named(&name, Policy::new(rule(100)).with_quota_change(change));
                let _ = before.check_cost("ada", 30).await.unwrap();
                let after = world.named(&name, Policy::new(rule(200)).with_quota_change(change));
                let remaining = after.peek("ada").await.unwrap().remaining();
                assert_eq!(remaining, left, "{name}");
                assert_eq!(after.check("ada").await.unwrap().remaining(), left - 1, "{name}");
            }
        }
    }

    /// During a deployment, each process counts by its own numbers.
    async fn a_client_that_keeps_asking_passes_though_two_versions_count_in_turn(world: World) {
        for (change, most) in [(QuotaChange::AsIs, 12), (QuotaChange::Proportional, 12)] {
            let name = format!("versions-{change:?}").to_lowercase();
            let of = |limit| {
                let rule = Rule::gcra(Quota::per_minute(limit).with_burst(most));
                world.named(&name, Policy::new(rule).with_quota_change(change))
            };
            let (old, new) = (of(6), of(12));
            assert_eq!(passed(&new, "ada", 20).await, 12, "{change:?}");
            let mut later = 0;
            for _ in 0..30 {
                for limiter in [&old, &new] {
                    world.advance(SECOND);
                    later += u32::from(limiter.check("ada").await.unwrap().is_allowed());
                }
            }
            // Between the rates of both.
            assert!((6..=12).contains(&later), "{change:?}: {later}");
        }
    }

    async fn two_versions_that_count_a_window_in_turn_let_pass_what_one_of_them_does(world: World) {
        let kinds: [fn(u32) -> Rule; 3] = [
            |limit| Rule::fixed_window(limit, Window::every(60 * SECOND)),
            |limit| Rule::sliding_window(limit, 60 * SECOND),
            |limit| Rule::sliding_log(limit, 60 * SECOND),
        ];
        for (i, rule) in kinds.into_iter().enumerate() {
            for (change, small, large) in [
                (QuotaChange::AsIs, 10, 30),
                (QuotaChange::Proportional, 10, 11),
                (QuotaChange::Proportional, 10, 30),
                (QuotaChange::Proportional, 100, 101),
            ] {
                let name = format!("turns-{i}-{change:?}-{large}").to_lowercase();
                let versions = [small, large].map(|limit| {
                    world.named(&name, Policy::new(rule(limit)).with_quota_change(change))
                });
                for minute in 0..2 {
                    let mut passes = 0;
                    for _ in 0..120 {
                        for version in &versions {
                            passes += u32::from(version.check("ada").await.unwrap().is_allowed());
                        }
                        world.advance(SECOND / 2);
                    }
                    // An estimate may be one too high.
                    let is_between = (small - 1..=large).contains(&passes);
                    assert!(is_between, "{name}, minute {minute}: {passes}");
                }
                world.advance(120 * SECOND);
            }
        }
    }

    async fn a_count_is_the_same_after_any_number_of_refusals_by_two_versions_in_turn(world: World) {
        let kinds: [fn(u32) -> Rule; 2] = [
            |limit| Rule::fixed_window(limit, Window::every(HOUR)),
            |limit| Rule::sliding_window(limit, HOUR),
        ];
        for (i, rule) in kinds.into_iter().enumerate() {
            for (change, small, large) in [
                (QuotaChange::AsIs, 10, 30),
                (QuotaChange::Proportional, 10, 30),
                (QuotaChange::Proportional, 100, 101),
            ] {
                let name = format!("refusals-{i}-{change:?}-{large}").to_lowercase();
                let of = |limit| {
                    world.named(&name, Policy::new(rule(limit)).with_quota_change(change))
                };
                let (old, new) = (of(small), of(large));
                for used in [1, large - 1] {
                    let _ = new.check_cost(used, used).await.unwrap();
                    for _ in 0..50 {
                        for (version, all) in [(&old, small), (&new, large)] {
                            let refused = version.check_cost(used, all).await.unwrap();
                            assert!(!refused.is_allowed(), "{name}, {used}");
                        }
                    }
                    let left = new.peek(used).await.unwrap().remaining();
                    assert_eq!(left, large - used, "{name}");
                }
            }
        }
    }

    async fn a_refusal_by_a_smaller_limit_cuts_no_count_of_a_larger_one(world: World) {
        // What makes a refusal write the record, in which all counts are.
        let writes: [fn(u32, Policy) -> Policy; 2] = [
            |limit, policy| policy.and(Quota::per_minute(10 * limit)),
            |_, policy| policy.with_ban(Ban::after(1_000, HOUR, HOUR)),
        ];
        for (i, rule) in COUNTS.into_iter().enumerate() {
            for (j, with) in writes.into_iter().enumerate() {
                let name = format!("cuts-{i}-{j}");
                let of = |limit| world.named(&name, with(limit, Policy::new(rule(limit))));
                let (old, new) = (of(10), of(30));
                assert_eq!(passed(&new, "ada", 30).await, 30, "{name}");
                let mut more = 0;
                for _ in 0..50 {
                    more += passed(&old, "ada", 1).await + passed(&new, "ada", 1).await;
                }
                assert_eq!(more, 0, "{name}");
            }
        }
    }

    async fn what_a_smaller_limit_settles_or_gives_back_cuts_no_count_of_a_larger_one(world: World) {
        for (i, rule) in COUNTS.into_iter().enumerate() {
            for actual in [0, 5] {
                let name = format!("settles-{i}-{actual}");
                let of = |limit| {
                    world.named(&name, Policy::new(rule(limit)).with_reservations(HOUR))
                };
                let (old, new) = (of(10), of(30));
                let charged = old.check("ada").await.unwrap();
                let Grant::Held(held) = old.reserve("ada", 5).await.unwrap() else {
                    panic!("{name}");
                };
                assert_eq!(passed(&new, "ada", 30).await, 24, "{name}");
                let _ = old.refund("ada", charged).await.unwrap();
                assert_eq!(passed(&new, "ada", 30).await, 1, "{name}");
                let _ = held.settle(actual).await.unwrap();
                let more = passed(&new, "ada", 30).await;
                assert!(more <= 5, "{name}: {more}");
            }
        }
    }

    async fn a_smaller_quota_leaves_no_longer_wait_than_twice_its_window(world: World) {
        let before = world.limiter(Policy::new(Rule::fixed_window(100, Window::every(HOUR))));
        let _ = before.check_cost("ada", 100).await.unwrap();
        let after = world.limiter(Policy::new(Rule::fixed_window(10, Window::every(60 * SECOND))));
        let refused = after.check("ada").await.unwrap();
        assert!(!refused.is_allowed());
        assert!(refused.retry_after() <= 120 * SECOND, "{refused:?}");
        world.advance(refused.retry_after());
        assert!(after.check("ada").await.unwrap().is_allowed());
    }
}

/// Two clients whose store's clock goes back by half an hour between them.
async fn before_and_after_a_failover() -> [World; 2] {
    let mut made = Vec::new();
    let app = format!("{:x}", fastrand::u64(..));
    let namespace = Namespace::new("test", &app).unwrap();
    for ahead in [HOUR, HOUR / 2] {
        let clock = ManualClock::default();
        clock.advance(ahead);
        let store = patient(&SERVER.url()).with_virtual_time(clock.clone());
        let store: Arc<dyn Store> = Arc::new(store.connect().await.unwrap());
        let store: Arc<dyn Store> = Arc::new(Prefixed::new(namespace.clone(), store));
        made.push(World { store, clock });
    }
    made.try_into().ok().unwrap()
}

#[tokio::test]
async fn a_clock_that_goes_back_makes_nobody_wait_longer_than_twice_the_period() {
    let [before, after] = before_and_after_a_failover().await;
    for (name, policy) in crate::algorithms::each(3, SECOND) {
        let limiter = before.named(name, policy.clone());
        assert_eq!(passed(&limiter, "ada", 3).await, 3, "{name}");
    }
    for (name, policy) in crate::algorithms::each(3, SECOND) {
        let limiter = after.named(name, policy);
        let refused = limiter.check("ada").await.unwrap();
        assert!(refused.retry_after() <= 2 * SECOND, "{name}: {refused:?}");
    }
    after.advance(2 * SECOND);
    for (name, policy) in crate::algorithms::each(3, SECOND) {
        let limiter = after.named(name, policy);
        assert!(limiter.check("ada").await.unwrap().is_allowed(), "{name}");
    }
}

#[tokio::test]
async fn a_policy_without_rules_asks_no_store() {
    let store = ScriptedStore::new(Behavior::Hangs).store();
    let limiter = RateLimiter::new(store, "test", Policy::unlimited()).unwrap();
    for _ in 0..10 {
        let decision = limiter.check("ada").await.unwrap();
        assert!(decision.is_allowed() && !decision.is_charged());
        assert_eq!(decision.remaining(), u32::MAX);
        let _ = limiter.refund("ada", decision).await.unwrap();
    }
    assert!(limiter.acquire("ada").await.unwrap().held().is_some());
}

#[tokio::test]
async fn a_flood_of_one_policy_of_rules_leaves_every_other_its_room_and_is_limited_itself() {
    const ROOM: u32 = 500;
    let clock = ManualClock::default();
    let store = MokaStore::builder().with_max_keys_of(Usage::KIND, ROOM as usize);
    let store: Arc<dyn Store> = Arc::new(store.with_clock(clock).build());
    let policy = Policy::new(Quota::per_hour(3)).and(Quota::per_day(5));
    let pages = RateLimiter::new(store.clone(), "pages", policy.clone()).unwrap();
    let sign_in = RateLimiter::new(store, "sign-in", policy).unwrap();
    for visitor in 0..3 * ROOM {
        let _ = pages.check(visitor).await.unwrap();
    }
    for visitor in 0..ROOM {
        let decision = sign_in.check(visitor).await.unwrap();
        assert!(decision.is_allowed() && !decision.is_shared());
    }
    let mut passed = 0;
    for _ in 0..50 {
        let decision = pages.check("new").await.unwrap();
        assert!(decision.is_shared());
        passed += u32::from(decision.is_allowed());
    }
    assert!(passed <= 3, "{passed}");
}

#[test]
fn a_policy_that_cannot_be_counted_is_an_error_that_says_what_is_allowed() {
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    let rule = || Rule::gcra(Quota::per_second(1));
    let too_many = (0..8).fold(Policy::new(rule()), |policy, _| policy.and(rule()));
    let decades = Duration::from_secs(50 * 366 * 86_400);
    for (policy, expected) in [
        (too_many, "at most 8 rules"),
        (Rule::sliding_log(1_001, HOUR).into(), "at most 1,000"),
        (Rule::concurrency(1_001, HOUR).into(), "at most 1,000"),
        (Rule::sliding_window(0, HOUR).into(), "at least 1"),
        (Rule::sliding_window(1, decades).into(), "within 10 years"),
        (
            Policy::new(rule()).with_ban(Ban::after(0, HOUR, HOUR)),
            "at least 1 refusal",
        ),
        (
            Policy::new(rule()).with_reservations(Duration::ZERO),
            "between 1 µs and 10 years",
        ),
        (
            Policy::new(Rule::concurrency(1, HOUR)).with_reservations(HOUR),
            "RateLimitLayer::and",
        ),
    ] {
        let error = RateLimiter::new(store.clone(), "test", policy).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(expected), "{error}");
    }
}
