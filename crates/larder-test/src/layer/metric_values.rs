//! The values of metrics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, LocalRecorderGuard, Metadata, Recorder,
    SharedString, Unit,
};
use parking_lot::Mutex;

/// A recorder that keeps what the metrics of one test show.
///
/// A metric is found by its name and the values of its labels, in their order, such as `hits_total near`. A
/// histogram counts how often something was recorded.
#[derive(Debug, Default)]
pub struct MetricValues {
    values: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    hidden: Option<&'static str>,
}

/// Counts what is recorded.
struct Recorded(Arc<AtomicU64>);

impl MetricValues {
    /// Leaves the value of this label out of the names, and adds up what differs only by it.
    #[must_use]
    pub fn without_label(mut self, label: &'static str) -> Self {
        self.hidden = Some(label);
        self
    }

    /// Records the metrics of this thread until the guard is dropped.
    pub fn record(&self) -> LocalRecorderGuard<'_> {
        metrics::set_default_local_recorder(self)
    }

    /// Returns the value of a counter, or how often a histogram was recorded. 0 if it was never registered.
    pub fn count(&self, name: &str) -> u64 {
        self.values.lock().get(name).map_or(0, load)
    }

    /// Returns the value of a gauge. 0 if it was never registered.
    pub fn gauge(&self, name: &str) -> f64 {
        f64::from_bits(self.count(name))
    }

    /// Returns the names of all metrics that were registered.
    pub fn names(&self) -> Vec<String> {
        self.values.lock().keys().cloned().collect()
    }

    /// Returns what was counted, by name, without zeros. For tests whose metrics have no gauges.
    pub fn counts(&self) -> Vec<(String, u64)> {
        self.read(load)
    }

    /// Does the same, and sets all to zero.
    pub fn take(&self) -> Vec<(String, u64)> {
        self.read(|value| value.swap(0, Ordering::SeqCst))
    }

    fn read(&self, read: impl Fn(&Arc<AtomicU64>) -> u64) -> Vec<(String, u64)> {
        let values = self.values.lock();
        let counts = values
            .iter()
            .map(|(name, value)| (name.clone(), read(value)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    fn value(&self, key: &Key) -> Arc<AtomicU64> {
        let labels = key
            .labels()
            .filter(|label| self.hidden != Some(label.key()))
            .map(|label| label.value());
        let name: Vec<_> = [key.name()].into_iter().chain(labels).collect();
        self.values
            .lock()
            .entry(name.join(" "))
            .or_default()
            .clone()
    }
}

fn load(value: &Arc<AtomicU64>) -> u64 {
    value.load(Ordering::SeqCst)
}

impl HistogramFn for Recorded {
    fn record(&self, _: f64) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Recorder for MetricValues {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.value(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.value(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Recorded(self.value(key))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_found_by_name_and_labels() {
        let values = MetricValues::default().without_label("kind");
        let guard = values.record();
        metrics::counter!("hits_total", "kind" => "film", "tier" => "near").increment(2);
        metrics::counter!("hits_total", "kind" => "page", "tier" => "near").increment(1);
        metrics::gauge!("entries").set(0.5);
        metrics::histogram!("load_seconds").record(0.1);
        drop(guard);
        metrics::counter!("hits_total", "tier" => "near").increment(1);
        assert_eq!(values.count("hits_total near"), 3);
        assert_eq!(
            (values.gauge("entries"), values.count("load_seconds")),
            (0.5, 1)
        );
        assert_eq!(
            values.names(),
            ["entries", "hits_total near", "load_seconds"]
        );
        assert_eq!(values.counts(), values.take());
        assert!(values.counts().is_empty());
    }
}
