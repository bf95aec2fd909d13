//! Refusals by their reason, and what a limit in shadow mode would do.

use std::time::Duration;

use larder_rate_limit::{
    AccessLists, ClientAddress, KeyBy, Limit, Quota, RateLimitLayer, RefusalMemory,
};
use larder_test::MetricValues;
use metrics::with_local_recorder;

use super::{decided, refused};
use crate::support::{App, layer, limiter, model};
use crate::world::on_every_store;

const ANN: &str = "192.0.2.1";

on_every_store! {
    async fn a_remembered_refusal_has_that_reason(world: World) {
        let counters = MetricValues::default();
        let memory = RefusalMemory::new(10).with_max_age(Duration::from_secs(600));
        let layer = with_local_recorder(&counters, || {
            layer(world.limiter(Quota::per_hour(2)), KeyBy::peer()).with_refusal_memory(memory)
        });
        let app = App::new(layer);
        for status in [200, 200, 429, 429, 429] {
            assert_eq!(app.status(ANN).await, status);
        }
        assert_eq!(
            counters.counts(),
            [
                decided("allowed", 2),
                decided("refused", 3),
                ("larder_rate_limit_near_limit_total test".to_owned(), 1),
                refused("quota", 1),
                refused("remembered", 2),
            ]
        );
    }

    async fn a_limit_in_shadow_mode_is_counted_apart(world: World) {
        let counters = MetricValues::default();
        let layer = with_local_recorder(&counters, || {
            let limit = Limit::new(world.limiter(Quota::per_hour(2)), KeyBy::peer());
            RateLimitLayer::of(limit.with_shadow_mode()).with_store_timeout(Duration::from_secs(30))
        });
        let app = App::new(layer);
        for _ in 0..5 {
            assert_eq!(app.status(ANN).await, 200);
        }
        // Over a network no request waits for the check.
        for _ in 0..2_000 {
            if counters.counts().iter().map(|(_, count)| count).sum::<u64>() == 5 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let shadow = |outcome| format!("larder_rate_limit_shadow_total test {outcome}");
        assert_eq!(counters.counts(), [(shadow("allowed"), 2), (shadow("refused"), 3)]);
    }
}

#[tokio::test]
async fn a_request_that_a_list_denies_has_that_reason() {
    let counters = MetricValues::default();
    let layer = with_local_recorder(&counters, || {
        let lists = AccessLists::new(ClientAddress::peer());
        let lists = lists.with_denied("192.0.2.0/24".parse().unwrap());
        let lists = lists.with_allowed("198.51.100.0/24".parse().unwrap());
        layer(limiter(model().0, Quota::per_hour(9)), KeyBy::peer()).with_access_lists(lists)
    });
    let app = App::new(layer);
    for (peer, status) in [
        (ANN, 403),
        (ANN, 403),
        ("198.51.100.1", 200),
        ("10.0.0.1", 200),
    ] {
        assert_eq!(app.status(peer).await, status);
    }
    assert_eq!(
        counters.counts(),
        [
            decided("allowed", 1),
            decided("exempt", 1),
            decided("refused", 2),
            refused("denied", 2),
        ]
    );
}
