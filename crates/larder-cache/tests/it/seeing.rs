//! Metrics: each is described with a unit, and listed in the README.

use std::collections::BTreeSet;
use std::sync::Mutex;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use crate::support::far_films;

/// A recorder that keeps the names that were described and registered.
#[derive(Default)]
struct Names {
    described: Mutex<BTreeSet<String>>,
    registered: Mutex<BTreeSet<String>>,
}

impl Names {
    fn describe(&self, name: &KeyName, unit: Option<Unit>, text: &SharedString) {
        assert!(unit.is_some() && !text.is_empty(), "{name:?} has no unit");
        let name = name.as_str().to_owned();
        self.described.lock().unwrap().insert(name);
    }

    fn register(&self, key: &Key) {
        let name = key.name().to_owned();
        self.registered.lock().unwrap().insert(name);
    }
}

impl Recorder for Names {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe(&name, unit, &text);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe(&name, unit, &text);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe(&name, unit, &text);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.register(key);
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.register(key);
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.register(key);
        Histogram::noop()
    }
}

#[tokio::test]
async fn each_metric_is_described_with_its_unit_and_listed_in_the_readme() {
    let names = Names::default();
    metrics::with_local_recorder(&names, far_films);
    let (described, registered) = (
        names.described.lock().unwrap(),
        names.registered.lock().unwrap(),
    );
    let ours = |name: &&String| name.starts_with("larder_cache_");
    let registered: Vec<_> = registered.iter().filter(ours).collect();
    let described: Vec<_> = described.iter().filter(ours).collect();
    assert_eq!(registered, described);
    assert!(registered.len() > 15);
    let readme = include_str!("../../README.md");
    for name in registered {
        assert!(
            readme.contains(&format!("`{name}`")),
            "the README does not list {name}"
        );
    }
}
