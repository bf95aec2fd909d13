//! Requests that leave little of a quota.

use std::sync::Arc;
use std::time::Duration;

use larder_rate_limit::{
    FailMode, KeyBy, Limit, LocalStore, Policy, Quota, RateLimitLayer, RateLimiter,
};
use larder_store::ErrorKind;
use larder_test::MetricValues;
use metrics::with_local_recorder;

use super::without_a_layer::{WAYS, Way, passes};
use crate::support::{App, Behavior, ScriptedStore, limiter, model};
use crate::world::on_every_store;

const SECOND: Duration = Duration::from_secs(1);
const ANN: &str = "192.0.2.1";

/// How many requests were near the limit of that name.
fn near(counters: &MetricValues, policy: &str) -> u64 {
    let name = format!("larder_rate_limit_near_limit_total {policy}");
    let counted = counters.counts();
    let counted = counted.iter().find(|(counted, _)| *counted == name);
    counted.map_or(0, |(_, count)| *count)
}

/// A day of 50 units, which a steady visitor uses up while the minute has half of its 10.
fn minute_and_day() -> Policy {
    Policy::new(Quota::per_minute(10))
        .and(Quota::per_day(50))
        .with_reservations(60 * SECOND)
}

on_every_store! {
    async fn a_request_that_leaves_a_fifth_of_the_quota_is_near_the_limit(world: World) {
        let counters = MetricValues::default();
        let layer = with_local_recorder(&counters, || {
            let limiter = world.limiter(Quota::per_hour(10));
            RateLimitLayer::new(limiter, KeyBy::peer()).with_store_timeout(30 * SECOND)
        });
        let app = App::new(layer);
        for (sent, counted) in [(7, 0), (1, 1), (1, 2), (1, 3), (5, 3)] {
            for _ in 0..sent {
                app.status(ANN).await;
            }
            assert_eq!(near(&counters, "test"), counted);
        }
    }

    async fn a_policy_is_near_its_limit_if_one_of_its_rules_is(world: World) {
        let counters = MetricValues::default();
        let layer = with_local_recorder(&counters, || {
            let limiter = world.limiter(minute_and_day());
            RateLimitLayer::new(limiter, KeyBy::peer()).with_store_timeout(30 * SECOND)
        });
        let app = App::new(layer);
        for sent in 1..=45 {
            assert_eq!(app.status(ANN).await, 200);
            assert_eq!(near(&counters, "test"), sent.max(39) - 39, "{sent}");
            world.advance(6 * SECOND);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_is_near_its_limit_whoever_asks() {
    for way in WAYS {
        let counters = MetricValues::default();
        let (store, clock) = model();
        let (limiter, app) = with_local_recorder(&counters, || {
            let limiter = RateLimiter::new(store.clone(), "test", minute_and_day()).unwrap();
            let layer = RateLimitLayer::new(limiter.clone(), KeyBy::everybody());
            let other = RateLimiter::new(store, "other", Quota::per_hour(999)).unwrap();
            let app = App::new(match way {
                Way::LayerOfTwo => layer.and(Limit::new(other, KeyBy::everybody())),
                _ => layer,
            });
            (limiter, app)
        });
        for sent in 1..=45 {
            assert!(passes(way, &limiter, &app).await, "{way:?} {sent}");
            clock.advance(6 * SECOND);
        }
        assert_eq!(near(&counters, "test"), 6, "{way:?}");
    }
}

#[tokio::test]
async fn without_a_store_a_request_is_near_the_limit_by_the_share_of_this_process() {
    let counters = MetricValues::default();
    let layer = with_local_recorder(&counters, || {
        let store = ScriptedStore::new(Behavior::Fails(ErrorKind::NotSent)).store();
        let local = LocalStore::new(Arc::new(larder_moka::MokaStore::new())).unwrap();
        let local = local.with_share_of(10.try_into().unwrap());
        RateLimitLayer::new(limiter(store, Quota::per_hour(100)), KeyBy::peer())
            .with_fail_mode(FailMode::Local(local))
    });
    let app = App::new(layer);
    for sent in 1..=10 {
        assert_eq!(app.status(ANN).await, 200);
        assert_eq!(near(&counters, "test"), u64::max(sent, 7) - 7, "{sent}");
    }
}
