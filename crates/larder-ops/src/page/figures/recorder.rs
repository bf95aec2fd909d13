use std::fmt;
use std::sync::Arc;

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

use super::Figures;
use super::series::Series;

/// Keeps the metrics of larder and passes all metrics on. [`Figures::recorder`] makes it.
pub struct FiguresRecorder<R> {
    figures: Figures,
    exporter: R,
}

impl<R> FiguresRecorder<R> {
    pub(super) fn new(figures: Figures, exporter: R) -> Self {
        Self { figures, exporter }
    }
}

impl<R> fmt::Debug for FiguresRecorder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FiguresRecorder").finish_non_exhaustive()
    }
}

/// A kept series, and the exporter's handle of the same metric.
struct Both<H> {
    kept: Arc<Series>,
    exported: H,
}

impl<R: Recorder> Recorder for FiguresRecorder<R> {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, text: SharedString) {
        self.exporter.describe_counter(key, unit, text);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, text: SharedString) {
        self.exporter.describe_gauge(key, unit, text);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, text: SharedString) {
        self.exporter.describe_histogram(key, unit, text);
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        let exported = self.exporter.register_counter(key, metadata);
        match self.figures.keep(key, Series::counter) {
            Some(kept) => Counter::from_arc(Arc::new(Both { kept, exported })),
            None => exported,
        }
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        let exported = self.exporter.register_gauge(key, metadata);
        match self.figures.keep(key, Series::gauge) {
            Some(kept) => Gauge::from_arc(Arc::new(Both { kept, exported })),
            None => exported,
        }
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        let exported = self.exporter.register_histogram(key, metadata);
        match self.figures.keep(key, Series::histogram) {
            Some(kept) => Histogram::from_arc(Arc::new(Both { kept, exported })),
            None => exported,
        }
    }
}

impl CounterFn for Both<Counter> {
    fn increment(&self, by: u64) {
        CounterFn::increment(&*self.kept, by);
        self.exported.increment(by);
    }

    fn absolute(&self, value: u64) {
        self.kept.absolute(value);
        self.exported.absolute(value);
    }
}

impl GaugeFn for Both<Gauge> {
    fn increment(&self, by: f64) {
        GaugeFn::increment(&*self.kept, by);
        self.exported.increment(by);
    }

    fn decrement(&self, by: f64) {
        self.kept.decrement(by);
        self.exported.decrement(by);
    }

    fn set(&self, value: f64) {
        self.kept.set(value);
        self.exported.set(value);
    }
}

impl HistogramFn for Both<Histogram> {
    fn record(&self, value: f64) {
        self.kept.record(value);
        self.exported.record(value);
    }
}
