//! Metrics: each is described with a unit, and listed in the README.

use larder_cache::Cache;
use larder_test::MetricNames;

use crate::support::{FILM, MINUTE, far_films};

#[tokio::test]
async fn each_metric_is_described_with_its_unit_and_listed_in_the_readme() {
    let names = MetricNames::default();
    metrics::with_local_recorder(&names, || {
        // The weight of near copies is only a metric if it is limited.
        let bounded =
            Cache::<u32, String>::builder(FILM, MINUTE).with_max_near_weight(10, |_, _| 1);
        drop((far_films(), bounded.build()));
    });
    let listed = names.assert_listed("larder_cache_", include_str!("../../README.md"));
    assert!(listed > 15);
}
