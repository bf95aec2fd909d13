use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use larder_moka::MokaStore;
use larder_session::Sessions;
use larder_store::ErrorKind;
use larder_test::MetricNames;
use larder_test::faulty::Trouble;
use metrics::{
    Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

use crate::support::{Browser, Time, World};

#[derive(Default)]
struct Counts(Mutex<BTreeMap<String, Arc<Count>>>);

#[derive(Default)]
struct Count(AtomicU64);

impl CounterFn for Count {
    fn increment(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }
    fn absolute(&self, to: u64) {
        self.0.store(to, Ordering::Relaxed);
    }
}

impl Recorder for Counts {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels = key.labels().map(|label| format!(" {}", label.value()));
        let name = key.name().trim_start_matches("larder_session_").to_owned();
        let name = name + &labels.collect::<String>();
        let count = self.0.lock().unwrap().entry(name).or_default().clone();
        Counter::from_arc(count)
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

impl Counts {
    /// What was counted since the last time.
    fn take(&self) -> String {
        let counts = self.0.lock().unwrap();
        let counted = counts.iter().filter_map(|(name, count)| {
            let count = count.0.swap(0, Ordering::Relaxed);
            (count > 0).then(|| format!("{name}={count}"))
        });
        counted.collect::<Vec<_>>().join(", ")
    }
}

#[tokio::test]
async fn each_outcome_is_counted_and_no_metric_names_a_user() {
    let world = World::memory(Time::Manual).await;
    let counts = Counts::default();
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
        assert_eq!(counts.take(), expected, "{path}");
    }
    let stolen = browser.copy();
    browser.get(&site, "/log-out").await;
    assert_eq!(counts.take(), "ended_total=1, reads_total found=1");
    stolen.get(&site, "/whoami").await;
    assert_eq!(counts.take(), "reads_total absent=1");
    world.switch.set(Trouble::Fail(ErrorKind::NotSent));
    stolen.get(&site, "/whoami").await;
    assert_eq!(counts.take(), "reads_total failed=1, unavailable_total=1");
    let names = counts.0.lock().unwrap();
    assert!(names.keys().all(|name| !name.contains("canary")));
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
    let counts = Counts::default();
    let sealed = |keys| {
        let site = || World::site_of(world.sessions().with_sealing(keys));
        metrics::with_local_recorder(&counts, site)
    };
    let site = sealed(SealingKeys::new(1, [1; 32]));
    let browser = Browser::new();
    browser.read(&site, "/set/a/1").await;
    // As a process that knows no keys, which is not counted here.
    browser.read(&world.site(), "/set/b/2").await;
    assert_eq!(counts.take(), "created_total=1");
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
        assert_eq!(counts.take(), expected);
    }
}
