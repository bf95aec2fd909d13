//! Metrics: each is described with a unit, and listed in the README.

use larder_test::MetricNames;

use crate::support::far_films;

#[tokio::test]
async fn each_metric_is_described_with_its_unit_and_listed_in_the_readme() {
    let names = MetricNames::default();
    metrics::with_local_recorder(&names, far_films);
    let listed = names.assert_listed("larder_cache_", include_str!("../../README.md"));
    assert!(listed > 15);
}
