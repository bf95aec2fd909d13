//! The names of metrics, and whether each is described.

use std::collections::BTreeSet;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use parking_lot::Mutex;

/// A recorder that keeps the names that were described and registered, and no values.
///
/// Pass it to `metrics::with_local_recorder`, around the code that registers the metrics of a crate.
#[derive(Debug, Default)]
pub struct MetricNames {
    described: Mutex<BTreeSet<String>>,
    registered: Mutex<BTreeSet<String>>,
}

impl MetricNames {
    /// Checks the metrics whose names begin with `prefix`, and returns how many there are.
    ///
    /// # Panics
    /// If a metric is described but not registered, or registered but not described, or not in `readme`.
    #[track_caller]
    pub fn assert_listed(&self, prefix: &str, readme: &str) -> usize {
        let ours = |names: &Mutex<BTreeSet<String>>| {
            let names = names.lock();
            let ours = names.iter().filter(|name| name.starts_with(prefix));
            ours.cloned().collect::<Vec<_>>()
        };
        let registered = ours(&self.registered);
        assert_eq!(registered, ours(&self.described));
        for name in &registered {
            let listed = readme.contains(&format!("`{name}`"));
            assert!(listed, "the README does not list {name}");
        }
        registered.len()
    }

    #[track_caller]
    fn describe(&self, name: &KeyName, unit: Option<Unit>, text: &SharedString) {
        assert!(unit.is_some() && !text.is_empty(), "{name:?} has no unit");
        self.described.lock().insert(name.as_str().to_owned());
    }

    fn register(&self, key: &Key) {
        self.registered.lock().insert(key.name().to_owned());
    }
}

impl Recorder for MetricNames {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn names(described: &str) -> MetricNames {
        let names = MetricNames::default();
        metrics::with_local_recorder(&names, || {
            metrics::describe_counter!(described.to_owned(), Unit::Count, "what it counts");
            drop(metrics::counter!("layer_hits_total"));
            drop(metrics::counter!("other_total"));
        });
        names
    }

    #[test]
    fn metrics_that_are_described_and_listed_are_counted() {
        let names = names("layer_hits_total");
        assert_eq!(names.assert_listed("layer_", "`layer_hits_total`"), 1);
    }

    #[test]
    #[should_panic(expected = "the README does not list layer_hits_total")]
    fn a_metric_that_is_not_listed_is_told() {
        names("layer_hits_total").assert_listed("layer_", "");
    }

    #[test]
    #[should_panic(expected = "layer_hits_total")]
    fn a_metric_that_is_not_described_is_told() {
        names("another_total").assert_listed("layer_", "`layer_hits_total`");
    }

    #[test]
    #[should_panic(expected = "has no unit")]
    fn a_metric_without_a_unit_is_told() {
        metrics::with_local_recorder(&MetricNames::default(), || {
            metrics::describe_counter!("layer_hits_total", "what it counts");
        });
    }
}
