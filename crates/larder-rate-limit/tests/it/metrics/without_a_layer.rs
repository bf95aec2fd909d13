//! Decisions that a caller asks for without a layer, and those of layers that ask in the same ways.

use std::sync::Arc;
use std::time::Duration;

use larder_rate_limit::{
    Ban, Grant, KeyBy, Limit, Limits, Plans, Policy, Quota, RateLimitLayer, RateLimiter, Rule,
};
use larder_store::{ErrorKind, Store};
use larder_test::MetricValues;
use metrics::with_local_recorder;

use super::{decided, refused};
use crate::support::{App, Behavior, ScriptedStore, model};

const HOUR: Duration = Duration::from_secs(3_600);

pub(super) fn near(policy: &str, count: u64) -> (String, u64) {
    (
        format!("larder_rate_limit_near_limit_total {policy}"),
        count,
    )
}

/// Makes limiters whose counters are `counters`.
pub(super) fn limiter(
    counters: &MetricValues,
    store: &Arc<dyn Store>,
    name: &str,
    policy: impl Into<Policy>,
) -> RateLimiter {
    with_local_recorder(counters, || {
        RateLimiter::new(store.clone(), name, policy).unwrap()
    })
}

/// A way to ask a limiter, as a caller or through a layer. Whether the request passes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Check,
    Cost,
    Rules,
    Acquire,
    Reserve,
    UntilReady,
    AcquireWithin,
    Together,
    Layer,
    LayerOfTwo,
}

pub(super) const WAYS: [Way; 10] = [
    Way::Check,
    Way::Cost,
    Way::Rules,
    Way::Acquire,
    Way::Reserve,
    Way::UntilReady,
    Way::AcquireWithin,
    Way::Together,
    Way::Layer,
    Way::LayerOfTwo,
];

pub(super) async fn passes(way: Way, limiter: &RateLimiter, app: &App) -> bool {
    let passes = |grant: Grant<_>| grant.held().is_some();
    match way {
        Way::Check => limiter.check("ada").await.unwrap().is_allowed(),
        Way::Cost => limiter.check_cost("ada", 1).await.unwrap().is_allowed(),
        Way::Rules => limiter
            .check_rules("ada")
            .await
            .unwrap()
            .decision()
            .is_allowed(),
        Way::Acquire => passes(limiter.acquire("ada").await.unwrap()),
        Way::AcquireWithin => passes(limiter.acquire_within("ada", HOUR / 60).await.unwrap()),
        Way::UntilReady => limiter
            .until_ready("ada", HOUR / 60)
            .await
            .unwrap()
            .is_allowed(),
        Way::Together => Limits::new()
            .with(limiter, "ada")
            .check()
            .await
            .unwrap()
            .is_allowed(),
        Way::Reserve => match limiter.reserve("ada", 1).await.unwrap() {
            Grant::Held(reservation) => {
                let _ = reservation.settle(1).await.unwrap();
                true
            }
            Grant::Refused(_) => false,
        },
        Way::Layer | Way::LayerOfTwo => app.status("192.0.2.1").await == 200,
    }
}

#[tokio::test(start_paused = true)]
async fn a_decision_is_counted_once_whoever_asks() {
    for way in WAYS {
        for has_plans in [false, true] {
            let counters = MetricValues::default();
            let store = model().0;
            // A log treats all ways alike, and has room for reservations.
            let policy = || Policy::new(Rule::sliding_log(5, HOUR)).with_reservations(HOUR);
            let mut limiter = limiter(&counters, &store, "test", policy());
            if has_plans {
                let found = move |_| async move { Ok::<_, std::io::Error>(policy()) };
                limiter = limiter.with_plans(Plans::new(found)).unwrap();
            }
            let app = with_local_recorder(&counters, || {
                let layer = RateLimitLayer::new(limiter.clone(), KeyBy::everybody());
                App::new(match way {
                    Way::LayerOfTwo => {
                        let other =
                            RateLimiter::new(store.clone(), "other", Quota::per_hour(99)).unwrap();
                        layer.and(Limit::new(other, KeyBy::everybody()))
                    }
                    _ => layer,
                })
            });
            for i in 0..7 {
                assert_eq!(passes(way, &limiter, &app).await, i < 5, "{way:?}");
            }
            let mut counted = counters.counts();
            counted.retain(|(name, _)| name.contains(" test") && !name.contains("settlements"));
            // Of five units, one is left after the fourth.
            let expected = [
                decided("allowed", 5),
                decided("refused", 2),
                near("test", 2),
                refused("quota", 2),
            ];
            assert_eq!(counted, expected, "{way:?}, with plans: {has_plans}");
        }
    }
}

#[tokio::test]
async fn a_refusal_without_a_layer_has_its_reason_and_a_failure_its_outcome() {
    let counters = MetricValues::default();
    let store = model().0;
    let banning = Policy::new(Quota::per_hour(1)).with_ban(Ban::after(1, HOUR, HOUR));
    let places = limiter(&counters, &store, "places", Rule::concurrency(1, HOUR));
    let guesses = limiter(&counters, &store, "guesses", banning);
    let _permit = places.acquire("ada").await.unwrap().held().unwrap();
    assert!(places.acquire("ada").await.unwrap().held().is_none());
    for passes in [true, false, false] {
        assert_eq!(guesses.check("ada").await.unwrap().is_allowed(), passes);
    }
    // The caller's mistake does not count as the store's.
    places.check("ada").await.unwrap_err();
    let away = ScriptedStore::new(Behavior::Fails(ErrorKind::NotSent)).store();
    let away = limiter(&counters, &away, "away", Quota::per_hour(9));
    away.check("ada").await.unwrap_err();
    Limits::new().with(&away, "ada").check().await.unwrap_err();
    let counted = counters.counts();
    let counted: Vec<_> = counted
        .iter()
        .filter(|(name, _)| !name.contains("near_limit"))
        .map(|(name, count)| (name.trim_start_matches("larder_rate_limit_"), *count))
        .collect();
    assert_eq!(
        counted,
        [
            ("decisions_total away failed", 2),
            ("decisions_total guesses allowed", 1),
            ("decisions_total guesses refused", 2),
            ("decisions_total places allowed", 1),
            ("decisions_total places refused", 1),
            ("refusals_total guesses ban", 2),
            ("refusals_total places concurrency", 1),
        ]
    );
}

#[tokio::test]
async fn of_limiters_that_are_asked_together_those_that_refuse_are_counted_or_all() {
    let counters = MetricValues::default();
    let store = model().0;
    let wide = limiter(&counters, &store, "wide", Quota::per_hour(100));
    let tight = limiter(&counters, &store, "tight", Quota::per_hour(2));
    for passes in [true, true, false, false, false] {
        let limits = Limits::new().with(&wide, "ada").with(&tight, "ada");
        assert_eq!(limits.check().await.unwrap().is_allowed(), passes);
    }
    let of = |name: &str, count| (format!("larder_rate_limit_{name}"), count);
    assert_eq!(
        counters.counts(),
        [
            of("decisions_total tight allowed", 2),
            of("decisions_total tight refused", 3),
            of("decisions_total wide allowed", 2),
            near("tight", 1),
            of("refusals_total tight quota", 3),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_limiter_whose_store_fails_is_counted_though_another_one_refuses() {
    let counters = MetricValues::default();
    let on = |name: &str, behavior| {
        let store = ScriptedStore::new(behavior).store();
        limiter(&counters, &store, name, Quota::per_hour(1))
    };
    let full = on("full", Behavior::After(Duration::from_millis(1)));
    let away = on("away", Behavior::Fails(ErrorKind::NotSent));
    assert!(full.check("ada").await.unwrap().is_allowed());
    let both = Limits::new().with(&away, "ada").with(&full, "ada");
    assert!(!both.check().await.unwrap().is_allowed());
    let of = |name: &str| (format!("larder_rate_limit_{name}"), 1);
    assert_eq!(
        counters.counts(),
        [
            of("decisions_total away failed"),
            of("decisions_total full allowed"),
            of("decisions_total full refused"),
            near("full", 1),
            of("refusals_total full quota"),
        ]
    );
}

#[tokio::test]
async fn a_refund_without_a_layer_is_counted() {
    let counters = MetricValues::default();
    let store = ScriptedStore::new(Behavior::Now);
    let limiter = limiter(&counters, &store.store(), "test", Quota::per_hour(9));
    let charged = limiter.check("ada").await.unwrap();
    let _ = limiter.refund("ada", charged).await.unwrap();
    let charged = limiter.check("ada").await.unwrap();
    store.set(Behavior::Fails(ErrorKind::NotSent));
    limiter.refund("ada", charged).await.unwrap_err();
    let of = |outcome: &str| (format!("larder_rate_limit_refunds_total test {outcome}"), 1);
    assert_eq!(
        counters.counts(),
        [decided("allowed", 2), of("done"), of("lost")]
    );
}
