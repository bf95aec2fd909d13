use std::collections::BTreeSet;
use std::sync::Arc;

use metrics::Key;

use super::series::{SAMPLES, Series};

/// All series at one time.
#[derive(Default)]
pub(crate) struct Snapshot {
    series: Vec<(Key, Arc<Series>)>,
    /// Whether there were more series than are kept.
    pub(crate) is_full: bool,
}

/// Some series of one metric, added up.
pub(crate) struct Figure {
    /// The sum of all of them.
    pub(crate) total: f64,
    /// The sum of all values of a histogram.
    pub(crate) sum: f64,
    /// The rises of counters, or the values of gauges, in the last ten minutes, the newest last.
    pub(crate) history: Vec<f64>,
}

impl Snapshot {
    pub(super) fn new(series: Vec<(Key, Arc<Series>)>, is_full: bool) -> Self {
        Self { series, is_full }
    }

    fn of<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = &'a Series> {
        let series = self.series.iter().filter(move |(key, _)| {
            let has = |(name, value): &(&str, &str)| label(key, name) == Some(value);
            key.name() == name && labels.iter().all(has)
        });
        series.map(|(_, series)| &**series)
    }

    /// Adds up the series of a metric that have these labels.
    pub(crate) fn figure(&self, name: &str, labels: &[(&str, &str)]) -> Figure {
        let (mut total, mut sum, mut history) = (0.0, 0.0, Vec::new());
        for series in self.of(name, labels) {
            total += series.value();
            sum += series.sum();
            add_from_the_end(&mut history, &series.history());
        }
        Figure {
            total,
            sum,
            history,
        }
    }

    /// Adds up the values of a metric that have these labels.
    pub(crate) fn total(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        // The sum of no numbers would be minus zero.
        self.of(name, labels)
            .fold(0.0, |all, series| all + series.value())
    }

    /// Returns whether there is any series of a metric.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.series.iter().any(|(key, _)| key.name() == name)
    }

    /// Returns the values that a label has in the series of a metric.
    pub(crate) fn values(&self, name: &str, of: &str) -> BTreeSet<&str> {
        let series = self.series.iter().filter(|(key, _)| key.name() == name);
        series.filter_map(|(key, _)| label(key, of)).collect()
    }
}

fn label<'a>(key: &'a Key, name: &str) -> Option<&'a str> {
    let mut labels = key.labels();
    labels
        .find(|label| label.key() == name)
        .map(|label| label.value())
}

/// Adds histories, aligned at their ends, which are now.
fn add_from_the_end(all: &mut Vec<f64>, one: &[f64]) {
    let missing = one.len().saturating_sub(all.len());
    all.splice(0..0, std::iter::repeat_n(0.0, missing));
    for (all, one) in all.iter_mut().rev().zip(one.iter().rev()) {
        *all += one;
    }
    debug_assert!(all.len() <= SAMPLES + 1, "a history is bounded");
}
