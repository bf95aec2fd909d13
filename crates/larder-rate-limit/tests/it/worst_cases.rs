//! The most that passes in any window, on random schedules: what the table of `Algorithm` says.

use std::collections::VecDeque;
use std::time::Duration;

use larder_rate_limit::{Grant, Permit, Policy, Quota, RateLimiter, Rule};

use crate::algorithms::each;
use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);
const LIMIT: usize = 6;

async fn none_passes_more_than_its_worst_case(
    world: &World,
    rng: &mut fastrand::Rng,
    steps: usize,
) {
    let small = Quota::new(LIMIT as u32, SECOND).with_burst(2);
    let large = Quota::new(LIMIT as u32, SECOND).with_burst(15);
    let bursts = [
        ("small burst", small.into(), 2, 2 + LIMIT),
        (
            "large burst",
            Rule::token_bucket(large).into(),
            15,
            15 + LIMIT,
        ),
        (
            "small burst of rules",
            Policy::new(small).and(small),
            2,
            2 + LIMIT,
        ),
    ];
    let each = each(LIMIT as u32, SECOND)
        .into_iter()
        .map(|(name, policy)| match name {
            "log" => (name, policy, LIMIT, LIMIT),
            // Their worst moments are never all met: a sliding window stays below twice its limit.
            "sliding" => (name, policy, LIMIT, 2 * LIMIT - 1),
            _ => (name, policy, LIMIT, 2 * LIMIT),
        });
    for (name, policy, least, most) in each.chain(bursts) {
        let limiter = world.named(&name.replace(' ', "-"), policy);
        let passed = most_in_any_second(world, &limiter, rng, steps).await;
        assert!((least..=most).contains(&passed), "{name} passed {passed}");
    }
    let most = most_permits_at_once(world, rng, steps).await;
    assert_eq!(most, LIMIT);
}

#[tokio::test]
async fn no_algorithm_passes_more_in_any_window_than_its_worst_case() {
    for seed in 0..6 {
        let mut rng = fastrand::Rng::with_seed(seed);
        none_passes_more_than_its_worst_case(&World::memory().await, &mut rng, 2_000).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_algorithm_passes_more_in_any_window_than_its_worst_case_on_redis() {
    let mut rng = fastrand::Rng::with_seed(6);
    none_passes_more_than_its_worst_case(&World::redis().await, &mut rng, 1_000).await;
}

/// Takes permits and gives them back, or loses them, and returns how many were held at once.
async fn most_permits_at_once(world: &World, rng: &mut fastrand::Rng, steps: usize) -> usize {
    let limiter = world.named("places", Rule::concurrency(LIMIT as u32, SECOND));
    let mut held: VecDeque<(i64, Permit)> = VecDeque::new();
    let mut most = 0;
    for _ in 0..steps {
        let now = larder_store::Clock::now(&world.clock).as_micros();
        held.retain(|(until, _)| *until > now);
        match rng.u8(..4) {
            0 if !held.is_empty() => {
                let (_, permit) = held.swap_remove_back(rng.usize(..held.len())).unwrap();
                assert!(permit.release().await.unwrap());
            }
            1 => world.advance(Duration::from_micros(rng.u64(..300_000))),
            _ => match limiter.acquire("ada").await.unwrap() {
                Grant::Held(permit) => held.push_back((now + 1_000_000, permit)),
                Grant::Refused(_) => {}
            },
        }
        most = most.max(held.len());
    }
    most
}

async fn most_in_any_second(
    world: &World,
    limiter: &RateLimiter,
    rng: &mut fastrand::Rng,
    steps: usize,
) -> usize {
    let (mut passed, mut most) = (VecDeque::new(), 0);
    for _ in 0..steps {
        let decision = limiter.check("ada").await.unwrap();
        let now = larder_store::Clock::now(&world.clock).as_micros();
        if decision.is_allowed() {
            passed.push_back(now);
        }
        passed.retain(|moment| moment + 1_000_000 > now);
        most = most.max(passed.len());
        // Most often the greediest schedule: as soon as it may pass again.
        let pause = match rng.u8(..4) {
            0 => Duration::from_micros(rng.u64(..400_000)),
            1 => Duration::from_micros(rng.u64(..4_000_000)),
            _ => decision.retry_after(),
        };
        world.advance(pause);
    }
    most
}
