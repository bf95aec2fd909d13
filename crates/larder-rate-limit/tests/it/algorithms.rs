//! The worst case of each algorithm: what passes at most, and a schedule that gets as much.

use std::collections::VecDeque;
use std::time::Duration;

use larder_rate_limit::{Ban, Grant, Policy, Quota, RateLimiter, Rule, Window};

use crate::world::{World, on_every_store, passed};

const SECOND: Duration = Duration::from_secs(1);
const MICRO: Duration = Duration::from_micros(1);

on_every_store! {
    async fn gcra_and_a_token_bucket_pass_the_burst_and_then_the_rate(world: World) {
        let quota = Quota::per_second(4).with_burst(6);
        // With a second rule that never refuses, so that its own record decides.
        let unlimited = Rule::fixed_window(1_000, Window::every(SECOND));
        for (name, policy) in [
            ("plain", Policy::new(quota)),
            ("bucket", Policy::new(Rule::token_bucket(quota))),
            ("rules", Policy::new(quota).and(unlimited)),
        ] {
            let limiter = world.named(name, policy);
            assert_eq!(passed(&limiter, "ada", 20).await, 6, "{name}");
            // A second has the rate, and no more: 6 + 4 x 1.
            let mut more = 0;
            for _ in 0..100 {
                world.advance(SECOND / 100);
                more += passed(&limiter, "ada", 2).await;
            }
            assert_eq!(more, 4, "{name}");
        }
    }

    async fn a_fixed_window_lets_twice_its_limit_pass_across_an_edge_and_no_more(world: World) {
        let limiter = world.limiter(Rule::fixed_window(5, Window::every(SECOND)));
        // The clock of the test begins on a full second.
        world.advance(SECOND - MICRO);
        assert_eq!(passed(&limiter, "ada", 20).await, 5);
        let refused = limiter.check("ada").await.unwrap();
        assert_eq!(refused.retry_after(), MICRO);
        world.advance(MICRO);
        assert_eq!(passed(&limiter, "ada", 20).await, 5);
        assert_eq!(limiter.check("ada").await.unwrap().retry_after(), SECOND);
    }

    async fn a_window_from_the_first_request_begins_with_it(world: World) {
        let limiter = world.limiter(Rule::fixed_window(2, Window::from_first(SECOND)));
        world.advance(SECOND / 3);
        assert_eq!(passed(&limiter, "ada", 3).await, 2);
        world.advance(SECOND / 2);
        assert_eq!(limiter.check("ada").await.unwrap().retry_after(), SECOND / 2);
        world.advance(SECOND / 2);
        assert_eq!(passed(&limiter, "ada", 3).await, 2);
    }

    async fn a_sliding_window_lets_nearly_twice_its_limit_pass_at_its_worst_moments(world: World) {
        let limiter = world.limiter(Rule::sliding_window(10, SECOND));
        world.advance(SECOND - MICRO);
        // Ten at the end of one window ...
        assert_eq!(passed(&limiter, "ada", 20).await, 10);
        world.advance(MICRO);
        assert_eq!(passed(&limiter, "ada", 5).await, 0);
        // ... and as they leave in the course of the next one, ten more, of which nine within a second.
        let mut more = 0;
        for _ in 0..9 {
            world.advance(SECOND / 10);
            more += passed(&limiter, "ada", 5).await;
        }
        assert_eq!(more, 9);
    }

    async fn a_sliding_window_names_the_exact_moment_of_the_next_pass(world: World) {
        let limiter = world.limiter(Rule::sliding_window(7, Duration::from_secs(3)));
        world.advance(Duration::from_millis(1_234));
        for _ in 0..30 {
            while limiter.check("ada").await.unwrap().is_allowed() {}
            let wait = limiter.check("ada").await.unwrap().retry_after();
            assert!(wait >= MICRO);
            world.advance(wait - MICRO);
            assert!(!limiter.check("ada").await.unwrap().is_allowed());
            world.advance(MICRO);
            assert!(limiter.check("ada").await.unwrap().is_allowed());
        }
    }

    async fn no_window_at_all_has_more_than_the_limit_of_a_sliding_log(world: World) {
        let limiter = world.limiter(Rule::sliding_log(5, SECOND));
        let mut seen = VecDeque::new();
        let mut total = 0;
        let mut rng = fastrand::Rng::with_seed(7);
        for step in 0..300_u64 {
            let pause = [0, 1, 99_999, 200_000, 333_333][rng.usize(..5)];
            world.advance(Duration::from_micros(pause));
            let now = larder_store::Clock::now(&world.clock).as_micros();
            let decision = limiter.check("ada").await.unwrap();
            seen.retain(|moment| moment + 1_000_000 > now);
            // It passes if and only if fewer than five did within the second that ends now.
            assert_eq!(decision.is_allowed(), seen.len() < 5, "step {step}");
            if decision.is_allowed() {
                seen.push_back(now);
                total += 1;
            } else {
                let left = seen[0] + 1_000_000 - now;
                assert_eq!(decision.retry_after().as_micros() as i64, left, "step {step}");
            }
        }
        assert!(total > 50, "{total}");
    }

    async fn a_concurrency_rule_has_as_many_permits_at_once_as_its_limit(world: World) {
        let limiter = world.limiter(Rule::concurrency(3, Duration::from_secs(30)));
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(limiter.acquire("ada").await.unwrap().held().unwrap());
        }
        let refused = limiter.acquire("ada").await.unwrap().refused().unwrap();
        assert_eq!((refused.remaining(), refused.retry_after()), (0, 30 * SECOND));
        assert!(limiter.acquire("grace").await.unwrap().held().is_some());
        assert!(held.pop().unwrap().release().await.unwrap());
        assert!(matches!(limiter.acquire("ada").await.unwrap(), Grant::Held(_)));
    }

    async fn a_refused_request_postpones_nothing_under_any_algorithm(world: World) {
        for (name, rule) in each(4, SECOND) {
            let limiter = world.named(name, rule);
            assert_eq!(passed(&limiter, "ada", 4).await, 4, "{name}");
            let first = limiter.check("ada").await.unwrap();
            world.advance(first.retry_after() / 2);
            for _ in 0..50 {
                assert!(!limiter.check("ada").await.unwrap().is_allowed(), "{name}");
            }
            let now = limiter.check("ada").await.unwrap();
            let half = first.retry_after() - first.retry_after() / 2;
            assert_eq!(now.retry_after(), half, "{name}");
            world.advance(half);
            assert!(limiter.check("ada").await.unwrap().is_allowed(), "{name}");
        }
    }

    async fn a_request_of_several_units_takes_them_all_or_none(world: World) {
        for (name, rule) in each(5, SECOND) {
            let limiter = world.named(name, rule);
            assert_eq!(limiter.check_cost("ada", 3).await.unwrap().remaining(), 2, "{name}");
            let refused = limiter.check_cost("ada", 3).await.unwrap();
            assert!(!refused.is_allowed() && refused.remaining() == 2, "{name}");
            assert!(limiter.check_cost("ada", 2).await.unwrap().is_allowed(), "{name}");
            for cost in [0, 6] {
                let error = limiter.check_cost("ada", cost).await.unwrap_err();
                assert!(error.to_string().contains("at most the burst"), "{error}");
            }
        }
    }

    async fn a_refund_gives_back_what_was_charged_under_any_algorithm(world: World) {
        for (name, rule) in each(5, SECOND) {
            let limiter = world.named(name, rule);
            let first = limiter.check_cost("ada", 2).await.unwrap();
            let second = limiter.check_cost("ada", 3).await.unwrap();
            assert_eq!(second.remaining(), 0, "{name}");
            let back = limiter.refund("ada", second).await.unwrap();
            assert_eq!(back.remaining(), 3, "{name}");
            let back = limiter.refund("ada", first).await.unwrap();
            assert_eq!(back.remaining(), 5, "{name}");
            // What has come back by itself is not given back again.
            let late = limiter.check_cost("ada", 5).await.unwrap();
            world.advance(3 * SECOND);
            let _ = limiter.check_cost("ada", 4).await.unwrap();
            let back = limiter.refund("ada", late).await.unwrap();
            assert_eq!(back.remaining(), 1, "{name}");
            world.advance(3 * SECOND);
        }
    }
}

/// Each algorithm that counts units, with the same limit.
pub(crate) fn each(limit: u32, period: Duration) -> Vec<(&'static str, Policy)> {
    let reservations = Duration::from_secs(10);
    let gcra = Quota::new(limit, period);
    vec![
        ("gcra", Policy::new(gcra)),
        (
            "bucket",
            Policy::new(Rule::token_bucket(gcra)).with_reservations(reservations),
        ),
        (
            "aligned",
            Rule::fixed_window(limit, Window::every(period)).into(),
        ),
        (
            "first",
            Rule::fixed_window(limit, Window::from_first(period)).into(),
        ),
        ("sliding", Rule::sliding_window(limit, period).into()),
        ("log", Rule::sliding_log(limit, period).into()),
    ]
}

/// Whatever is used, held or banned, on random schedules.
#[tokio::test]
async fn a_refused_request_passes_at_its_retry_after_and_not_a_microsecond_before() {
    let ban = Ban::after(4, 3 * SECOND, SECOND / 3);
    for seed in 0..20 {
        let world = World::memory().await;
        let mut rng = fastrand::Rng::with_seed(seed);
        let with_holds = each(5, SECOND).into_iter().map(|(name, policy)| {
            let policy = policy.with_reservations(2 * SECOND).with_ban(ban);
            (format!("{name} with holds"), policy)
        });
        let plain = each(5, SECOND).into_iter();
        let plain = plain.map(|(name, policy)| (name.to_owned(), policy));
        for (name, policy) in plain.chain(with_holds) {
            let has_holds = name.ends_with("holds");
            let limiter = world.named("test", policy);
            limiter.reset("ada").await.unwrap();
            for step in 0..60 {
                act(&limiter, has_holds, &mut rng).await;
                world.advance(Duration::from_micros(rng.u64(..700_000)));
                let limiter = limiter.clone().with_cost(rng.u32(1..5)).unwrap();
                let wait = limiter.peek("ada").await.unwrap().retry_after();
                if wait.is_zero() {
                    continue;
                }
                let told = format!("{name}, seed {seed}, step {step}: {wait:?}");
                world.advance(wait - MICRO);
                assert!(!limiter.peek("ada").await.unwrap().is_allowed(), "{told}");
                world.advance(MICRO);
                assert!(limiter.peek("ada").await.unwrap().is_allowed(), "{told}");
            }
            world.advance(60 * SECOND);
        }
    }
}

/// Uses units, holds some, settles or loses them, or bans.
async fn act(limiter: &RateLimiter, has_holds: bool, rng: &mut fastrand::Rng) {
    for _ in 0..rng.u8(..4) {
        match rng.u8(..8) {
            0 => drop(limiter.ban("ada", SECOND / rng.u32(1..20)).await.unwrap()),
            1 | 2 if has_holds => {
                // It is lost, and ends by its TTL.
                drop(limiter.reserve("ada", rng.u32(1..4)).await.unwrap());
            }
            3 if has_holds => {
                let grant = limiter.reserve("ada", rng.u32(1..4)).await.unwrap();
                if let Grant::Held(reservation) = grant {
                    let _ = reservation.settle(rng.u32(..8)).await.unwrap();
                }
            }
            _ => drop(limiter.check("ada").await.unwrap()),
        }
    }
}
