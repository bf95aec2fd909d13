use std::sync::Arc;

use larder_moka::MokaStore;
use larder_session::Sessions;
use larder_store::ErrorKind;
use larder_test::faulty::Trouble;
use larder_test::{MetricNames, MetricValues};

use crate::support::{Browser, Time, World};

/// Returns what was counted since the last time.
fn counted(counts: &MetricValues) -> String {
    let counts = counts.take().into_iter();
    let counts = counts.map(|(name, count)| {
        let name = name.trim_start_matches("larder_session_");
        format!("{name}={count}")
    });
    counts.collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn each_outcome_is_counted_and_no_metric_names_a_user() {
    let world = World::memory(Time::Manual).await;
    let counts = MetricValues::default();
    let site = metrics::with_local_recorder(&counts, || world.site());
    let browser = Browser::new();
    for (path, expected) in [
        ("/untouched", ""),
        ("/whoami", ""),
        ("/set/a/1", "created_total=1"),
        ("/get/a", "reads_total found=1"),
        ("/add/1", "reads_total found=1, writes_total done=1"),
        (
            "/failing/add/1",
            "reads_total found=1, writes_total dropped=1",
        ),
        (
            "/log-in/canary",
            "reads_total found=1, signed_in_total=1, writes_total done=1",
        ),
        ("/rotate", "reads_total found=1, rotated_total=1"),
        ("/revoke-others", "reads_total found=1, revocations_total=1"),
    ] {
        browser.get(&site, path).await;
        assert_eq!(counted(&counts), expected, "{path}");
    }
    let stolen = browser.copy();
    browser.get(&site, "/log-out").await;
    assert_eq!(counted(&counts), "ended_total=1, reads_total found=1");
    stolen.get(&site, "/whoami").await;
    assert_eq!(counted(&counts), "reads_total absent=1");
    world.switch.set(Trouble::Fail(ErrorKind::NotSent));
    stolen.get(&site, "/whoami").await;
    assert_eq!(
        counted(&counts),
        "reads_total failed=1, unavailable_total=1"
    );
    let names = counts.names();
    assert!(names.iter().all(|name| !name.contains("canary")));
}

#[test]
fn each_metric_is_described_with_its_unit_and_listed_in_the_readme() {
    let names = MetricNames::default();
    let sessions =
        metrics::with_local_recorder(&names, || Sessions::new(Arc::new(MokaStore::new())));
    assert!(sessions.is_ok());
    let readme = include_str!("../../README.md");
    assert_eq!(names.assert_listed("larder_session_", readme), 9);
}

#[cfg(feature = "seal")]
#[tokio::test]
async fn a_value_that_does_not_open_is_counted_by_its_reason() {
    use larder_session::SealingKeys;

    let world = World::memory(Time::Manual).await;
    let counts = MetricValues::default();
    let sealed = |keys| {
        let site = || World::site_of(world.sessions().with_sealing(keys));
        metrics::with_local_recorder(&counts, site)
    };
    let site = sealed(SealingKeys::new(1, [1; 32]));
    let browser = Browser::new();
    browser.read(&site, "/set/a/1").await;
    // As a process that knows no keys, which is not counted here.
    browser.read(&world.site(), "/set/b/2").await;
    assert_eq!(counted(&counts), "created_total=1");
    let (other, wrong) = (
        sealed(SealingKeys::new(2, [2; 32])),
        sealed(SealingKeys::new(1, [9; 32])),
    );
    for (site, path, reason) in [
        (&other, "/get/a", "unknown_key"),
        (&wrong, "/get/a", "damaged"),
        (&site, "/get/b", "not_sealed"),
    ] {
        assert_eq!(browser.read(site, path).await, "");
        let expected = format!("reads_total found=1, unopened_total {reason}=1");
        assert_eq!(counted(&counts), expected);
    }
}
